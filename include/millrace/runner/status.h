// What a running pipeline is doing, as plain structs: how far it has read, how far event time has come and who holds it
// back, what it keeps, its checkpoints. All have a schema, so `json::Write(status)` is the text of /v1/status.
//
// A runner publishes facts on a `StatusBoard` about every 200 ms; others add what they know (`StatusBoard::Add`: the
// ends of a log, what is archived, what a sink has committed); a server reads. What follows from the facts (rates,
// lags, the chain of holds) is computed when they are read, once and for all runners.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/metrics.h"
#include "millrace/core/timestamp.h"

namespace millrace {

/// Per second, over the last 10 and the last 60 seconds, or over the run where it is younger. Derived.
struct RateStatus {
  double over_10s = 0;
  double over_60s = 0;
};

/// One partition of a source. Positions are the source's: offsets of a log, rows of a file. Runner, but where noted.
struct PartitionStatus {
  std::string partition = {};                         // as the restriction names it
  std::int64_t position = 0;                          // the next one to be read
  std::optional<std::int64_t> end = {};               // one behind the last that there is; where known. May be added
  std::optional<std::int64_t> landed = {};            // those before it are durable in the log. Added
  std::optional<std::int64_t> archived_through = {};  // those before it are in the archive. Added
  std::optional<std::int64_t> lag = {};               // positions between `position` and `end`. Derived
  Timestamp watermark = Timestamp::Min();
  std::int64_t elements_read = 0;
  std::optional<std::int64_t> last_position = {};  // of the last record that was read
  std::optional<Timestamp> last_event_time = {};   // of that record
  std::optional<Timestamp> last_read_at = {};      // processing time
  bool idle = false;                               // it has stepped aside: it does not hold the watermark back
  bool done = false;                               // read to its end
};

/// One source. Runner.
struct SourceStatus {
  std::string label = {};
  std::vector<PartitionStatus> partitions = {};
  std::int64_t elements_read = 0;
  std::int64_t bad_records = 0;
  Timestamp watermark = Timestamp::Min();
  RateStatus rate = {};  // of elements read. Derived
};

/// A window by its bounds; the end is exclusive.
struct WindowStatus {
  Timestamp start = {};
  Timestamp end = {};
};

/// One step that elements pass through, sources and views included. Runner.
struct StepStatus {
  std::string label = {};
  std::string kind = {};   // the transform: "Read", "ParDo", "CombinePerKey", "View"
  std::int32_t stage = 0;  // steps of one stage are fused: they run in one thread without a queue between them
  std::vector<std::string> inputs = {};  // the labels of the steps that feed it; empty for a source
  Timestamp input_watermark = Timestamp::Min();
  Timestamp output_watermark = Timestamp::Min();
  std::string held_by = {};  // why the output is behind the input: "timer gc", "open window", "bundle"; else empty
  std::int64_t elements_in = 0;
  std::int64_t elements_out = 0;  // of all outputs
  std::int64_t late_dropped = 0;  // (element, window) pairs that came after the allowed lateness
  std::uint64_t state_bytes = 0;
  std::int64_t open_windows = 0;
  std::optional<WindowStatus> oldest_open_window = {};
  RateStatus rate = {};      // of elements out. Derived
  StepMetrics metrics = {};  // the user's own counters, distributions and gauges
};

/// One link of the chain that says why a window is open, from the step to the record: see `HoldsOf`.
struct HoldStatus {
  std::string what = {};                   // "step", "source", "partition", "record"
  std::string name = {};                   // the label, the partition, or "offset 12345"
  Timestamp watermark = Timestamp::Min();  // of a record: its event time
  std::string why = {};                    // in a few words: "its state", "waits for input", "read 2 s ago"
};

/// The checkpoints of the run. Runner, but `age`.
struct CheckpointStatus {
  std::optional<std::uint64_t> last_epoch = {};  // of the last one that was committed
  std::optional<Timestamp> at = {};              // when it was
  std::optional<Duration> age = {};              // derived
  Duration interval{0};                          // 0: none are made
  Duration duration{0};                          // of the last one, from the barrier to the commit
  std::uint64_t bytes = 0;                       // that the last one wrote
  std::uint64_t state_bytes = 0;                 // that it refers to, those of earlier ones included
  std::int64_t committed = 0;                    // since the start of the process
  std::int64_t failed = 0;
  std::string last_failure = {};
  std::optional<std::uint64_t> restored_epoch = {};  // that the run began from
};

/// How many dead letters one step has sent to one name. Runner.
struct DeadLetterStatus {
  std::string name = {};
  std::string step = {};
  std::int64_t count = 0;
};

/// One view. Runner, but what is committed, which the sink adds.
struct ViewStatus {
  std::string name = {};
  std::string step = {};  // the label
  std::int64_t cells_written = 0;
  Timestamp complete_through = Timestamp::Min();      // the watermark that has reached it
  std::optional<std::uint64_t> committed_epoch = {};  // readers see what belongs to this epoch and those before
  std::optional<Timestamp> committed_at = {};
};

/// How far a replay has come. Added by who replays.
struct ReplayStatus {
  std::string state =
      {};  // "reading", "paused", "caught up" (what there was when it looked last), "promoted", "refused"
  std::string promote = {};            // when it is promoted, as `--promote` says it
  std::int64_t positions = 0;          // of all partitions together, up to the cut: the log's end at the start
  std::int64_t positions_read = 0;     // of them
  double fraction = 0;                 // of them, from 0 to 1
  std::optional<Duration> left = {};   // until the cut is reached, at the rate of the last 10 seconds
  std::vector<std::int64_t> cut = {};  // by partition
  std::string refusal = {};            // why it was not promoted
};

/// A pipeline that runs.
struct RunStatus {
  std::string job = {};
  std::uint64_t generation = 0;  // 0: nothing is kept
  std::uint64_t attempt = 0;     // rises with each restore
  std::string mode = {};         // "streaming" or "batch"
  std::string state = {};        // "starting", "running", "draining", "stopping", "done", "cancelled" or "failed"
  std::string failure = {};      // of the state "failed"
  Timestamp started_at = {};     // processing time, as all that follow
  Timestamp now = {};            // of the facts; the server sets `age`
  Duration age{0};               // of the facts when they were read. Derived
  std::int32_t threads = 0;
  std::int64_t elements_read = 0;          // of all sources
  RateStatus rate = {};                    // of elements read. Derived
  Timestamp watermark = Timestamp::Min();  // the least of all steps' outputs. Derived where it is Min()
  std::vector<HoldStatus> holds = {};      // why it is not later. Derived
  std::vector<SourceStatus> sources = {};
  std::vector<StepStatus> steps = {};  // in the order of the graph
  std::uint64_t state_bytes = 0;       // of all steps. Derived
  CheckpointStatus checkpoint = {};
  std::vector<DeadLetterStatus> dead_letters = {};
  std::vector<ViewStatus> views = {};
  std::optional<ReplayStatus> replay = {};
};

/// Why the watermark behind the step `label` is not later: the step, then whatever feeds it and is furthest behind,
/// down to a source, its partition, and the last record that was read there. Ends at the first step that holds the
/// watermark back itself. Empty where there is no such step.
std::vector<HoldStatus> HoldsOf(const RunStatus& status, std::string_view label);

/// "stage <- operator <- partition <- last record" in a line: "Count <- Read <- flights/2 <- offset 17 at ...".
std::string HoldsText(const std::vector<HoldStatus>& holds);

/// Where the status of a run is published and read. Thread safe.
class StatusBoard {
 public:
  /// Replaces what was published before. The runner gives facts only; see the comments of the fields.
  void Publish(RunStatus facts);

  /// `add` completes the facts with what the runner does not know. It is called within `Read`, on the reader's thread
  /// and by one thread at a time, and must not call the board. Remove it before what it refers to ends.
  int Add(std::function<void(RunStatus&)> add);
  void Remove(int added);

  /// What was published last, with everything derived as of `now`; nothing before the first `Publish`.
  std::optional<RunStatus> Read(Timestamp now) const;

 private:
  // What rates are computed from, about one per second of the last minute.
  struct Sample {
    Timestamp at;
    std::int64_t elements_read = 0;
    std::map<std::string, std::int64_t, std::less<>> sources;  // elements read, by label
    std::map<std::string, std::int64_t, std::less<>> steps;    // elements out, by label
  };
  void Derive(RunStatus& status) const;

  mutable std::mutex mutex_;  // guards what follows
  std::optional<RunStatus> facts_;
  std::deque<Sample> samples_;
  mutable std::mutex adding_;  // taken before mutex_; held while additions run
  std::map<int, std::function<void(RunStatus&)>> additions_;
  int next_addition_ = 0;
};

}  // namespace millrace
