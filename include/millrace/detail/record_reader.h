// The seam between the typed sources of text files (lines, JSON lines, CSV) and their untyped reader in src/io/text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/core/source.h"

namespace millrace::detail {

enum class RecordSyntax : std::uint8_t { kLine, kJsonLine, kCsv };

/// How a file is cut into records, and what they become.
struct RecordFormat {
  RecordSyntax syntax = RecordSyntax::kLine;
  const Type* type = nullptr;  // of the values; a string for kLine, a struct for kCsv
  std::int64_t record_bytes_max = std::int64_t{16} << 20;
  std::int64_t split_bytes = 0;   // of a restriction; 0: 16 to 64 MiB, by the size of the input
  char delimiter = ',';           // of kCsv
  bool newlines_in_cells = true;  // of kCsv: then a file cannot be split
};

/// An open reader of one file's records, in order. One thread at a time.
class RecordReader {
 public:
  enum class Found : std::uint8_t { kEnd, kRecord, kBadRecord };

  virtual ~RecordReader() = default;
  /// Reads the next record into `*object`, a value of the format's type.
  virtual StatusOr<Found> Next(void* object) = 0;
  /// Where the record found last begins, in bytes.
  virtual std::int64_t offset() const = 0;
  /// The record found last, if that was a bad one.
  virtual StatusOr<BadRecord> TakeBadRecord() = 0;
};

/// Counts lines where a bad record is met, for the readers of all ranges of a run. Thread safe.
class LineNumbers;
std::shared_ptr<LineNumbers> MakeLineNumbers();

/// A reader of the records that begin at byte `from` or later.
StatusOr<std::unique_ptr<RecordReader>> OpenRecords(const RecordFormat& format, const std::string& path,
                                                    std::int64_t from, std::shared_ptr<LineNumbers> line_numbers);

/// The files that `pattern` means, cut into ranges of bytes. A record belongs to the range that it begins in.
/// Line numbers counted before are forgotten.
StatusOr<std::vector<Restriction>> SplitRecords(const RecordFormat& format, const std::string& pattern,
                                                const SplitOptions& options, LineNumbers& line_numbers);

}  // namespace millrace::detail
