#include "archive/parquet_record_file.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "archive/archived_text.h"
#include "base/status_macros.h"
#include "columnar/parquet_reader.h"
#include "columnar/parquet_writer.h"
#include "columnar/temporal.h"

namespace millrace::archive {

namespace {

// One row, with the names of the columns.
struct ArchiveRow {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Timestamp publish_time;
  Timestamp event_time;
  std::string key;
  std::map<std::string, std::string> attributes;
  std::vector<std::byte> data;
  std::optional<std::vector<std::byte>> raw;
};

void AssignBytes(std::string_view from, std::vector<std::byte>* to) {
  const auto* bytes = reinterpret_cast<const std::byte*>(from.data());
  to->assign(bytes, bytes + from.size());
}

std::string_view TextOf(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Timestamp Storable(Timestamp time) {
  std::int64_t micros = 0;
  return columnar::ToDuckdbMicros(time, &micros) ? time : Timestamp::Min();
}

void ToRow(LogRecord& record, ArchiveRow* row) {
  row->partition = record.partition;
  row->offset = record.offset;
  row->publish_time = Storable(record.publish_time);
  row->event_time = Storable(record.event_time);
  AssignBytes(record.data, &row->data);
  if (IsText(record)) [[likely]] {
    row->key.swap(record.key);
    row->attributes.swap(record.attributes);
    row->raw.reset();
    return;
  }
  AssignBytes(EncodeRaw(record), &row->raw.emplace());
  row->key = ReplaceInvalid(record.key);
  row->attributes.clear();
  for (const auto& [name, value] : record.attributes) {
    row->attributes.insert_or_assign(ReplaceInvalid(name), ReplaceInvalid(value));
  }
}

Status FromRow(ArchiveRow& row, LogRecord* record) {
  record->partition = row.partition;
  record->offset = row.offset;
  record->publish_time = row.publish_time;
  record->event_time = row.event_time;
  record->data.assign(TextOf(row.data));
  if (row.raw) [[unlikely]] {
    return DecodeRaw(TextOf(*row.raw), record);
  }
  record->key.swap(row.key);
  record->attributes.swap(row.attributes);
  return OkStatus();
}

// The key of the file's metadata that has the least event time of each `kTimeStepRows` rows, as microseconds.
constexpr const char* kLeastEventTimesKey = "millrace.least_event_times_us";

StatusOr<std::vector<Timestamp>> ParseTimes(const std::string& text) {
  std::vector<Timestamp> times;
  for (const char* at = text.data(); at < text.data() + text.size();) {
    std::int64_t micros = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), micros);
    if (error != std::errc()) return DataLossError("its metadata " + std::string(kLeastEventTimesKey) + " is damaged");
    times.push_back(Timestamp::FromMicros(micros));
    at = end + 1;
  }
  return times;
}

class ParquetRecordWriter final : public RecordFileWriter {
 public:
  explicit ParquetRecordWriter(columnar::ParquetWriter writer)
      : writer_(std::move(writer)), rows_(columnar::kChunkRowsMax) {}

  Status Append(std::span<LogRecord> records) override {
    while (!records.empty()) {
      const std::size_t count = std::min(records.size(), rows_.size());
      for (std::size_t i = 0; i < count; ++i) {
        ToRow(records[i], &rows_[i]);
        if (row_count_++ % kTimeStepRows == 0) least_event_times_.push_back(Timestamp::Max());
        least_event_times_.back() = std::min(least_event_times_.back(), rows_[i].event_time);
      }
      MILLRACE_RETURN_IF_ERROR(writer_.Append(rows_.data(), sizeof(ArchiveRow), count));
      records = records.subspan(count);
    }
    return OkStatus();
  }
  Status Close() override {
    std::string times;
    for (const Timestamp time : least_event_times_) times += (times.empty() ? "" : " ") + std::to_string(time.micros());
    writer_.AddMetadata(kLeastEventTimesKey, std::move(times));
    return writer_.Close();
  }

 private:
  columnar::ParquetWriter writer_;
  std::vector<ArchiveRow> rows_;
  std::int64_t row_count_ = 0;
  std::vector<Timestamp> least_event_times_;
};

class ParquetRecordReader final : public RecordFileReader {
 public:
  ParquetRecordReader(std::string path, columnar::ParquetReader reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}

  StatusOr<std::size_t> Read(std::span<LogRecord> records) override {
    const std::size_t count = std::min(records.size(), columnar::kChunkRowsMax);
    if (rows_.size() < count) rows_.resize(count);
    MILLRACE_ASSIGN_OR_RETURN(const columnar::ParquetBatch batch,
                              reader_.Read(rows_.data(), sizeof(ArchiveRow), count));
    if (!batch.issues.empty()) {
      return DataLossError("Parquet file " + path_ + ": " + batch.issues[0].ToString() +
                           "; the archive writes no such value");
    }
    for (std::size_t i = 0; i < batch.count; ++i) {
      if (const Status status = FromRow(rows_[i], &records[i]); !status.ok()) {
        return status.WithContext("Parquet file " + path_ + ", offset " + std::to_string(rows_[i].offset));
      }
    }
    return batch.count;
  }

 private:
  std::string path_;
  columnar::ParquetReader reader_;
  std::vector<ArchiveRow> rows_;
};

}  // namespace

StatusOr<std::unique_ptr<RecordFileWriter>> ParquetRecordFormat::Create(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(
      columnar::ParquetWriter writer,
      columnar::ParquetWriter::Open(path, SchemaOf<ArchiveRow>(),
                                    {.row_group_rows = options_.row_group_rows, .overwrite = true}));
  return std::unique_ptr<RecordFileWriter>(std::make_unique<ParquetRecordWriter>(std::move(writer)));
}

StatusOr<std::unique_ptr<RecordFileReader>> ParquetRecordFormat::Open(const std::string& path, std::int64_t first,
                                                                      std::int64_t end) {
  StatusOr<columnar::ParquetReader> reader = columnar::ParquetReader::Open(
      path, SchemaOf<ArchiveRow>(),
      {.begin_row = static_cast<std::uint64_t>(first), .end_row = static_cast<std::uint64_t>(end)});
  if (!reader.ok() && reader.status().code() == StatusCode::kInvalidArgument) {
    return DataLossError(reader.status().message() + "; it is no file of an archive");
  }
  if (!reader.ok()) return reader.status();
  return std::unique_ptr<RecordFileReader>(std::make_unique<ParquetRecordReader>(path, *std::move(reader)));
}

StatusOr<std::vector<RecordFilePart>> ParquetRecordFormat::Parts(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ParquetFileInfo info, columnar::ReadParquetInfo(path));
  std::vector<RecordFilePart> parts;
  for (const columnar::RowGroup& group : info.row_groups) {
    RecordFilePart part{.first = static_cast<std::int64_t>(group.first_row),
                        .end = static_cast<std::int64_t>(group.first_row + group.row_count)};
    for (const columnar::ColumnStatistics& column : group.columns) {
      if (column.column != "event_time") continue;
      part.least_event_time = column.min_time;
      part.greatest_event_time = column.max_time;
    }
    parts.push_back(part);
  }
  return parts;
}

StatusOr<std::vector<Timestamp>> ParquetRecordFormat::LeastEventTimes(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ParquetFileInfo info, columnar::ReadParquetInfo(path));
  for (const auto& [key, value] : info.metadata) {
    if (key != kLeastEventTimesKey) continue;
    StatusOr<std::vector<Timestamp>> times = ParseTimes(value);
    if (!times.ok()) return times.status().WithContext("Parquet file " + path);
    const std::uint64_t steps = (info.row_count + kTimeStepRows - 1) / kTimeStepRows;
    if (times->size() == steps) return times;
    return DataLossError("Parquet file " + path + ": its metadata " + key + " has " + std::to_string(times->size()) +
                         " times, not " + std::to_string(steps));
  }
  return std::vector<Timestamp>();
}

RecordFileFormat& ParquetFiles() {
  static ParquetRecordFormat format;
  return format;
}

}  // namespace millrace::archive
