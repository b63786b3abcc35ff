// Stages that lose or double an element on purpose: what the ledger is there to find. They stand around real operators.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/millrace.h"

namespace millrace::ledger_test {

using Pair = KV<std::int64_t, std::int64_t>;
/// Changes a batch on its way.
using Tamper = std::function<void(detail::BatchBase& batch)>;

/// A batch of `T` whose last row is gone.
template <class T>
void DropLast(detail::BatchBase& rows) {
  auto& batch = static_cast<detail::Batch<T>&>(rows);
  const std::size_t size = batch.size() - 1;
  batch.values.Truncate(size);
  batch.timestamps.Truncate(size);
  if (!batch.windows.each.empty()) batch.windows.each.Truncate(size);
  if (!batch.panes.each.empty()) batch.panes.each.Truncate(size);
  if (!batch.origins.empty()) batch.origins.Truncate(size);
}
/// A batch of `T` whose last row is there twice.
template <class T>
void DoubleLast(detail::BatchBase& rows) {
  auto& batch = static_cast<detail::Batch<T>&>(rows);
  const std::size_t last = batch.size() - 1;
  batch.values.Append(T(batch.values[last]));
  batch.AppendRow(batch, last);
}
/// Once, at the batch of that number.
inline Tamper Once(Tamper change, std::shared_ptr<std::atomic<int>> at) {
  return [change = std::move(change), at = std::move(at)](detail::BatchBase& batch) {
    if (!batch.empty() && at->fetch_sub(1) == 0) change(batch);
  };
}

/// An operator before which batches are tampered with.
class TamperedOperator : public detail::Operator {
 public:
  TamperedOperator(std::unique_ptr<detail::Operator> inner, Tamper tamper)
      : inner_(std::move(inner)), tamper_(std::move(tamper)) {}

  void Open(detail::OperatorContext& context) override {
    Operator::Open(context);
    inner_->Open(context);
  }
  void Process(detail::BatchBase& batch, int input) override {
    tamper_(batch);
    inner_->Process(batch, input);
  }
  void ProcessRemote(detail::BatchBase& batch) override { inner_->ProcessRemote(batch); }
  void FlushRemote() override { inner_->FlushRemote(); }
  void FlushRemoteBefore(Timestamp watermark) override { inner_->FlushRemoteBefore(watermark); }
  void WatermarkSent(Timestamp watermark) override { inner_->WatermarkSent(watermark); }
  Timestamp AdvanceWatermark(Timestamp watermark) override { return inner_->AdvanceWatermark(watermark); }
  bool Due() const override { return inner_->Due(); }
  void FinishBundle() override { inner_->FinishBundle(); }
  void Close() override { inner_->Close(); }
  bool EmitsOneEach() const override { return inner_->EmitsOneEach(); }
  detail::LedgerCounts Ledger() const override {
    detail::LedgerCounts counts = inner_->Ledger();
    counts.rows = ledger_.rows;
    return counts;
  }

 protected:
  detail::Operator& inner() { return *inner_; }

 private:
  std::unique_ptr<detail::Operator> inner_;
  Tamper tamper_;
};

/// An operator behind which batches are tampered with.
class TamperedOutput final : public TamperedOperator {
 public:
  TamperedOutput(std::unique_ptr<detail::Operator> inner, Tamper tamper)
      : TamperedOperator(std::move(inner), [](detail::BatchBase&) {}), last_(std::move(tamper)) {}

  void Open(detail::OperatorContext& context) override {
    Operator::Open(context);
    last_.port = &context.output(0);
    between_.Connect(&last_, 0);
    surroundings_ = std::make_unique<Surroundings>(context, between_);
    inner().Open(*surroundings_);
  }

 private:
  struct Last final : detail::Operator {
    explicit Last(Tamper t) : tamper(std::move(t)) {}
    void Process(detail::BatchBase& batch, int) override {
      tamper(batch);
      port->Deliver(batch);
    }
    Tamper tamper;
    detail::OutputPort* port = nullptr;
  };
  // The context, with another output.
  struct Surroundings final : detail::OperatorContext {
    Surroundings(detail::OperatorContext& c, detail::OutputPort& o) : context(c), out(o) {}
    const std::string& label() const override { return context.label(); }
    int worker() const override { return context.worker(); }
    int workers() const override { return context.workers(); }
    bool streaming() const override { return context.streaming(); }
    Timestamp processing_time() const override { return context.processing_time(); }
    detail::OutputPort& output(int) override { return out; }
    detail::MetricsContainer& metrics() override { return context.metrics(); }
    void Ship(int worker, std::unique_ptr<detail::BatchBase> batch) override { context.Ship(worker, std::move(batch)); }
    std::unique_ptr<detail::BatchBase> TakeSpare() override { return context.TakeSpare(); }
    detail::SideInputValue GetSideInput(int index, const BoundedWindow& window) override {
      return context.GetSideInput(index, window);
    }
    bool stopping() const override { return context.stopping(); }
    void RecordLate(const BoundedWindow& window, Timestamp time, const void* element, detail::Origin origin) override {
      context.RecordLate(window, time, element, origin);
    }
    detail::NamedOrigin NameOrigin(detail::Origin origin) const override { return context.NameOrigin(origin); }
    bool reading_ends() const override { return context.reading_ends(); }
    std::unique_ptr<detail::Spiller> MakeSpiller() override { return context.MakeSpiller(); }

    detail::OperatorContext& context;
    detail::OutputPort& out;
  };

  Last last_;
  detail::OutputPort between_;
  std::unique_ptr<Surroundings> surroundings_;
};

/// Tables of an aggregation that do not get what their operator has counted.
class TamperedTables final : public detail::AggregateKernel {
 public:
  TamperedTables(std::unique_ptr<detail::AggregateKernel> inner, Tamper tamper)
      : inner_(std::move(inner)), tamper_(std::move(tamper)) {}

  void Open(detail::OperatorContext& context, const detail::AggregatePlan& plan, detail::WindowGate& gate) override {
    inner_->Open(context, plan, gate);
  }
  void Add(detail::BatchBase& batch) override {
    tamper_(batch);
    inner_->Add(batch);
  }
  void AddRemote(detail::BatchBase& batch) override { inner_->AddRemote(batch); }
  void FlushRemote(Timestamp watermark) override { inner_->FlushRemote(watermark); }
  void FireOnce(const BoundedWindow& window, std::span<const BoundedWindow> slices) override {
    inner_->FireOnce(window, slices);
  }
  void FirePanes(const BoundedWindow& window, detail::FiringReason reason, bool is_last) override {
    inner_->FirePanes(window, reason, is_last);
  }
  void Drop(const BoundedWindow& window) override { inner_->Drop(window); }
  void ForgetAdmissions() override { inner_->ForgetAdmissions(); }
  void EmitDefault() override { inner_->EmitDefault(); }
  void FlushOutput() override { inner_->FlushOutput(); }
  std::size_t StateBytes() const override { return inner_->StateBytes(); }
  detail::TableCounts counts() const override { return inner_->counts(); }
  std::vector<detail::TableContent> Contents() const override { return inner_->Contents(); }
  void AddUnits(const BoundedWindow& window, bool is_slice, std::int64_t units) override {
    inner_->AddUnits(window, is_slice, units);
  }
  detail::StateDescription DescribeState() const override { return inner_->DescribeState(); }
  void SaveState(detail::StateWriter& writer, std::size_t state) override { inner_->SaveState(writer, state); }
  std::size_t SpillState(std::size_t wanted) override { return inner_->SpillState(wanted); }
  Status RestoreState(const detail::SavedSection& section) override { return inner_->RestoreState(section); }
  void FinishRestore() override { inner_->FinishRestore(); }

 private:
  std::unique_ptr<detail::AggregateKernel> inner_;
  Tamper tamper_;
};

template <class Payload>
Payload& PayloadOf(Pipeline& pipeline, const std::string& label) {
  for (const detail::Transform& transform : pipeline.graph().transforms()) {
    if (transform.label == label) return const_cast<Payload&>(std::get<Payload>(transform.payload));
  }
  throw std::invalid_argument("no transform " + label);
}

/// Breaks the step of that label, before it or behind it, or the tables of an aggregation.
template <class Broken, class Payload = detail::ParDoPayload>
void Break(Pipeline& pipeline, const std::string& label, Tamper tamper) {
  auto& payload = PayloadOf<Payload>(pipeline, label);
  payload.make = [make = payload.make, tamper]() -> std::unique_ptr<detail::Operator> {
    return std::make_unique<Broken>(make(), tamper);
  };
}
inline void BreakAggregation(Pipeline& pipeline, const std::string& label, Tamper tamper) {
  auto& payload = PayloadOf<detail::CombinePayload>(pipeline, label);
  payload.make = [make = payload.make, tamper]() -> std::unique_ptr<detail::AggregateKernel> {
    return std::make_unique<TamperedTables>(make(), tamper);
  };
}

}  // namespace millrace::ledger_test
