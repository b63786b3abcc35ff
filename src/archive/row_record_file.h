// Records in the plainest of files, over any file system: the archive's files in simulations, where DuckDB cannot be.
// A file is its rows one after another and a digest. Only tests include this.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/archived_text.h"
#include "archive/digest.h"
#include "archive/record_file.h"
#include "base/file_system.h"
#include "base/status_macros.h"

namespace millrace::archive {

class RowRecordFormat final : public RecordFileFormat {
 public:
  explicit RowRecordFormat(base::FileSystem& files) : files_(files) {}

  std::string_view extension() const override { return ".rows"; }

  StatusOr<std::unique_ptr<RecordFileWriter>> Create(const std::string& path) override {
    return std::unique_ptr<RecordFileWriter>(std::make_unique<Writer>(files_, path));
  }

  StatusOr<std::unique_ptr<RecordFileReader>> Open(const std::string& path, std::int64_t first,
                                                   std::int64_t end) override {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<LogRecord> rows, ReadRows(path));
    const auto size = static_cast<std::int64_t>(rows.size());
    rows.erase(rows.begin() + std::min(end, size), rows.end());
    rows.erase(rows.begin(), rows.begin() + std::min<std::int64_t>(first, std::min(end, size)));
    return std::unique_ptr<RecordFileReader>(std::make_unique<Reader>(std::move(rows)));
  }

  StatusOr<std::vector<RecordFilePart>> Parts(const std::string& path) override {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<LogRecord> rows, ReadRows(path));
    return std::vector{RecordFilePart{.first = 0, .end = static_cast<std::int64_t>(rows.size())}};
  }

  StatusOr<std::vector<Timestamp>> LeastEventTimes(const std::string& path) override {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<LogRecord> rows, ReadRows(path));
    std::vector<Timestamp> times;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (row % kTimeStepRows == 0) times.push_back(Timestamp::Max());
      times.back() = std::min(times.back(), rows[row].event_time);
    }
    return times;
  }

 private:
  static constexpr std::size_t kDigestBytes = 32;

  class Writer final : public RecordFileWriter {
   public:
    Writer(base::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

    Status Append(std::span<LogRecord> records) override {
      for (const LogRecord& record : records) {
        const std::int64_t numbers[] = {record.partition, record.offset, record.publish_time.micros(),
                                        record.event_time.micros()};
        content_.append(reinterpret_cast<const char*>(numbers), sizeof(numbers));
        for (const std::string& text : {EncodeRaw(record), record.data}) {
          const std::uint64_t size = text.size();
          content_.append(reinterpret_cast<const char*>(&size), sizeof(size));
          content_ += text;
        }
      }
      return OkStatus();
    }

    Status Close() override {
      content_ += DigestOf(content_);
      MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, files_.Open(path_, base::OpenMode::kReadWrite));
      MILLRACE_RETURN_IF_ERROR(file->Truncate(0));
      MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(content_))));
      return file->Sync();
    }

   private:
    base::FileSystem& files_;
    const std::string path_;
    std::string content_;
  };

  class Reader final : public RecordFileReader {
   public:
    explicit Reader(std::vector<LogRecord> rows) : rows_(std::move(rows)) {}

    StatusOr<std::size_t> Read(std::span<LogRecord> records) override {
      const std::size_t count = std::min(records.size(), rows_.size() - next_);
      for (std::size_t i = 0; i < count; ++i) records[i] = std::move(rows_[next_++]);
      return count;
    }

   private:
    std::vector<LogRecord> rows_;
    std::size_t next_ = 0;
  };

  StatusOr<std::vector<LogRecord>> ReadRows(const std::string& path) {
    MILLRACE_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(files_, path, std::uint64_t{1} << 30));
    const std::size_t size = content.size() < kDigestBytes ? 0 : content.size() - kDigestBytes;
    std::string_view rest = std::string_view(content).substr(0, size);
    if (DigestOf(rest) != std::string_view(content).substr(size)) return DataLossError(path + " is damaged");
    std::vector<LogRecord> rows;
    while (!rest.empty()) {
      LogRecord& record = rows.emplace_back();
      std::int64_t numbers[4];
      std::memcpy(numbers, rest.data(), sizeof(numbers));
      rest.remove_prefix(sizeof(numbers));
      record.partition = static_cast<std::int32_t>(numbers[0]);
      record.offset = numbers[1];
      record.publish_time = Timestamp::FromMicros(numbers[2]);
      record.event_time = Timestamp::FromMicros(numbers[3]);
      MILLRACE_RETURN_IF_ERROR(DecodeRaw(TakeText(&rest), &record));
      record.data = TakeText(&rest);
    }
    return rows;
  }

  static std::string_view TakeText(std::string_view* rest) {
    std::uint64_t size = 0;
    std::memcpy(&size, rest->data(), sizeof(size));
    const std::string_view text = rest->substr(sizeof(size), size);
    rest->remove_prefix(sizeof(size) + size);
    return text;
  }

  base::FileSystem& files_;
};

}  // namespace millrace::archive
