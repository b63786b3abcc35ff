#include "runner/native/checkpointer.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "millrace/detail/state_coder.h"
#include "storage/ledger_section.h"

namespace millrace::native {

namespace {

// A state is written wholly again when what has been added to it outweighs it, or consists of too many parts.
constexpr std::uint64_t kDeltaBytesMin = 4 << 20;
constexpr std::size_t kSectionsMax = 32;
constexpr auto kAlignPoll = std::chrono::milliseconds(5);
constexpr const char* kSinkNames[] = {"views", "dead_letters"};

Timestamp Now() { return base::SystemClock().Now(); }

std::vector<EpochSink*> SinksOf(const exec::PlanSinks& sinks) {
  return {static_cast<EpochSink*>(sinks.views), static_cast<EpochSink*>(sinks.dead_letters)};
}

storage::Chunks Shareable(std::vector<std::string> chunks) {
  storage::Chunks shared;
  for (std::string& chunk : chunks) shared.push_back(std::make_shared<const std::string>(std::move(chunk)));
  return shared;
}

}  // namespace

StatusOr<std::unique_ptr<Checkpointer>> Checkpointer::Open(const CheckpointOptions& options, const exec::Plan& plan,
                                                           bool streaming, const exec::PlanSinks& sinks) {
  if (options.folder.empty()) return InvalidArgumentError("checkpoints need a folder");
  if (options.interval <= Duration(0)) return InvalidArgumentError("the interval of checkpoints must be positive");
  MILLRACE_ASSIGN_OR_RETURN(
      storage::CheckpointStore store,
      storage::CheckpointStore::Open(FilesOf(options), options.folder,
                                     {.keep = static_cast<std::size_t>(std::max(1, options.keep))}));
  std::unique_ptr<Checkpointer> checkpointer(new Checkpointer(options, plan, streaming, sinks, std::move(store)));
  MILLRACE_ASSIGN_OR_RETURN(checkpointer->restored_, RestoredCheckpoint::Find(options));
  checkpointer->attempt_ = options.attempt;
  if (options.attempt == 0) {
    MILLRACE_ASSIGN_OR_RETURN(checkpointer->attempt_, checkpointer->store_.BeginAttempt());
  }
  checkpointer->status_.interval = options.interval;
  if (checkpointer->restored_) {
    const storage::CheckpointManifest& manifest = checkpointer->restored_->manifest();
    checkpointer->status_.restored_epoch = manifest.epoch;
    if (checkpointer->restored_->is_own()) {
      checkpointer->store_.ContinueFrom(manifest);
      checkpointer->kept_.push_back(manifest.sources);
    } else {
      checkpointer->store_.BeginAfter(manifest.epoch);
    }
  }
  return checkpointer;
}

Checkpointer::~Checkpointer() { Stop(); }

std::optional<std::vector<Restriction>> Checkpointer::RestrictionsOf(const std::string& label) const {
  return restored_ ? restored_->RestrictionsOf(label) : std::nullopt;
}

StatusOr<Beginnings> Checkpointer::BeginningsOf(const std::string& label) const {
  return restored_ ? restored_->BeginningsOf(label) : Beginnings();
}

std::uint64_t Checkpointer::RestrictionsInAll(const std::string& label) const {
  const storage::SourcePosition* source = restored_ ? restored_->manifest().FindSource(label) : nullptr;
  return source == nullptr ? 0 : source->total;
}

StepMetrics Checkpointer::MetricsBefore(const std::string& label) const {
  if (!restored_) return {};
  const auto found = restored_->manifest().metrics.find(label);
  return found == restored_->manifest().metrics.end() ? StepMetrics() : found->second;
}

Status Checkpointer::RestoreSinks() {
  const std::vector<EpochSink*> sinks = SinksOf(sinks_);
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    if (sinks[i] == nullptr) continue;
    std::string batch;
    if (restored_) {
      MILLRACE_ASSIGN_OR_RETURN(batch, restored_->BatchOf(kSinkNames[i]));
    }
    const std::uint64_t epoch = restored_ ? restored_->manifest().epoch : 0;
    MILLRACE_RETURN_IF_ERROR(sinks[i]->Restore(epoch, batch, attempt_).WithContext(kSinkNames[i]));
  }
  return OkStatus();
}

StatusOr<std::vector<exec::RestoredNode>> Checkpointer::Restored(const exec::WorkerGraph& graph) {
  std::string problems;
  for (int node = 0; node < graph.size(); ++node) {
    states_.push_back(graph.StatesOf(node));
    for (const detail::StateDescription& state : states_.back()) {
      if (state.problem.empty()) continue;
      problems += "\n  " + plan_.nodes[static_cast<std::size_t>(node)].label + ", " + state.name + ": " + state.problem;
    }
  }
  if (!problems.empty()) return UnimplementedError("this pipeline cannot take checkpoints:" + problems);
  std::vector<exec::RestoredNode> nodes;
  if (restored_) {
    if (!options_.allow_lost_state) MILLRACE_RETURN_IF_ERROR(restored_->CheckFit(plan_, states_, streaming_));
    MILLRACE_ASSIGN_OR_RETURN(nodes, restored_->Nodes(plan_, states_));
    MILLRACE_ASSIGN_OR_RETURN(Ledger ledger, restored_->LedgerBefore());
    book_.Restore(std::move(ledger));
  }
  // Only now: a checkpoint that is refused has changed nothing.
  MILLRACE_RETURN_IF_ERROR(RestoreSinks());
  return nodes;
}

void Checkpointer::RestoreDone() {
  shared_->restored.clear();
  const std::lock_guard lock(mutex_);
  ready_ = true;
  changed_.notify_all();
}

void Checkpointer::Start(Shared& shared, const std::vector<std::unique_ptr<Worker>>& workers) {
  shared_ = &shared;
  for (const auto& worker : workers) workers_.push_back(worker.get());
  snapshots_.resize(workers.size());
  shared.hooks = this;
  for (EpochSink* sink : SinksOf(sinks_)) {
    if (sink == nullptr) continue;
    sink->OnPressure([this] {
      const std::lock_guard lock(mutex_);
      wanted_ = true;
      changed_.notify_all();
    });
  }
  thread_ = std::thread([this] { Loop(); });
}

void Checkpointer::Loop() {
  auto due = std::chrono::steady_clock::now() + options_.interval;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!ready_ || (!wanted_ && std::chrono::steady_clock::now() < due)) {
      ready_ ? static_cast<void>(changed_.wait_until(lock, due)) : changed_.wait(lock);
      continue;
    }
    wanted_ = false;
    due = std::chrono::steady_clock::now() + options_.interval;
    lock.unlock();
    Status outcome = Take();
    lock.lock();
    last_outcome_ = std::move(outcome);
    ++rounds_;
    changed_.notify_all();
  }
}

Status Checkpointer::TakeNow() {
  std::unique_lock lock(mutex_);
  // One that is being taken may have passed its barrier already.
  for (int round = 0; round < 2; ++round) {
    const std::uint64_t before = rounds_;
    wanted_ = true;
    changed_.notify_all();
    while (rounds_ == before) {
      if (stopping_ || shared_->state.ended()) return CancelledError("the run has come to its end");
      changed_.wait_for(lock, kAlignPoll);
    }
  }
  return last_outcome_;
}

void Checkpointer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// One checkpoint. An error of the disk costs this checkpoint; any other ends the run.
Status Checkpointer::Take() {
  DecideFull();
  if (!Align()) return CancelledError("the run has come to its end");
  const Status written = Write(Contents());
  if (!written.ok() && written.code() != StatusCode::kResourceExhausted) shared_->state.Fail(written);
  return written;
}

void Checkpointer::DecideFull() {
  full_.assign(plan_.nodes.size(), write_all_);
  for (std::size_t node = 0; node < states_.size(); ++node) {
    for (const detail::StateDescription& state : states_[node]) {
      const storage::ChainSize size = store_.ChainSizeOf(
          storage::DescribeState(plan_.nodes[node].label, plan_.nodes[node].kind, state.name, state.layout));
      const bool outweighed = size.delta_bytes > 2 * std::max(size.full_bytes, kDeltaBytesMin);
      if (size.sections == 0 || size.sections >= kSectionsMax || outweighed) full_[node] = true;
    }
  }
}

// False if the run ends before all workers have come.
bool Checkpointer::Align() {
  if (shared_->state.ended() || shared_->barrier.deserted()) return false;
  created_at_ = Now();
  epoch_ = store_.next_epoch();
  aligned_ = false;
  shared_->barrier.Request();
  std::unique_lock lock(mutex_);
  while (!aligned_) {
    changed_.wait_for(lock, kAlignPoll);
    if (!aligned_ && (shared_->state.ended() || shared_->barrier.deserted())) return false;
  }
  return true;
}

// What was read before a checkpoint that failed is safe only with the next.
void Checkpointer::Add(int worker, exec::WorkerSnapshot snapshot) {
  exec::WorkerSnapshot& own = snapshots_[static_cast<std::size_t>(worker)];
  for (std::size_t node = 0; node < own.nodes.size(); ++node) {
    std::vector<Restriction>& read = snapshot.nodes[node].read;
    read.insert(read.begin(), own.nodes[node].read.begin(), own.nodes[node].read.end());
  }
  own = std::move(snapshot);
}

Status Checkpointer::Complete() {
  MILLRACE_RETURN_IF_ERROR(SnapshotSinks());
  // What no worker has claimed counts as worker 0's.
  for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
    if (!plan_.nodes[node].is_source) continue;
    for (Restriction& pending : shared_->restrictions[node]->Pending()) {
      snapshots_[0].nodes[node].unfinished.push_back(std::move(pending));
    }
  }
  const std::lock_guard lock(mutex_);
  aligned_ = true;
  changed_.notify_all();
  return OkStatus();
}

Status Checkpointer::SnapshotSinks() {
  batches_.clear();
  for (EpochSink* sink : SinksOf(sinks_)) {
    batches_.emplace_back();
    if (sink == nullptr) continue;
    MILLRACE_ASSIGN_OR_RETURN(batches_.back(), sink->Snapshot(epoch_));
  }
  return OkStatus();
}

storage::CheckpointContents Checkpointer::Header() const {
  storage::CheckpointContents contents;
  contents.generation = options_.generation;
  contents.epoch = epoch_;
  contents.attempt = attempt_;
  contents.job_name = options_.job_name;
  contents.mode = streaming_ ? "streaming" : "batch";
  contents.created_at = created_at_;
  for (std::size_t i = 0; i < batches_.size(); ++i) contents.sinks.push_back({kSinkNames[i], batches_[i]});
  return contents;
}

storage::CheckpointContents Checkpointer::Contents() {
  storage::CheckpointContents contents = Header();
  Timestamp watermark = Timestamp::Max();
  for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
    AddStates(node, &contents);
    if (plan_.nodes[node].is_source) AddSource(node, &contents);
    StepMetrics& metrics = contents.metrics[plan_.nodes[node].label] = MetricsBefore(plan_.nodes[node].label);
    for (const exec::WorkerSnapshot& snapshot : snapshots_) {
      metrics.Add(snapshot.nodes[node].metrics);
      if (plan_.nodes[node].is_source) watermark = std::min(watermark, snapshot.nodes[node].output_watermark);
    }
  }
  contents.watermark = watermark;
  LedgerReading reading;
  for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
    LedgerReading::Node& of = reading.nodes.emplace_back();
    for (exec::WorkerSnapshot& snapshot : snapshots_) {
      AddToReading(snapshot.nodes[node].ledger, std::exchange(snapshot.nodes[node].covered, {}), &of);
    }
  }
  AddLedger(std::move(reading), false, &contents);
  AddWatermarks(&contents);
  contents.duration = Now() - created_at_;
  return contents;
}

void Checkpointer::AddStates(std::size_t node, storage::CheckpointContents* contents) {
  const exec::PlanNode& planned = plan_.nodes[node];
  for (std::size_t i = 0; i < states_[node].size(); ++i) {
    const detail::StateDescription& state = states_[node][i];
    storage::StateContents state_contents{
        .description = storage::DescribeState(planned.label, planned.kind, state.name, state.layout), .sections = {}};
    storage::NewSection section{.full = full_[node] || state.always_full};
    for (exec::WorkerSnapshot& snapshot : snapshots_) {
      exec::WrittenState& written = snapshot.nodes[node].states[i];
      std::move(written.sources.begin(), written.sources.end(), std::back_inserter(section.sources));
      storage::Chunks chunks = Shareable(std::move(written.chunks));
      section.chunks.insert(section.chunks.end(), chunks.begin(), chunks.end());
    }
    if (section.full || !section.empty()) state_contents.sections.push_back(std::move(section));
    contents->states.push_back(std::move(state_contents));
  }
}

void Checkpointer::AddSource(std::size_t node, storage::CheckpointContents* contents) const {
  storage::SourcePosition source{
      .step = plan_.nodes[node].label, .unfinished = {}, .finished = 0, .total = shared_->restrictions[node]->total()};
  for (const exec::WorkerSnapshot& snapshot : snapshots_) {
    for (const Restriction& left : snapshot.nodes[node].unfinished) {
      source.unfinished.push_back({.partition = left.partition,
                                   .from = left.from,
                                   .to = left.to,
                                   .least_event_time = left.least_event_time,
                                   .watermark = left.least_event_time});
    }
  }
  source.finished = source.total - std::min<std::uint64_t>(source.total, source.unfinished.size());
  contents->sources.push_back(std::move(source));
}

void Checkpointer::AddWatermarks(storage::CheckpointContents* contents) const {
  std::vector<NodeWatermarks> watermarks;
  for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
    NodeWatermarks of{plan_.nodes[node].label, Timestamp::Max(), Timestamp::Max()};
    for (const exec::WorkerSnapshot& snapshot : snapshots_) {
      if (snapshot.nodes.empty()) continue;  // of the end of the run
      of.input = std::min(of.input, snapshot.nodes[node].input_watermark);
      of.output = std::min(of.output, snapshot.nodes[node].output_watermark);
    }
    watermarks.push_back(std::move(of));
  }
  std::string bytes;
  detail::AppendState(watermarks, &bytes);
  contents->states.push_back({.description = DescribeStates(plan_, {}).back(),
                              .sections = {{.full = true, .chunks = Shareable({std::move(bytes)})}}});
}

void Checkpointer::AddLedger(LedgerReading reading, bool is_end, storage::CheckpointContents* contents) {
  const LedgerEpoch head{.first_epoch = epoch_,
                         .epoch = epoch_,
                         .attempt = attempt_,
                         .written_at = created_at_,
                         .is_end = is_end,
                         .sources = {},
                         .steps = {}};
  contents->states.push_back(storage::LedgerContents(book_.Close(head, std::move(reading))));
}

Status Checkpointer::Write(const storage::CheckpointContents& contents) {
  StatusOr<storage::CheckpointManifest> manifest = store_.Write(contents);
  {
    const std::lock_guard lock(mutex_);
    if (!manifest.ok()) {
      ++status_.failed;
      status_.last_failure = manifest.status().message();
    } else {
      ++status_.committed;
      status_.last_epoch = manifest->epoch;
      status_.at = Now();
      status_.duration = Now() - created_at_;
      status_.state_bytes = manifest->bytes();
      status_.bytes = 0;
      for (const storage::StateChain& state : manifest->states) {
        for (const storage::SectionRef& section : state.chain) {
          if (section.epoch == manifest->epoch) status_.bytes += section.bytes;
        }
      }
    }
  }
  write_all_ = !manifest.ok();
  if (!manifest.ok()) return manifest.status().WithContext("checkpoint " + std::to_string(epoch_));
  book_.Commit();
  FinalizeSources();
  RetainSources(contents.sources);
  MILLRACE_RETURN_IF_ERROR(CommitSinks());
  if (options_.on_commit) MILLRACE_RETURN_IF_ERROR(options_.on_commit(epoch_));
  return OkStatus();
}

Status Checkpointer::CommitSinks() {
  for (EpochSink* sink : SinksOf(sinks_)) {
    if (sink != nullptr) MILLRACE_RETURN_IF_ERROR(sink->CommitEpoch(epoch_));
  }
  return OkStatus();
}

void Checkpointer::FinalizeSources() {
  for (std::size_t worker = 0; worker < snapshots_.size(); ++worker) {
    for (std::size_t node = 0; node < snapshots_[worker].nodes.size(); ++node) {
      std::vector<Restriction>& read = snapshots_[worker].nodes[node].read;
      if (!read.empty()) workers_[worker]->FinalizeSoon(static_cast<int>(node), std::exchange(read, {}));
    }
  }
}

// Tells the sources what the oldest checkpoint that is kept has still to read.
void Checkpointer::RetainSources(const std::vector<storage::SourcePosition>& positions) {
  kept_.push_back(positions);
  while (kept_.size() > static_cast<std::size_t>(std::max(1, options_.keep))) kept_.pop_front();
  for (const exec::PlanNode& node : plan_.nodes) {
    if (!node.is_source || !node.read->retain) continue;
    std::vector<Restriction> unfinished;
    for (const storage::SourcePosition& position : kept_.front()) {
      if (position.step != node.label) continue;
      for (const auto& part : position.unfinished) {
        unfinished.push_back({.partition = part.partition, .from = part.from, .to = part.to});
      }
    }
    if (const Status kept = node.read->retain(unfinished, options_.reader); !kept.ok()) {
      const std::lock_guard lock(mutex_);
      status_.last_failure =
          node.label + ": what the checkpoints need may be removed from its input: " + kept.message();
    }
  }
}

// The last checkpoint of a run that is done: nothing is left to be read and no state is left, but what the sinks have
// taken since the last barrier must not be lost.
Status Checkpointer::Conclude() {
  Stop();
  created_at_ = Now();
  epoch_ = store_.next_epoch();
  snapshots_.clear();
  MILLRACE_RETURN_IF_ERROR(SnapshotSinks());
  storage::CheckpointContents contents = Header();
  contents.watermark = Timestamp::Max();
  for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
    const std::string& label = plan_.nodes[node].label;
    if (plan_.nodes[node].is_source) AddSource(node, &contents);
    StepMetrics& metrics = contents.metrics[label] = MetricsBefore(label);
    for (const Worker* worker : workers_) metrics.Add(worker->graph().Metrics(static_cast<int>(node)));
  }
  AddLedger(ReadLedgerOf(plan_, workers_), true, &contents);
  AddWatermarks(&contents);
  return Write(contents);
}

CheckpointStatus Checkpointer::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace millrace::native
