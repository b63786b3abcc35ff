// TestStream: a source that plays a script of elements, watermarks and processing time, as in Beam
// (https://beam.apache.org/blog/test-stream). Each event has been processed to its end, with every pane and timer that
// it makes due, before the next one happens.
//
//   testing::TestStream<std::string> stream;
//   stream.Add("a", Timestamp::FromSeconds(1))
//       .AdvanceWatermarkTo(Timestamp::FromSeconds(60))
//       .Then([&] { EXPECT_THAT(seen->Take(), ...); })
//       .AdvanceProcessingTime(5s);
//   auto lines = pipeline | "Script" >> stream;
//   pipeline.Run(stream.Options());
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/millrace.h"

namespace millrace::testing {

/// Processing time that only its owner moves. Thread safe.
class ManualClock {
 public:
  Timestamp Now() const { return Timestamp::FromMicros(now_micros_.load(std::memory_order_acquire)); }
  void Advance(Duration by) { now_micros_.fetch_add(by.count(), std::memory_order_acq_rel); }

 private:
  std::atomic<std::int64_t> now_micros_{0};
};

/// One step of a script; the parts that are set happen in this order.
template <class T>
struct TestStreamEvent {
  std::vector<TimestampedValue<T>> elements;
  Timestamp watermark = Timestamp::Min();
  Duration processing_time{0};
  std::function<void()> then;
};

/// Plays the script on one worker: one event per bundle.
template <class T>
struct TestStreamSource {
  using Element = T;
  static constexpr bool kUnbounded = true;

  std::shared_ptr<const std::vector<TestStreamEvent<T>>> events;
  std::shared_ptr<ManualClock> clock;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions& options) const {
    if (options.workers != 1 || !options.streaming) {
      return InvalidArgumentError(
          "a TestStream plays in streaming mode on one thread only, so that each event is processed before the next; "
          "run the pipeline with TestStream::Options()");
    }
    const auto count = static_cast<std::int64_t>(events->size());
    for (std::int64_t i = 0; i + 1 < count; ++i) {
      if ((*events)[static_cast<std::size_t>(i)].watermark == Timestamp::Max()) {
        return InvalidArgumentError("event " + std::to_string(i) +
                                    " of the TestStream is AdvanceWatermarkToInfinity, "
                                    "which ends the pipeline; let it be the last");
      }
    }
    return std::vector{Restriction{.partition = "script", .from = 0, .to = count}};
  }

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark, SourceOutput<T>& out) {
    const std::int64_t at = tracker.from();
    if (!tracker.TryClaim(at)) return ProcessContinuation::Stop();
    const TestStreamEvent<T>& event = (*events)[static_cast<std::size_t>(at)];
    for (const TimestampedValue<T>& element : event.elements) out.Emit(element.value, element.timestamp);
    watermark.Set(event.watermark);
    clock->Advance(event.processing_time);
    if (event.then) event.then();
    return ProcessContinuation::Resume(Duration(0));
  }
};

/// A script under construction. The pipeline plays the events that were there when it was applied. At the end of the
/// script the watermark goes to infinity.
template <class T>
class TestStream : public detail::TransformBase {
 public:
  /// Elements that come together, in one bundle.
  TestStream& AddElements(std::vector<TimestampedValue<T>> elements) {
    events_.push_back({.elements = std::move(elements), .then = nullptr});
    return *this;
  }
  TestStream& Add(T value, Timestamp time) { return AddElements({{std::move(value), time}}); }
  /// The watermark stays where it is if `watermark` is not later.
  TestStream& AdvanceWatermarkTo(Timestamp watermark) {
    events_.push_back({.elements = {}, .watermark = watermark, .then = nullptr});
    return *this;
  }
  /// The last event: the pipeline ends when it has been processed.
  TestStream& AdvanceWatermarkToInfinity() { return AdvanceWatermarkTo(Timestamp::Max()); }
  TestStream& AdvanceProcessingTime(Duration by) {
    events_.push_back({.elements = {}, .processing_time = by, .then = nullptr});
    return *this;
  }
  /// Calls `check` when all that comes before it has been processed. On the worker's thread.
  TestStream& Then(std::function<void()> check) {
    events_.push_back({.elements = {}, .then = std::move(check)});
    return *this;
  }

  /// The processing time of the script, which begins at the epoch.
  std::function<Timestamp()> clock() const {
    return [clock = clock_] { return clock->Now(); };
  }
  /// Options to run a pipeline with a TestStream: streaming, one thread, the script's processing time.
  RunOptions Options() const {
    RunOptions options;
    options.streaming = true;
    options.threads = 1;
    options.processing_time = clock();
    return options;
  }

  std::string DefaultLabel() const { return "TestStream"; }
  auto Expand(Pipeline& pipeline) const {
    auto events = std::make_shared<const std::vector<TestStreamEvent<T>>>(events_);
    return detail::ReadTransform<TestStreamSource<T>>({std::move(events), clock_}).Expand(pipeline);
  }

 private:
  std::vector<TestStreamEvent<T>> events_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
};

}  // namespace millrace::testing
