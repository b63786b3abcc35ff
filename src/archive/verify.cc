#include "archive/verify.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "archive/digest.h"
#include "archive/file_name.h"
#include "archive/range_reader.h"
#include "archive/session.h"
#include "base/status_macros.h"

namespace millrace::archive {

namespace {

// Checks one file; the problem's offset is where reading stopped.
class FileCheck {
 public:
  FileCheck(ArchiveStore& store, RecordFileFormat& format, const ArchivedRange& range)
      : store_(store), format_(format), range_(range), offset_(range.from) {}

  Status Run() {
    MILLRACE_RETURN_IF_ERROR(CheckBytes());
    MILLRACE_RETURN_IF_ERROR(CheckRows());
    MILLRACE_RETURN_IF_ERROR(CheckRecords());
    return CheckTimes();
  }
  std::int64_t offset() const { return offset_; }

 private:
  Status CheckBytes() {
    MILLRACE_ASSIGN_OR_RETURN(const ObjectDigest digest, DigestOfObject(store_, range_.path));
    if (digest.bytes != range_.bytes) {
      return DataLossError("it has " + std::to_string(digest.bytes) + " bytes, the manifest says " +
                           std::to_string(range_.bytes));
    }
    if (digest.hex != range_.digest) {
      return DataLossError("its digest is " + digest.hex + ", the manifest says " + range_.digest);
    }
    return OkStatus();
  }

  Status CheckRows() {
    MILLRACE_ASSIGN_OR_RETURN(const std::string path, store_.LocalPath(range_.path));
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<RecordFilePart> parts, format_.Parts(path));
    const std::int64_t rows = parts.empty() ? 0 : parts.back().end;
    if (rows == range_.count) return OkStatus();
    return DataLossError("it has " + std::to_string(rows) + " records, the manifest says " +
                         std::to_string(range_.count));
  }

  Status CheckRecords() {
    const auto name = FileName::Parse(range_.path, format_.extension());
    MILLRACE_ASSIGN_OR_RETURN(RangeReader reader, RangeReader::Open(store_, format_, range_, range_.from, range_.to));
    while (true) {
      MILLRACE_ASSIGN_OR_RETURN(const log::Found found, reader.Next());
      if (found == log::Found::kEnd) return OkStatus();
      ++offset_;
      if (found == log::Found::kControl) continue;
      const LogRecord& record = reader.record();
      Extend(record.event_time, &least_event_, &greatest_event_);
      Extend(record.publish_time, &least_publish_, &greatest_publish_);
      if (!name || DayOf(record.publish_time) != name->day) {
        offset_ = record.offset;
        return DataLossError("the record was published at " + record.publish_time.ToString() +
                             ", which is not the day in the file's name");
      }
    }
  }

  Status CheckTimes() {
    offset_ = range_.from;
    const bool is_right = least_event_ == range_.least_event_time && greatest_event_ == range_.greatest_event_time &&
                          least_publish_ == range_.least_publish_time &&
                          greatest_publish_ == range_.greatest_publish_time;
    if (is_right) return OkStatus();
    return DataLossError("the least and greatest times of its records are not those of the manifest");
  }

  static void Extend(Timestamp time, std::optional<Timestamp>* least, std::optional<Timestamp>* greatest) {
    if (!*least || time < **least) *least = time;
    if (!*greatest || time > **greatest) *greatest = time;
  }

  ArchiveStore& store_;
  RecordFileFormat& format_;
  const ArchivedRange& range_;
  std::int64_t offset_;
  std::optional<Timestamp> least_event_;
  std::optional<Timestamp> greatest_event_;
  std::optional<Timestamp> least_publish_;
  std::optional<Timestamp> greatest_publish_;
};

// Whether the current manifest still names the file: a compaction may have replaced it while we read.
bool IsStillNamed(ArchiveStore& store, const ArchivedRange& range) {
  const StatusOr<LoadedManifest> now = LoadManifest(store);
  if (!now.ok()) return true;
  const ArchivedRange* found = now->manifest.Find(range.partition, range.from);
  return found == nullptr || found->path == range.path;
}

}  // namespace

StatusOr<ArchiveReport> VerifyArchive(ArchiveStore& store, RecordFileFormat& format,
                                      const std::function<void(const std::string& path)>& on_file) {
  ArchiveReport report;
  StatusOr<LoadedManifest> loaded = LoadManifest(store);
  if (!loaded.ok() && loaded.status().code() == StatusCode::kDataLoss) {
    report.problems.push_back({.path = "manifest", .problem = loaded.status().message()});
    return report;
  }
  if (!loaded.ok()) return loaded.status();
  if (loaded->version == 0) return NotFoundError("there is no archive in " + store.name());
  std::set<std::string_view> named;
  for (const ArchivedRange& range : loaded->manifest.ranges) {
    if (range.path.empty()) continue;
    named.insert(range.path);
    if (on_file) on_file(range.path);
    FileCheck check(store, format, range);
    const Status status = check.Run();
    if (status.code() == StatusCode::kNotFound && !IsStillNamed(store, range)) continue;
    if (!status.ok()) {
      report.problems.push_back(
          {.path = range.path, .partition = range.partition, .offset = check.offset(), .problem = status.message()});
    }
    ++report.files;
    report.records += range.count;
    report.bytes += range.bytes;
  }
  for (const SupersededFile& file : loaded->manifest.superseded) named.insert(file.path);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, store.List(""));
  for (const StoredObject& object : objects) {
    if (!named.contains(object.name)) report.unnamed.push_back(object.name);
  }
  return report;
}

}  // namespace millrace::archive
