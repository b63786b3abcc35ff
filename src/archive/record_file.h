// The seam between the archive and the files that it is made of: Parquet in earnest (parquet_record_file.h), something
// trivial over any file system in simulations. Paths are those of the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/io/log.h"

namespace millrace::archive {

/// A file in the making. Destroyed without `Close`, it leaves nothing behind. One thread at a time.
class RecordFileWriter {
 public:
  virtual ~RecordFileWriter() = default;

  /// Appends records of one partition with rising offsets. Their keys, attributes and data may be taken; the objects
  /// can be filled again.
  virtual Status Append(std::span<LogRecord> records) = 0;
  /// Completes the file and makes its content durable. Once.
  virtual Status Close() = 0;
};

/// Reads a file in the order of its rows. One thread at a time.
class RecordFileReader {
 public:
  virtual ~RecordFileReader() = default;

  /// Fills up to `records.size()` records, whose storage is used again, and says how many: 0 at the end. DATA_LOSS
  /// names the file when it is damaged.
  virtual StatusOr<std::size_t> Read(std::span<LogRecord> records) = 0;
};

/// The rows [first, end) of a file, which can be skipped together.
struct RecordFilePart {
  std::int64_t first = 0;
  std::int64_t end = 0;
  /// Nothing where the file does not say.
  std::optional<Timestamp> least_event_time = {};
  std::optional<Timestamp> greatest_event_time = {};
};

/// So many rows of a file have one least event time together.
inline constexpr std::int64_t kTimeStepRows = 4096;

/// A kind of files. Thread safe.
class RecordFileFormat {
 public:
  virtual ~RecordFileFormat() = default;

  /// What names end in, such as ".parquet".
  virtual std::string_view extension() const = 0;
  /// Makes a file, replacing one of that name. RESOURCE_EXHAUSTED from here, `Append` or `Close`: the disk is full.
  virtual StatusOr<std::unique_ptr<RecordFileWriter>> Create(const std::string& path) = 0;
  /// Reads the rows [first, end) of a file, as many of them as there are. NOT_FOUND, DATA_LOSS.
  virtual StatusOr<std::unique_ptr<RecordFileReader>> Open(const std::string& path, std::int64_t first,
                                                           std::int64_t end) = 0;
  /// The parts of a file, which cover all rows in order.
  virtual StatusOr<std::vector<RecordFilePart>> Parts(const std::string& path) = 0;
  /// The least event time of each `kTimeStepRows` rows, in order; empty where the file does not say.
  virtual StatusOr<std::vector<Timestamp>> LeastEventTimes(const std::string& path) = 0;
};

}  // namespace millrace::archive
