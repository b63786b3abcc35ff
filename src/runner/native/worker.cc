#include "runner/native/worker.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace millrace::native {

using exec::ReadOperator;

namespace {

// Ends a worker whose run has been ended by somebody else.
struct RunEnded {};

constexpr int kMessagesPerTurn = 256;
// How many bundles a worker may be ahead of another one, and over about how many their length is averaged.
constexpr int kBundlesAhead = 8;
constexpr int kSpanWeight = 8;
constexpr auto kLongestWait = std::chrono::milliseconds(1);
// Between two broadcasts of watermarks: short beside any latency that is promised, long beside a bundle.
constexpr Duration kBroadcastEvery = std::chrono::milliseconds(1);

}  // namespace

Worker::Worker(int index, const exec::Plan& plan, Shared& shared, const exec::ReadLimits& limits)
    : index_(index),
      shared_(shared),
      inbox_(*shared.inboxes[static_cast<std::size_t>(index)]),
      now_(shared.clock()),
      graph_(plan, *this, limits) {}

void Worker::Run() {
  try {
    graph_.Open();
    if (shared_.hooks != nullptr) Restore();
    Loop();
    if (shared_.hooks != nullptr) AwaitOthers();
    FinalizeRead();
    TellStatus();
  } catch (const RunEnded&) {
  } catch (const detail::PipelineFailure& failure) {
    shared_.state.Fail(failure.status());
  } catch (const std::exception& error) {
    shared_.state.Fail(InternalError(std::string("a worker failed: ") + error.what()));
  }
  try {
    graph_.Close();
  } catch (const std::exception& error) {
    shared_.state.Fail(UnknownError(std::string("a DoFn's Teardown failed: ") + error.what()));
  }
  shared_.barrier.Leave();
  for (auto& inbox : shared_.inboxes) inbox->Wake();
}

void Worker::Restore() {
  if (index_ == 0) {
    StatusOr<std::vector<exec::RestoredNode>> restored = shared_.hooks->Restored(graph_);
    if (!restored.ok()) throw detail::PipelineFailure(restored.status());
    shared_.restored = *std::move(restored);
  }
  if (!Meet()) throw RunEnded{};
  if (!shared_.restored.empty()) {
    const Status status = graph_.Restore(shared_.restored);
    if (!status.ok()) throw detail::PipelineFailure(status);
  }
  if (!Meet()) throw RunEnded{};
  if (index_ == 0) shared_.hooks->RestoreDone();
}

// Comes to a point that all workers come to. False if one of them has ended.
bool Worker::Meet() {
  const std::uint64_t ticket = shared_.barrier.Arrive();
  if (shared_.barrier.Reached(ticket)) {
    for (auto& inbox : shared_.inboxes) inbox->Wake();
    return true;
  }
  while (!shared_.barrier.Reached(ticket)) {
    if (shared_.state.ended()) throw RunEnded{};
    if (shared_.barrier.deserted()) return false;
    if (!Receive(0, kMessagesPerTurn)) inbox_.Wait(0, kLongestWait);
  }
  return true;
}

// Between two bundles: empties every buffer and queue, exchange by exchange, so that all workers have the same
// watermark at each, and saves what the operators then hold.
void Worker::RunBarrier() {
  for (const int exchange : graph_.exchanges()) {
    graph_.Settle(exchange);
    if (!Meet()) return;
    while (Receive(0, kMessagesPerTurn)) {
    }
  }
  graph_.Settle(graph_.size());
  if (!Meet()) return;
  shared_.hooks->Add(index_, graph_.Save(shared_.hooks->full()));
  if (!Meet()) return;
  if (index_ == 0) {
    // Before it is complete: from then on the next one may be asked for, and that request is not to be lost.
    shared_.barrier.Answered();
    const Status complete = shared_.hooks->Complete();
    if (!complete.ok()) throw detail::PipelineFailure(complete);
  }
  if (!Meet()) return;
}

void Worker::FinalizeSoon(int node, std::vector<Restriction> read) {
  const std::lock_guard lock(finalize_mutex_);
  finalize_.emplace_back(node, std::move(read));
  finalizes_.store(true, std::memory_order_release);
}

void Worker::FinalizeRead() {
  if (!finalizes_.load(std::memory_order_acquire)) return;
  std::vector<std::pair<int, std::vector<Restriction>>> due;
  {
    const std::lock_guard lock(finalize_mutex_);
    due.swap(finalize_);
    finalizes_.store(false, std::memory_order_relaxed);
  }
  for (const auto& [node, read] : due) graph_.FinalizeSource(node, read);
}

exec::WorkerStatus Worker::AskStatus() {
  status_wanted_.store(true, std::memory_order_relaxed);
  const std::lock_guard lock(status_mutex_);
  return status_;
}

void Worker::TellStatus() {
  status_wanted_.store(false, std::memory_order_relaxed);
  exec::WorkerStatus status = graph_.CurrentStatus();
  const std::lock_guard lock(status_mutex_);
  status_ = std::move(status);
}

void Worker::Loop() {
  Timestamp last_broadcast = Timestamp::Min();
  while (!graph_.done()) {
    if (shared_.state.ended()) throw RunEnded{};
    if (shared_.barrier.requested() && !shared_.barrier.deserted()) RunBarrier();
    FinalizeRead();
    now_ = shared_.clock();
    const bool received = Receive(0, kMessagesPerTurn);
    if (graph_.NextProcessingTime() <= now_) graph_.AdvanceProcessingTime(now_);
    const ReadOperator::State sources = ReadSources();
    if (shared_.state.ended()) throw RunEnded{};
    graph_.FinishBundle();
    const bool idle = sources != ReadOperator::State::kMore;
    const bool broadcast = idle || now_ - last_broadcast >= kBroadcastEvery;
    if (broadcast) last_broadcast = now_;
    graph_.PropagateWatermarks(broadcast, idle);
    graph_.LimitState();
    source_watermark_.store(graph_.SourceWatermark().micros(), std::memory_order_relaxed);
    if (status_wanted_.load(std::memory_order_relaxed)) TellStatus();
    if (idle && !received && !graph_.done()) WaitForWork();
  }
  TellOthers(Timestamp::Max());  // nobody waits for it any more
}

// A worker whose input has ended comes to the barriers of those that go on: without it there would be no checkpoint
// until the run ends.
void Worker::AwaitOthers() {
  shared_.done.fetch_add(1, std::memory_order_acq_rel);
  while (shared_.done.load(std::memory_order_acquire) < shared_.workers) {
    if (shared_.state.ended()) throw RunEnded{};
    if (shared_.barrier.requested() && !shared_.barrier.deserted()) RunBarrier();
    FinalizeRead();
    if (status_wanted_.load(std::memory_order_relaxed)) TellStatus();
    if (!Receive(0, kMessagesPerTurn)) inbox_.Wait(0, kLongestWait);
  }
}

ReadOperator::State Worker::ReadSources() {
  if (reading_ends()) return graph_.RunSource();
  const Timestamp before = WhereItReads();
  if ((shared_.pace.limits() && !shared_.pace.MayRead()) || IsAhead(before)) return ReadOperator::State::kWaiting;
  const std::int64_t elements = graph_.elements_read();
  const ReadOperator::State state = graph_.RunSource();
  if (shared_.pace.limits()) shared_.pace.Count(graph_.elements_read() - elements);
  const Timestamp after = WhereItReads();
  if (before > Timestamp::Min() && after > before && after < Timestamp::Max()) {
    bundle_span_ += (after - before - bundle_span_) / kSpanWeight;
  }
  return state;
}

// From where on it has something to read; the end of time where it has nothing, or where nobody wants to know. Tells
// the others.
Timestamp Worker::WhereItReads() {
  if (shared_.workers == 1 || !shared_.streaming) return Timestamp::Max();
  const Timestamp low = graph_.SourceReadableLow();
  TellOthers(low > Timestamp::Min() ? low : Timestamp::Max());
  return low;
}

void Worker::TellOthers(Timestamp reading_at) {
  shared_.reading_at[static_cast<std::size_t>(index_)]->store(reading_at.micros(), std::memory_order_relaxed);
}

// Whether another worker has still to read what is older by some bundles. What is read too early waits in open windows.
// Each worker tells where it is before it asks, so the one that is furthest behind always reads.
bool Worker::IsAhead(Timestamp own) const {
  if (own == Timestamp::Min() || own == Timestamp::Max()) return false;
  std::int64_t least = own.micros();
  for (const auto& at : shared_.reading_at) least = std::min(least, at->load(std::memory_order_relaxed));
  return own - Timestamp::FromMicros(least) > bundle_span_ * kBundlesAhead;
}

void Worker::WaitForWork() {
  const bool may_read = shared_.pace.MayRead() && !IsAhead(WhereItReads());
  const Timestamp source = may_read ? graph_.SourceResumeAt() : Timestamp::Max();
  const Timestamp next = std::min(source, graph_.NextProcessingTime());
  const Duration left = next - shared_.clock();
  if (left <= Duration(0)) return;
  inbox_.Wait(0, std::min<Duration>(left, kLongestWait));
}

bool Worker::Receive(int first_node, int at_most) {
  bool any = false;
  for (int i = 0; i < at_most; ++i) {
    std::optional<Message> message = inbox_.TryReceive(first_node);
    if (!message) break;
    any = true;
    if (message->batch != nullptr) {
      graph_.ReceiveBatch(message->node, std::move(message->batch));
    } else {
      graph_.ReceiveWatermark(message->node, message->from, message->watermark);
    }
  }
  return any;
}

void Worker::Ship(int node, int worker, std::unique_ptr<detail::BatchBase> batch) {
  Message message{.node = node, .from = index_, .batch = std::move(batch), .watermark = {}};
  Inbox& target = *shared_.inboxes[static_cast<std::size_t>(worker)];
  while (!target.TrySend(message, &inbox_)) {
    if (shared_.state.ended()) throw RunEnded{};
    if (!Receive(node, kMessagesPerTurn)) inbox_.Wait(node, kLongestWait);
  }
}

void Worker::SendWatermark(int node, int worker, Timestamp watermark) {
  Message message{.node = node, .from = index_, .batch = nullptr, .watermark = watermark};
  shared_.inboxes[static_cast<std::size_t>(worker)]->TrySend(message, nullptr);
}

detail::SideInputValue Worker::GetSideInput(int collector, const BoundedWindow& main_window) {
  return shared_.side_inputs[static_cast<std::size_t>(collector)]->Get(main_window);
}

detail::SideInputStore& Worker::StoreOf(int collector) {
  return *shared_.side_inputs[static_cast<std::size_t>(collector)];
}

exec::RestrictionQueue& Worker::RestrictionsOf(int source) {
  return *shared_.restrictions[static_cast<std::size_t>(source)];
}

}  // namespace millrace::native
