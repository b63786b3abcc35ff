// The event log as a source: records that producers append, in partitions, kept in order and read again from any
// offset.
//
//   auto records = pipeline | "Clicks" >> log::Read({.folder = "data/log", .topic = "clicks", .max_disorder = 10s});
//   auto clicks = records | "Parse" >> Map([](const LogRecord& record) { return Parse(record.data); });
//
// In batch mode the source reads what the log holds when the run starts. In streaming mode it goes on without end, or,
// with `until_closed`, until every partition is closed. Each partition is one restriction named "<topic>/<partition>";
// its positions are offsets, so reading goes on exactly where a checkpoint says. Control records take an offset each
// but are no elements.
//
// A partition's watermark is its greatest event time less `max_disorder`, or what the last control record says if that
// is later; without `max_disorder` it is what control records say alone. A partition without new records for
// `idle_after` steps aside: its watermark follows the least one of the partitions that are not idle, as far as this
// process reads them. When all are idle, none moves: only new records or a control record advance time. What an idle
// partition brings when it returns may be late. A closed partition's watermark is `Timestamp::Max()`.
//
// Errors end the run: DATA_LOSS names the file and the position of what is damaged; OUT_OF_RANGE says that retention
// has removed the wanted offset, or that the log ends before it (the policy `os` and a power cut).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/pipeline.h"
#include "millrace/core/source.h"
#include "millrace/core/timestamp.h"

namespace millrace {

/// What the log holds: the element of `log::Read`.
struct LogRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;      // in the partition, from 0, dense over records and control records
  Timestamp publish_time = {};  // when the log took it; never falls within a partition
  Timestamp event_time = {};
  std::string key = {};
  std::map<std::string, std::string> attributes = {};
  std::string data = {};
};

namespace log {

/// What is read of a topic, and how time advances.
struct ReadOptions {
  /// Holds the topics, each in a folder of its name.
  std::string folder = {};
  std::string topic = {};
  /// Records of one partition are at most this much out of order in event time; nothing: control records alone advance
  /// the watermark.
  std::optional<Duration> max_disorder = std::nullopt;
  /// A partition that has had nothing new for this long steps aside.
  Duration idle_after = std::chrono::seconds(30);
  /// In streaming mode: end when each partition has been closed by a control record.
  bool until_closed = false;
  /// A cut, the first offset of each partition; empty: what the log still holds.
  std::vector<std::int64_t> from = {};
  /// A cut, where reading ends in either mode: the offset after the last one of each partition; empty: no cut.
  std::vector<std::int64_t> to = {};
  /// How long the source waits when it has read everything.
  Duration poll_interval = std::chrono::milliseconds(2);
  /// While a run has checkpoints, the log keeps what the oldest of them has still to read, in the name of this
  /// consumer (and of the run's `CheckpointOptions::reader`, behind a hyphen). Runs that read one topic independently
  /// of each other need names of their own.
  std::string consumer = "run";
};

}  // namespace log

namespace base {
class FileSystem;
}

namespace detail {

class LogPartitionReading;
class LogWatermarks;
std::shared_ptr<LogWatermarks> MakeLogWatermarks();

/// The source behind `log::Read`.
struct LogSource {
  using Element = LogRecord;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions& split) const;
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                     SourceOutput<LogRecord>& out);
  Status Retain(const std::vector<Restriction>& unfinished, const std::string& reader) const;

  log::ReadOptions options;
  base::FileSystem* files = nullptr;             // nothing: the machine's
  std::shared_ptr<LogWatermarks> watermarks;     // of the partitions that this process reads
  std::shared_ptr<LogPartitionReading> reading;  // the copy's own, made when it first reads
};

struct LogReadTransform : TransformBase {
  explicit LogReadTransform(log::ReadOptions read) : options(std::move(read)) {}
  std::string DefaultLabel() const { return "LogRead"; }
  PCollection<LogRecord> Expand(Pipeline& pipeline) const;

  log::ReadOptions options;
  base::FileSystem* files = nullptr;  // for simulations; nothing: the machine's
};

}  // namespace detail

namespace log {

/// Reads a topic of the event log. The topic exists when the run starts.
inline auto Read(ReadOptions options) { return detail::LogReadTransform(std::move(options)); }

}  // namespace log

}  // namespace millrace
