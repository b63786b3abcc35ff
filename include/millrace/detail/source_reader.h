// The seam between the read operator (`exec/read.cc`) and typed sources.
#pragma once

#include <memory>
#include <utility>

#include "millrace/core/source.h"

namespace millrace::detail {

/// A copy of a source that reads one restriction and lives as long as it.
class SourceCopy {
 public:
  virtual ~SourceCopy() = default;
};

/// One worker's reader of one source.
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  virtual std::unique_ptr<SourceCopy> Copy() const = 0;
  /// Calls the source's Read; all that it emitted has gone to the sink when this returns.
  virtual StatusOr<ProcessContinuation> Read(SourceCopy& copy, RestrictionTracker& tracker,
                                             WatermarkEstimator& estimator) = 0;
  /// The source wants to know what has been read for good.
  virtual bool finalizes() const = 0;
  virtual void Finalize(const Restriction& read) = 0;
};

template <class Source>
class TypedSourceReader final : public SourceReader {
 public:
  TypedSourceReader(Source source, SourceSink& sink) : prototype_(std::move(source)), output_(sink) {}

  std::unique_ptr<SourceCopy> Copy() const override { return std::make_unique<TypedCopy>(prototype_); }
  StatusOr<ProcessContinuation> Read(SourceCopy& copy, RestrictionTracker& tracker,
                                     WatermarkEstimator& estimator) override {
    output_.Follow(tracker);
    StatusOr<ProcessContinuation> outcome = static_cast<TypedCopy&>(copy).source.Read(tracker, estimator, output_);
    output_.Flush();
    return outcome;
  }
  bool finalizes() const override { return kFinalizes; }
  void Finalize(const Restriction& read) override {
    if constexpr (kFinalizes) prototype_.Finalize(read);
  }

 private:
  static constexpr bool kFinalizes = requires(Source source, const Restriction& read) { source.Finalize(read); };

  struct TypedCopy final : SourceCopy {
    explicit TypedCopy(const Source& s) : source(s) {}
    Source source;
  };

  Source prototype_;
  SourceOutput<typename Source::Element> output_;
};

}  // namespace millrace::detail
