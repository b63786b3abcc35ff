// The untyped half of parquet::Read.
#include <algorithm>
#include <utility>

#include "columnar/parquet_reader.h"
#include "millrace/io/files.h"
#include "millrace/io/parquet.h"

namespace millrace::detail {

namespace {

class ParquetRows final : public RowReader {
 public:
  explicit ParquetRows(columnar::ParquetReader reader) : reader_(std::move(reader)) {}

  std::int64_t next_row() const override { return static_cast<std::int64_t>(reader_.next_row()); }

  StatusOr<std::size_t> Read(void* rows, std::size_t stride, std::size_t capacity,
                             std::vector<RowIssue>* issues) override {
    StatusOr<columnar::ParquetBatch> batch = reader_.Read(rows, stride, capacity);
    if (!batch.ok()) return batch.status();
    for (columnar::FieldIssue& issue : batch->issues) {
      issues->push_back({static_cast<std::int64_t>(issue.row), std::move(issue.field), std::move(issue.reason)});
    }
    return batch->count;
  }

 private:
  columnar::ParquetReader reader_;
};

// The least time in the column, as the row group's statistics give it; the beginning of time where they do not.
Timestamp LeastTime(const columnar::RowGroup& group, const std::string& column) {
  for (const columnar::ColumnStatistics& statistics : group.columns) {
    if (statistics.column == column && statistics.min_time) return *statistics.min_time;
  }
  return Timestamp::Min();
}

}  // namespace

StatusOr<std::unique_ptr<RowReader>> OpenParquetRows(const std::string& path, const Schema& schema, std::int64_t from,
                                                     std::int64_t to) {
  StatusOr<columnar::ParquetReader> reader = columnar::ParquetReader::Open(
      path, schema, {.begin_row = static_cast<std::uint64_t>(from), .end_row = static_cast<std::uint64_t>(to)});
  if (!reader.ok()) return reader.status();
  return std::unique_ptr<RowReader>(std::make_unique<ParquetRows>(*std::move(reader)));
}

StatusOr<std::vector<Restriction>> SplitParquet(const std::string& pattern, const Schema& schema,
                                                const std::string& event_time) {
  if (schema.fields().empty()) {
    return InvalidArgumentError(schema.name() + " has no field that is a column; add one that the files have");
  }
  StatusOr<std::vector<std::string>> files = io::FindFiles(pattern, ".parquet");
  if (!files.ok()) return files.status();
  std::vector<Restriction> parts;
  for (const std::string& path : *files) {
    StatusOr<columnar::ParquetFileInfo> info = columnar::ReadParquetInfo(path);
    if (!info.ok()) return info.status();
    StatusOr<std::unique_ptr<RowReader>> fits = OpenParquetRows(path, schema, 0, 0);
    if (!fits.ok()) return fits.status();
    for (const columnar::RowGroup& group : info->row_groups) {
      if (group.row_count == 0) continue;
      Restriction part{.partition = path,
                       .from = static_cast<std::int64_t>(group.first_row),
                       .to = static_cast<std::int64_t>(group.first_row + group.row_count)};
      if (!event_time.empty()) part.least_event_time = LeastTime(group, event_time);
      parts.push_back(std::move(part));
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Restriction& a, const Restriction& b) { return a.least_event_time < b.least_event_time; });
  return parts;
}

Schema SchemaWithout(const Schema& schema, const Field* left_out) {
  std::vector<Field> fields;
  for (const Field& field : schema.fields()) {
    if (&field != left_out) fields.push_back(field);
  }
  return Schema(schema.name(), std::move(fields));
}

}  // namespace millrace::detail
