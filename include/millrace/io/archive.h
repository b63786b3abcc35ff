// The archive and the log behind it as one source: a topic from its beginning, from a cut or from a time, exactly.
//
//   auto records = pipeline | "Clicks" >> archive::Read({.folder = "data/archive", .log_folder = "data/log",
//                                                        .topic = "clicks", .max_disorder = 10s});
//
// Each partition is read from the archive's files as far as one version of the manifest goes, and from there on at
// exactly the next offset from the log: no record twice and none missed, also when an archiver goes on meanwhile, when
// files are compacted, or when the log's retention removes what has been archived. Positions are offsets and
// restrictions are named as those of `log::Read`, so a checkpoint of either can be continued by the other.
//
// In batch mode it ends at a cut (`to`, or what is there when the run starts) and reads several files of a partition at
// once. In streaming mode each partition is read in order and then goes on live, as `log::Read` does.
//
// The watermark of a partition: while files of the archive are unread, the smallest least event time of these, so
// nothing in the archive is late; but no more than what the live estimate is at the cut (greatest event time less
// `max_disorder`, or the last control record), so that nothing behind the cut is dropped that a live run would have
// taken. At the cut it is that estimate. Without `max_disorder` and control records it therefore stays at the beginning
// of time, as it does live.
//
// Errors end the run: DATA_LOSS names a damaged or missing file, or the partition and offset of what is neither in the
// archive nor in the log; NOT_FOUND: there is no such topic; INVALID_ARGUMENT: a cut that does not fit the topic;
// OUT_OF_RANGE: a cut outside of what is there.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/pipeline.h"
#include "millrace/core/source.h"
#include "millrace/core/timestamp.h"
#include "millrace/io/archive_store.h"
#include "millrace/io/log.h"

namespace millrace {

namespace archive {

/// What is read of a topic, and how time advances.
struct ReadOptions {
  /// Holds the archives of topics, each in a folder of its name.
  std::string folder = {};
  /// Instead of `folder`: where the archive of this topic is.
  std::shared_ptr<ArchiveStore> store = nullptr;
  /// Holds the topics of the log. Empty: the archive alone, which then needs batch mode or `to`.
  std::string log_folder = {};
  std::string topic = {};
  /// As `log::ReadOptions::max_disorder`.
  std::optional<Duration> max_disorder = std::nullopt;
  /// A cut, the first offset of each partition; empty: the beginning of the archive.
  std::vector<std::int64_t> from = {};
  /// A cut, where reading ends in either mode: the offset after the last one of each partition; empty: no cut.
  std::vector<std::int64_t> to = {};
  /// Only records with this event time or a later one. Files and row groups without any are not read.
  std::optional<Timestamp> from_time = std::nullopt;
  /// Only records with an earlier event time, files as above; reading then ends at what the log holds when the run
  /// starts.
  std::optional<Timestamp> to_time = std::nullopt;
  // Behind the archive, as in `log::ReadOptions`.
  Duration idle_after = std::chrono::seconds(30);
  bool until_closed = false;
  Duration poll_interval = std::chrono::milliseconds(2);
};

}  // namespace archive

namespace detail {

class ArchiveInput;
class ArchivePartitionReading;

/// The source behind `archive::Read`, without the exact filter of `from_time` and `to_time`.
struct ArchiveSource {
  using Element = LogRecord;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions& split) const;
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                     SourceOutput<LogRecord>& out);

  archive::ReadOptions options;
  LogSource log;                                     // behind the archive
  std::shared_ptr<ArchiveInput> input;               // shared by all copies
  std::shared_ptr<ArchivePartitionReading> reading;  // the copy's own, made when it first reads
};

struct ArchiveReadTransform : TransformBase {
  explicit ArchiveReadTransform(archive::ReadOptions read) : options(std::move(read)) {}
  std::string DefaultLabel() const { return "ArchiveRead"; }
  PCollection<LogRecord> Expand(Pipeline& pipeline) const;

  archive::ReadOptions options;
};

}  // namespace detail

namespace archive {

/// Reads a topic from its archive and then from its log.
inline auto Read(ReadOptions options) { return detail::ArchiveReadTransform(std::move(options)); }

}  // namespace archive

}  // namespace millrace
