// What the tests of the log share: records to append, and a partition or a topic as plain lists.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "log/log_reader.h"
#include "log/log_writer.h"

namespace millrace::log {

/// A record that owns what it appends.
struct SampleRecord {
  std::string key = {};
  std::string data = {};
  Timestamp event_time = {};
  std::map<std::string, std::string> attributes = {};
  std::int32_t partition = -1;

  AppendRecord View() const {
    return {.event_time = event_time,
            .key = key,
            .data = data,
            .attributes = attributes.empty() ? nullptr : &attributes,
            .partition = partition};
  }
};

inline StatusOr<std::vector<Appended>> AppendAll(LogWriter& writer, const std::vector<SampleRecord>& records,
                                                 std::optional<Producer> producer = std::nullopt) {
  std::vector<AppendRecord> views;
  for (const SampleRecord& record : records) views.push_back(record.View());
  return writer.Append(views, producer);
}

/// What a partition holds from `from` on; a control record is one with the data "control".
inline StatusOr<std::vector<LogRecord>> ReadPartition(const LogReader& reader, std::int32_t partition,
                                                      std::int64_t from = 0) {
  std::vector<LogRecord> records;
  StatusOr<std::unique_ptr<PartitionCursor>> cursor = reader.Read(partition, from);
  if (!cursor.ok()) return cursor.status();
  while (true) {
    RecordView view;
    const StatusOr<Found> found = (*cursor)->Next(&view);
    if (!found.ok()) return found.status();
    if (*found == Found::kEnd) return records;
    LogRecord record;
    view.CopyTo(&record);
    if (*found == Found::kControl) record.data = "control";
    records.push_back(std::move(record));
  }
}

/// The data of a partition's records, in order.
inline std::vector<std::string> DataOf(const std::vector<LogRecord>& records) {
  std::vector<std::string> data;
  for (const LogRecord& record : records) data.push_back(record.data);
  return data;
}

/// Everything of a topic, by partition.
inline StatusOr<std::vector<std::vector<LogRecord>>> ReadTopicRecords(base::FileSystem& files,
                                                                      const std::string& folder,
                                                                      const std::string& topic) {
  StatusOr<std::unique_ptr<LogReader>> reader = LogReader::Open(files, folder, topic);
  if (!reader.ok()) return reader.status();
  std::vector<std::vector<LogRecord>> partitions;
  for (std::int32_t p = 0; p < (*reader)->topic().partitions; ++p) {
    const StatusOr<PartitionRange> range = (*reader)->Range(p);
    if (!range.ok()) return range.status();
    StatusOr<std::vector<LogRecord>> records = ReadPartition(**reader, p, range->start);
    if (!records.ok()) return records.status();
    partitions.push_back(*std::move(records));
  }
  return partitions;
}

/// A message sink that keeps what it is told.
struct Messages {
  std::vector<std::string> texts;
  std::function<void(const std::string&)> Report() {
    return [this](const std::string& message) { texts.push_back(message); };
  }
};

}  // namespace millrace::log
