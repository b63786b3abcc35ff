#include "cli/replay_control.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/generation_diff.h"
#include "cli/generations.h"
#include "cli/run_results.h"
#include "io/log/log_partition.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(100);
constexpr std::string_view kExpectedPrefix = "when_expected=";
// A checkpoint may have begun before the look; the one after it has not.
constexpr std::uint64_t kEpochsAfterLook = 2;

std::int64_t Sum(const log::Cut& cut) { return std::accumulate(cut.begin(), cut.end(), std::int64_t{0}); }

}  // namespace

StatusOr<PromotePolicy> PromotePolicy::Parse(const std::string& text) {
  if (text == "never") return PromotePolicy{.when = When::kNever, .expectation = {}, .text = text};
  if (text == "when_caught_up") return PromotePolicy{.when = When::kCaughtUp, .expectation = {}, .text = text};
  if (text == "when_equal") return PromotePolicy{.when = When::kEqual, .expectation = {}, .text = text};
  if (text.starts_with(kExpectedPrefix) && text.size() > kExpectedPrefix.size()) {
    return PromotePolicy{.when = When::kExpected, .expectation = text.substr(kExpectedPrefix.size()), .text = text};
  }
  return InvalidArgumentError("--promote=" + text + ": give never, when_caught_up, when_equal or when_expected=FILE");
}

ReplayControl::ReplayControl(const Invocation& invocation, const Pipeline& pipeline, std::uint64_t generation,
                             PromotePolicy policy, log::Cut cut)
    : invocation_(invocation),
      pipeline_(pipeline),
      generation_(generation),
      policy_(std::move(policy)),
      cut_(std::move(cut)) {
  status_.state = "reading";
  status_.promote = policy_.text;
  status_.cut = cut_;
  status_.positions = Sum(cut_);
}

ReplayControl::~ReplayControl() { Stop(); }

void ReplayControl::Watch(std::shared_ptr<StatusBoard> board) {
  board_ = std::move(board);
  thread_ = std::thread([this] { Loop(); });
}

void ReplayControl::Stop() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  archiver_.reset();
}

void ReplayControl::AddTo(RunStatus& status) {
  std::int64_t left = 0;
  bool is_known = false;
  for (const SourceStatus& source : status.sources) {
    for (const PartitionStatus& partition : source.partitions) {
      const auto number = detail::PartitionOf(partition.partition, invocation_.pipeline.topic);
      if (!number || *number < 0 || static_cast<std::size_t>(*number) >= cut_.size()) continue;
      is_known = true;
      const std::int64_t end = cut_[static_cast<std::size_t>(*number)];
      if (!partition.done) left += std::max<std::int64_t>(0, end - partition.position);
    }
  }
  const std::lock_guard lock(mutex_);
  if (is_known) status_.positions_read = status_.positions - left;
  status_.fraction =
      status_.positions > 0 ? static_cast<double>(status_.positions_read) / static_cast<double>(status_.positions) : 1;
  status_.left.reset();
  if (status.rate.over_10s > 0) {
    const double seconds = static_cast<double>(status_.positions - status_.positions_read) / status.rate.over_10s;
    status_.left = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
  status.replay = status_;
  if (paused_->load() && status_.state == "reading") status.replay->state = "paused";
}

void ReplayControl::AddTo(Progress& progress) {
  const std::lock_guard lock(mutex_);
  if (status_.state == "reading") progress.fraction = status_.fraction;
}

std::map<std::string, std::function<StatusOr<std::string>()>> ReplayControl::Actions() {
  const std::string name = "replay of generation " + std::to_string(generation_);
  return {{"/v1/replay/pause",
           [this, name]() -> StatusOr<std::string> {
             paused_->store(true);
             return name + " paused\n";
           }},
          {"/v1/replay/resume",
           [this, name]() -> StatusOr<std::string> {
             paused_->store(false);
             return name + " goes on\n";
           }},
          {"/v1/replay/cancel", [this, name]() -> StatusOr<std::string> {
             const StatusOr<DirectoryManifest> manifest = ReadDirectoryManifest(invocation_.pipeline.data_dir);
             if (manifest.ok() && manifest->generation == generation_) {
               return FailedPreconditionError(name + " was promoted; it is what is read now");
             }
             cancelled_.store(true);
             cancel_->store(true);
             return name + " cancelled\n";
           }}};
}

Status ReplayControl::refusal() const {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

void ReplayControl::Say(const std::string& text) const {
  std::cerr << invocation_.program + ": generation " + std::to_string(generation_) + ": " + text + "\n";
}

// Whether everything that the log held at a look is read, and what came of it is committed.
bool ReplayControl::HasCaughtUp(const RunStatus& status) {
  const std::uint64_t epoch = status.checkpoint.last_epoch.value_or(0);
  if (caught_up_in_) return epoch >= *caught_up_in_ + kEpochsAfterLook;
  bool is_known = false;
  for (const SourceStatus& source : status.sources) {
    for (const PartitionStatus& partition : source.partitions) {
      if (!partition.end) continue;
      is_known = true;
      if (!partition.done && partition.position < *partition.end) return false;
    }
  }
  if (is_known) caught_up_in_ = epoch;
  return false;
}

// Event time may be behind where all is read, as with --read_rate: then hardly any window would be compared. What it
// gives is compared when event time has come as far as that of the other had then.
bool ReplayControl::IsComparable() {
  if (policy_.when != PromotePolicy::When::kEqual && policy_.when != PromotePolicy::When::kExpected) return true;
  const std::string& data_dir = invocation_.pipeline.data_dir;
  const auto watermark_of = [&](std::uint64_t generation) {
    const auto checkpoint =
        storage::LatestCheckpoint(base::PosixFileSystem(), CheckpointsPath(GenerationFolder(data_dir, generation)));
    return checkpoint.ok() && *checkpoint ? (*checkpoint)->watermark.value_or(Timestamp::Min()) : Timestamp::Min();
  };
  if (!compared_from_) {
    const StatusOr<DirectoryManifest> manifest = ReadDirectoryManifest(data_dir);
    if (!manifest.ok() || manifest->generation == 0 || manifest->generation == generation_) return true;
    compared_from_ = watermark_of(manifest->generation);
  }
  return watermark_of(generation_) >= *compared_from_;
}

void ReplayControl::Loop() {
  while (!stop_.load()) {
    std::this_thread::sleep_for(kLookEvery);
    const std::optional<RunStatus> status = board_->Read(base::SystemClock().Now());
    if (!status || status->state != "running" || paused_->load() || !HasCaughtUp(*status) || !IsComparable()) {
      continue;
    }
    Decide();
    // From here on it is a run like any other.
    if (!cancel_->load()) {
      archiver_ = std::make_unique<TopicArchiver>(invocation_, [this](const std::string& message) {
        std::cerr << invocation_.program + ": " + message + "\n";
      });
    }
    return;
  }
}

void ReplayControl::ConcludeFinished() {
  Stop();
  const bool is_decided = [&] {
    const std::lock_guard lock(mutex_);
    return status_.state != "reading";
  }();
  if (!is_decided && !cancelled_) Decide();
}

void ReplayControl::Decide() {
  Say("caught up");
  {
    const std::lock_guard lock(mutex_);
    status_.state = "caught up";
  }
  if (policy_.when == PromotePolicy::When::kNever) return;
  const Status promoted = Promote();
  const std::lock_guard lock(mutex_);
  status_.state = promoted.ok() ? "promoted" : "refused";
  status_.refusal = promoted.message();
  refusal_ = promoted;
  if (promoted.ok()) {
    Say("promoted; it is what is read now");
  } else {
    cancel_->store(true);  // it can be gone on with
  }
}

Status ReplayControl::Promote() {
  if (policy_.when != PromotePolicy::When::kCaughtUp) MILLRACE_RETURN_IF_ERROR(CheckDifference());
  const std::string& data_dir = invocation_.pipeline.data_dir;
  Status promoted = PromoteGeneration(data_dir, generation_, base::SystemClock().Now());
  if (promoted.ok()) return promoted;
  // Somebody may have done so by hand.
  const StatusOr<DirectoryManifest> manifest = ReadDirectoryManifest(data_dir);
  return manifest.ok() && manifest->generation == generation_ ? OkStatus() : promoted;
}

Status ReplayControl::CheckDifference() {
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(invocation_.pipeline.data_dir));
  // There is nothing to differ from, or it was promoted by hand.
  if (manifest.generation == 0 || manifest.generation == generation_) return OkStatus();
  MILLRACE_ASSIGN_OR_RETURN(GenerationDiff diff,
                            GenerationDiff::Compare(invocation_, pipeline_, manifest.generation, generation_));
  MILLRACE_RETURN_IF_ERROR(diff.Print("table", policy_.when == PromotePolicy::When::kEqual, std::cerr));
  if (policy_.when == PromotePolicy::When::kEqual) {
    if (diff.IsEqual()) return OkStatus();
    return FailedPreconditionError("generation " + std::to_string(generation_) + " differs from generation " +
                                   std::to_string(manifest.generation) + " (see above), so it is not promoted");
  }
  MILLRACE_ASSIGN_OR_RETURN(const bool is_met, diff.MeetsExpectation(policy_.expectation, std::cerr));
  if (is_met) return OkStatus();
  return FailedPreconditionError("generation " + std::to_string(generation_) + " differs from generation " +
                                 std::to_string(manifest.generation) +
                                 " otherwise than expected (see above), so it is not promoted");
}

}  // namespace millrace::cli
