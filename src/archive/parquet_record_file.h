// Records in Parquet files, with the columns of docs/formats/archive.md, written and read by DuckDB.
#pragma once

#include "archive/record_file.h"

namespace millrace::archive {

/// How the files are written.
struct ParquetRecordOptions {
  std::size_t row_group_rows = 122'880;  // a multiple of 2048
};

/// Lives as long as the process when it is the default one.
class ParquetRecordFormat final : public RecordFileFormat {
 public:
  explicit ParquetRecordFormat(const ParquetRecordOptions& options = {}) : options_(options) {}

  std::string_view extension() const override { return ".parquet"; }
  StatusOr<std::unique_ptr<RecordFileWriter>> Create(const std::string& path) override;
  StatusOr<std::unique_ptr<RecordFileReader>> Open(const std::string& path, std::int64_t first,
                                                   std::int64_t end) override;
  StatusOr<std::vector<RecordFilePart>> Parts(const std::string& path) override;
  StatusOr<std::vector<Timestamp>> LeastEventTimes(const std::string& path) override;

 private:
  const ParquetRecordOptions options_;
};

/// The format of every archive that is not a simulation.
RecordFileFormat& ParquetFiles();

}  // namespace millrace::archive
