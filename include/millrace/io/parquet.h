// Parquet files as a source and as a sink.
//
//   struct Flight { millrace::Timestamp date; std::int16_t delay; std::string origin; std::int64_t row; };
//
//   auto flights = pipeline | "Flights" >> parquet::Read<Flight>("flights/*.parquet")
//                                              .WithEventTime(&Flight::date)
//                                              .WithRowNumber(&Flight::row);
//   late | "Write" >> parquet::Write("out/late");
//
// Only the columns that the struct has fields for are read. A file without one of them, or with one of another type,
// and a file that is damaged, end the run with a status that names file and column; a row with a value that does not
// fit its field (a null where the field is no std::optional, a number out of range) is a BadRecord with file, row,
// field and reason.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/detail/row_reader.h"
#include "millrace/io/file_sink.h"
#include "millrace/transforms/read.h"

namespace millrace {

namespace detail {

/// Reads rows [from, to) of the columns that `schema` names. Errors as in `parquet::Read`.
StatusOr<std::unique_ptr<RowReader>> OpenParquetRows(const std::string& path, const Schema& schema, std::int64_t from,
                                                     std::int64_t to);

/// The row groups of all files that `pattern` means, in the order of their least time in the column `event_time`, if
/// that is given, else in the order of files and rows. Every file is checked against the schema.
StatusOr<std::vector<Restriction>> SplitParquet(const std::string& pattern, const Schema& schema,
                                                const std::string& event_time);

/// The schema without one field, if `left_out` is one.
Schema SchemaWithout(const Schema& schema, const Field* left_out);

/// A partition is a file, a position is a row, a restriction is a row group.
template <class T>
struct ParquetSource {
  using Element = T;

  std::string pattern;
  std::shared_ptr<const Schema> schema;  // of the columns to read
  std::string event_time_column;
  Timestamp T::* event_time = nullptr;
  std::int64_t T::* row_number = nullptr;
  std::shared_ptr<RowReader> reader;  // made by the copy that reads

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return SplitParquet(pattern, *schema, event_time_column);
  }

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<T>& out) {
    if (reader == nullptr || reader->next_row() != tracker.from()) {
      auto opened = OpenParquetRows(tracker.partition(), *schema, tracker.from(), tracker.to());
      if (!opened.ok()) return opened.status();
      reader = *std::move(opened);
    }
    while (true) {
      const std::int64_t first = tracker.from();
      const std::int64_t count =
          std::min<std::int64_t>(static_cast<std::int64_t>(kBatchElements), tracker.to() - first);
      if (!tracker.TryClaim(first + std::max<std::int64_t>(count, 1) - 1)) return ProcessContinuation::Stop();
      if (Status read = ReadBlock(tracker.partition(), first, static_cast<std::size_t>(count), out); !read.ok()) {
        return read;
      }
      out.Flush();
    }
  }

 private:
  Status ReadBlock(const std::string& path, std::int64_t first, std::size_t count, SourceOutput<T>& out) {
    T* rows = out.Extend(count);
    const std::size_t base = out.batch().size() - count;
    std::vector<RowIssue> issues;
    StatusOr<std::size_t> read = reader->Read(rows, sizeof(T), count, &issues);
    if (!read.ok() || *read != count) {
      out.Truncate(base);
      if (!read.ok()) return read.status();
      return DataLossError("Parquet file " + path + " ends at row " + std::to_string(reader->next_row()) +
                           ", before the end that its footer gives; it was changed while it was read");
    }
    if (!issues.empty()) {
      count = DropBadRows(path, first, rows, count, issues, out);
      out.Truncate(base + count);
    } else if (row_number != nullptr) {
      for (std::size_t i = 0; i < count; ++i) rows[i].*row_number = first + static_cast<std::int64_t>(i);
    }
    Timestamp* times = out.batch().timestamps.data() + base;
    for (std::size_t i = 0; i < count; ++i) times[i] = event_time != nullptr ? rows[i].*event_time : Timestamp::Min();
    return OkStatus();
  }

  // Moves the good rows together and gives their number.
  std::size_t DropBadRows(const std::string& path, std::int64_t first, T* rows, std::size_t count,
                          const std::vector<RowIssue>& issues, SourceOutput<T>& out) {
    const std::size_t base = out.batch().size() - count;
    std::size_t kept = 0;
    std::size_t next = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t row = first + static_cast<std::int64_t>(i);
      if (next < issues.size() && issues[next].row == row) {
        BadRecord bad{
            .origin = path, .position = row, .field = issues[next].field, .reason = issues[next].reason, .record = ""};
        for (++next; next < issues.size() && issues[next].row == row; ++next) {
          bad.reason += "; field " + issues[next].field + ": " + issues[next].reason;
        }
        out.EmitBadRecord(std::move(bad));
        continue;
      }
      if (kept != i) rows[kept] = std::move(rows[i]);
      if (row_number != nullptr) rows[kept].*row_number = row;
      out.SetPosition(base + kept, row);
      ++kept;
    }
    return kept;
  }
};

template <class T>
struct ParquetRead : TransformBase {
  explicit ParquetRead(std::string files) : pattern(std::move(files)) {}
  std::string DefaultLabel() const { return "ParquetRead"; }

  /// Each element's event time is that field. The statistics of its column give the least event time of each row group:
  /// row groups are read in that order, and in batch mode the watermark follows it, so that windows close early.
  template <class M>
  ParquetRead WithEventTime(M T::* member) const {
    static_assert(std::is_same_v<M, Timestamp>,
                  "Millrace: WithEventTime needs a field of type millrace::Timestamp. For "
                  "any other, apply WithTimestamps behind the read.");
    ParquetRead result = *this;
    if constexpr (std::is_same_v<M, Timestamp>) result.event_time = member;
    return result;
  }
  /// That field is no column: it is set to the row's number in its file, from 0. With the file it names the row.
  template <class M>
  ParquetRead WithRowNumber(M T::* member) const {
    static_assert(std::is_same_v<M, std::int64_t>, "Millrace: WithRowNumber needs a field of type std::int64_t.");
    ParquetRead result = *this;
    if constexpr (std::is_same_v<M, std::int64_t>) result.row_number = member;
    return result;
  }
  /// In streaming mode: see `ReadTransform::MaxDisorder`. The rows of a row group are one partition.
  ParquetRead MaxDisorder(Duration disorder) const {
    ParquetRead result = *this;
    result.max_disorder = disorder;
    return result;
  }

  /// What reads the files, for `ForEach`.
  ParquetSource<T> Source() const {
    ParquetSource<T> source;
    source.pattern = pattern;
    source.schema = std::make_shared<const Schema>(
        SchemaWithout(SchemaOf<T>(), row_number != nullptr ? FieldOf(row_number) : nullptr));
    source.event_time = event_time;
    source.row_number = row_number;
    if (event_time != nullptr) {
      if (const Field* field = FieldOf(event_time)) source.event_time_column = field->name;
    }
    return source;
  }
  auto Expand(Pipeline& pipeline) const {
    ReadTransform<ParquetSource<T>> read(Source());
    read.max_disorder = max_disorder;
    return read.Expand(pipeline);
  }

  std::string pattern;
  Timestamp T::* event_time = nullptr;
  std::int64_t T::* row_number = nullptr;
  std::optional<Duration> max_disorder;
};

struct ParquetWrite : FileWrite<ParquetWrite> {
  explicit ParquetWrite(std::string file_prefix) : FileWrite(std::move(file_prefix), ".parquet") {}
  std::string DefaultLabel() const { return "ParquetWrite"; }

  /// Rows of a row group, a multiple of 2048. Readers skip and share out whole row groups.
  ParquetWrite RowGroupRows(std::int64_t rows) const {
    ParquetWrite result = *this;
    result.row_group_rows = rows;
    return result;
  }
  template <class T>
  static constexpr bool Accepts() {
    static_assert(kDescribable<T> && Reflectable<T>,
                  "Millrace: parquet::Write needs a PCollection of structs, whose "
                  "fields are the columns.");
    return kDescribable<T> && Reflectable<T>;
  }
  template <class T>
  ShardOpener Opener() const {
    return OpenParquetShards(SchemaOf<T>(), static_cast<std::size_t>(row_group_rows));
  }

  std::int64_t row_group_rows = 122'880;
};

}  // namespace detail

namespace parquet {

/// Reads the Parquet files that `pattern` means (io/files.h; in a folder: those named *.parquet).
template <class T>
auto Read(std::string pattern) {
  return detail::ParquetRead<T>(std::move(pattern));
}

/// Writes structs to files `prefix-00000-of-0000N.parquet` (io/file_sink.h), compressed with zstd. Rows are gathered in
/// memory, beyond 1 GiB per worker in a hidden folder beside the files, and written at the end.
inline auto Write(std::string prefix) { return detail::ParquetWrite(std::move(prefix)); }

}  // namespace parquet

}  // namespace millrace
