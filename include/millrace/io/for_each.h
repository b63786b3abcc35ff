// Reads a file without a pipeline: what a producer or a test does with its input.
//
//   Status read = ForEach(parquet::Read<Flight>("flights.parquet").WithEventTime(&Flight::date),
//                         [&](const Flight& flight, Timestamp at) { return Publish(flight, at); });
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/source.h"

namespace millrace {

namespace detail {

// Hands each element to a function until one gives an error.
template <class T, class Take>
class ElementSink final : public SourceSink {
 public:
  ElementSink(Take& take, RestrictionTracker& tracker) : take_(take), tracker_(tracker) {}

  void TakeBatch(BatchBase& base) override {
    Batch<T>& batch = static_cast<Batch<T>&>(base);
    for (std::size_t i = 0; i < batch.size() && status_.ok(); ++i) {
      status_ = take_(std::as_const(batch.values.data()[i]), batch.timestamps.data()[i]);
    }
    if (!status_.ok()) tracker_.Checkpoint();
  }
  void TakeBadRecord(BadRecord bad) override {
    if (!status_.ok()) return;
    const std::string field = bad.field.empty() ? "" : ", field " + bad.field;
    status_ = InvalidArgumentError(bad.origin + ": record at " + std::to_string(bad.position) + field + ": " +
                                   bad.reason + "; correct the file");
    tracker_.Checkpoint();
  }
  const Status& status() const { return status_; }

 private:
  Take& take_;
  RestrictionTracker& tracker_;
  Status status_;
};

}  // namespace detail

/// Gives each element of a bounded source to `take`, `Status(const T&, Timestamp event_time)`, on the calling thread,
/// in the order of files and rows (of row groups by their least event time, where the source knows it). `read` is what
/// a pipeline would apply: `parquet::Read`, `csv::Read`, `json_lines::Read`. Ends with the first error of `take` or of
/// the source; a record that cannot be read is INVALID_ARGUMENT with file, position and field.
template <class Read, class Take>
Status ForEach(const Read& read, Take take) {
  auto source = read.Source();
  using Source = decltype(source);
  using T = typename Source::Element;
  StatusOr<std::vector<Restriction>> restrictions = source.InitialRestrictions(SplitOptions{});
  if (!restrictions.ok()) return restrictions.status();
  for (const Restriction& restriction : *restrictions) {
    Source copy = source;
    RestrictionTracker tracker(restriction);
    detail::ElementSink<T, Take> sink(take, tracker);
    WatermarkEstimator watermark;
    SourceOutput<T> output(sink);
    while (sink.status().ok()) {
      StatusOr<ProcessContinuation> outcome = copy.Read(tracker, watermark, output);
      output.Flush();
      if (!outcome.ok()) return outcome.status();
      if (!outcome->resume()) break;
    }
    if (!sink.status().ok()) return sink.status();
  }
  return OkStatus();
}

}  // namespace millrace
