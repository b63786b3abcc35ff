#include "archive/compaction.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "archive/file_name.h"
#include "archive/range_reader.h"
#include "archive/range_writer.h"
#include "base/status_macros.h"

namespace millrace::archive {

namespace {

// Consecutive ranges [begin, end) of a manifest.
struct Group {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::int64_t records = 0;
  std::string day;  // empty while it has no file
};

class Grouping {
 public:
  Grouping(const Manifest& manifest, std::string_view extension, const CompactionOptions& options)
      : manifest_(manifest), extension_(extension), options_(options) {}

  std::vector<Group> Find() {
    for (std::size_t i = 0; i < manifest_.ranges.size(); ++i) {
      const ArchivedRange& range = manifest_.ranges[i];
      const std::string day = DayOfFile(range);
      if (!Fits(range, day)) {
        End();
        group_ = {.begin = i, .end = i, .files = 0, .bytes = 0, .records = 0, .day = ""};
      }
      if (!IsSmall(range)) continue;  // and the next one does not fit, as there is a gap
      group_.end = i + 1;
      group_.files += range.path.empty() ? 0 : 1;
      group_.bytes += range.bytes;
      group_.records += range.count;
      if (!day.empty()) group_.day = day;
    }
    End();
    return std::move(found_);
  }

 private:
  std::string DayOfFile(const ArchivedRange& range) const {
    const auto name = FileName::Parse(range.path, extension_);
    return name ? name->day : "";
  }
  bool IsSmall(const ArchivedRange& range) const {
    return range.path.empty() || (!DayOfFile(range).empty() && range.bytes <= options_.file_bytes_max / 2 &&
                                  range.count <= options_.file_records_max / 2);
  }
  bool Fits(const ArchivedRange& range, const std::string& day) const {
    if (group_.begin == group_.end) return false;
    const ArchivedRange& last = manifest_.ranges[group_.end - 1];
    return IsSmall(range) && last.partition == range.partition && last.to == range.from &&
           (day.empty() || group_.day.empty() || day == group_.day) &&
           group_.bytes + range.bytes <= options_.file_bytes_max &&
           group_.records + range.count <= options_.file_records_max;
  }
  void End() {
    const std::size_t ranges = group_.end - group_.begin;
    // Ranges of control records cost no rewriting, but for the one file that takes them in.
    if (ranges >= 2 && (group_.files == 0 || ranges >= options_.files_min)) found_.push_back(group_);
  }

  const Manifest& manifest_;
  const std::string_view extension_;
  const CompactionOptions options_;
  Group group_;
  std::vector<Group> found_;
};

Status CopyRange(ArchiveStore& store, RecordFileFormat& format, const ArchivedRange& range, RangeWriter& writer) {
  MILLRACE_ASSIGN_OR_RETURN(RangeReader reader, RangeReader::Open(store, format, range, range.from, range.to));
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const log::Found found, reader.Next());
    if (found == log::Found::kEnd) return OkStatus();
    if (found == log::Found::kControl) {
      MILLRACE_RETURN_IF_ERROR(writer.AddControl(reader.control()));
    } else {
      std::swap(*writer.Slot(), reader.record());
      MILLRACE_RETURN_IF_ERROR(writer.AddSlot());
    }
  }
}

}  // namespace

StatusOr<std::int64_t> CompactArchive(ArchiveSession& session, ArchiveStore& store, base::FileSystem& files,
                                      RecordFileFormat& format, const CompactionOptions& options) {
  MILLRACE_RETURN_IF_ERROR(session.Recover());
  std::vector<Group> groups = Grouping(session.manifest(), format.extension(), options).Find();
  std::int64_t replaced = 0;
  while (!groups.empty()) {  // from the end, so that the places of those before do not change
    const Group group = std::move(groups.back());
    groups.pop_back();
    Manifest next = session.manifest();
    const auto begin = next.ranges.begin() + static_cast<std::ptrdiff_t>(group.begin);
    const auto end = next.ranges.begin() + static_cast<std::ptrdiff_t>(group.end);
    RangeWriter writer(session, files, format, {}, begin->partition, begin->from);
    for (auto range = begin; range != end; ++range) MILLRACE_RETURN_IF_ERROR(CopyRange(store, format, *range, writer));
    MILLRACE_RETURN_IF_ERROR(writer.Finish());
    std::vector<ArchivedRange> merged = writer.TakeRanges();
    if (merged.size() != 1 || merged[0].count != group.records) {
      return DataLossError("archive " + store.name() + ": file " + begin->path +
                           " and those behind it do not merge into one; verify the archive");
    }
    for (auto range = begin; range != end; ++range) {
      if (!range->path.empty()) next.superseded.push_back({.path = range->path, .at = session.Now()});
    }
    next.ranges.erase(begin, end);
    next.Add(std::move(merged[0]));
    MILLRACE_RETURN_IF_ERROR(session.Commit(std::move(next)));
    replaced += static_cast<std::int64_t>(group.files);
  }
  return replaced;
}

}  // namespace millrace::archive
