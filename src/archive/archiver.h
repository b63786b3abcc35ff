// Turns what is closed of a topic's log into files of the archive, exactly once across crashes, and moves the archive's
// hold on the log.
//
//   auto archiver = Archiver::Open({.log_folder = "data/log", .topic = "flights", .store = store});
//   while (...) { archiver->ArchiveClosed(); archiver->Compact(); archiver->RemoveSuperseded(); }
//
// What is closed: records in segments that the log no longer writes to; records published `archive_after` ago or
// earlier; everything in a partition that a control record has closed; and everything there is, when that is asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/compaction.h"
#include "archive/range_writer.h"
#include "archive/record_file.h"
#include "archive/session.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "log/log_reader.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

struct ArchiverOptions {
  std::string log_folder = {};  // holds the topics
  std::string topic = {};
  std::shared_ptr<ArchiveStore> store = nullptr;  // of this topic
  /// Records older than this are archived though their segment is not closed; nothing: closed segments only.
  std::optional<Duration> archive_after = std::chrono::minutes(10);
  /// A file ends at so many records, or bytes of keys, attributes and data.
  RangeLimits file_limits = {.records_max = 2'000'000, .bytes_max = std::int64_t{128} << 20};
  CompactionOptions compaction = {};
  /// How long files that a compaction has replaced stay for readers of older manifests.
  Duration grace = std::chrono::hours(1);
  /// Who writes, for people who read the manifest.
  std::string written_by = "a Millrace program";
  // Nothing: those of the machine, and Parquet.
  base::FileSystem* files = nullptr;
  const base::WallClock* clock = nullptr;
  RecordFileFormat* format = nullptr;
};

/// What one call of `ArchiveClosed` has done.
struct ArchiveRound {
  std::int64_t records = 0;
  std::int64_t controls = 0;
  std::int64_t files = 0;
  std::uint64_t bytes = 0;  // of the files
};

/// One thread at a time; a process has at most one of an archive. ABORTED from any call says that another one has taken
/// the archive over: give this one up. After other errors the call may be repeated: nothing is half done.
class Archiver {
 public:
  /// Takes the archive over, making it if there is none. NOT_FOUND: no such topic; FAILED_PRECONDITION: an archive of
  /// another topic; DATA_LOSS: a damaged manifest, or the log no longer has what was not archived yet.
  static StatusOr<std::unique_ptr<Archiver>> Open(ArchiverOptions options);

  /// Archives what is closed, or with `everything` all that readers of the log see. RESOURCE_EXHAUSTED: the disk is
  /// full; ranges that were committed before are archived, and nothing else is left.
  StatusOr<ArchiveRound> ArchiveClosed(bool everything = false);
  /// Merges small files. Gives the number of files that were replaced.
  StatusOr<std::int64_t> Compact();
  /// Removes replaced files whose grace is over; gives their number.
  StatusOr<std::int64_t> RemoveSuperseded() { return session_->RemoveSuperseded(options_.grace); }

  /// What the archive holds.
  const Manifest& manifest() const { return session_->manifest(); }
  std::int64_t orphans_removed() const { return session_->orphans_removed(); }
  /// The ends of what is archived, the same as `manifest().Cut()` but for partitions without an archive, which are
  /// where their log begins.
  StatusOr<log::Cut> ArchivedThrough() const;

 private:
  Archiver(ArchiverOptions options, std::unique_ptr<log::LogReader> reader)
      : options_(std::move(options)), reader_(std::move(reader)) {}

  StatusOr<ArchiveRound> Round(bool everything);
  StatusOr<std::int64_t> ClosedEnd(std::int32_t partition, bool everything) const;
  StatusOr<std::int64_t> ArchivedEnd(std::int32_t partition) const;
  Status ArchivePartition(std::int32_t partition, std::int64_t to, ArchiveRound* round);
  Status CommitRanges(RangeWriter& writer, ArchiveRound* round);
  Status MoveHold();

  ArchiverOptions options_;
  std::unique_ptr<log::LogReader> reader_;
  std::unique_ptr<ArchiveSession> session_;
  log::Cut held_;
};

/// How `RunArchiver` goes on.
struct RunArchiverOptions {
  Duration interval = std::chrono::seconds(5);
  /// Told of each round that did something, and of errors that will be tried again.
  std::function<void(const ArchiveRound&)> on_round = nullptr;
  std::function<void(const Status&)> on_retry = nullptr;
};

/// Archives, compacts and removes until `stop` is set; then returns OK. Errors that may pass (RESOURCE_EXHAUSTED,
/// UNAVAILABLE) are reported and tried again at the next interval; all others are returned.
Status RunArchiver(Archiver& archiver, const std::atomic<bool>& stop, const RunArchiverOptions& options = {});

}  // namespace millrace::archive
