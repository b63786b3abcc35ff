// Map, Filter, FlatMap and WithTimestamps: ParDos with one output that need little bookkeeping per element.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "millrace/detail/element_failure.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/output_buffer.h"

namespace millrace::detail {

/// Runs `each(row)` over [0, count) and retries a row that throws; a row that fails every time fails the job.
template <class Rows, class Each, class Rewind>
void ForEachRow(const Rows& rows, const std::string& label, Each&& each, Rewind&& rewind) {
  std::size_t row = 0;
  const std::size_t count = rows.size();
  while (row < count) {
    try {
      for (; row < count; ++row) each(row);
    } catch (const PipelineFailure&) {
      throw;
    } catch (...) {
      rewind(row);
      std::string error;
      if (!TryElement([&] { each(row); }, [&] { rewind(row); }, &error)) {
        throw PipelineFailure(ElementFailure(label, DescribeElement(rows.values[row]), error));
      }
      ++row;
    }
  }
}

/// One output row per input row.
template <class In, class Out, class F>
class MapKernel final : public Operator {
 public:
  explicit MapKernel(F function) : function_(std::move(function)) {}

  void Process(BatchBase& batch, int /*input*/) override {
    auto& rows = static_cast<Batch<In>&>(batch);
    const MetricsScope scope(context().metrics());
    output_.values.Reserve(rows.size());
    ForEachRow(
        rows, context().label(),
        [&](std::size_t row) {
          output_.values.AppendMade([&]() -> Out { return std::invoke(function_, std::as_const(rows.values[row])); });
        },
        [](std::size_t) {});
    ledger_.units += static_cast<std::int64_t>(rows.size());
    ledger_.emitted += static_cast<std::int64_t>(output_.values.size());
    output_.CopyHeader(rows);
    if (rows.shared) {
      output_.timestamps.Assign(rows.timestamps);
      output_.windows.each.Assign(rows.windows.each);
      output_.panes.each.Assign(rows.panes.each);
      if (rows.has_origins) output_.origins.Assign(rows.origins);
    } else {
      output_.timestamps.Swap(rows.timestamps);
      output_.windows.each.Swap(rows.windows.each);
      output_.panes.each.Swap(rows.panes.each);
      output_.origins.Swap(rows.origins);
    }
    context().output(0).Deliver(output_);
    if (!rows.shared) {
      output_.timestamps.Swap(rows.timestamps);
      output_.origins.Swap(rows.origins);
    }
    output_.Clear();
  }
  bool EmitsOneEach() const override { return true; }

 private:
  F function_;
  Batch<Out> output_;
};

/// The rows for which the predicate holds.
template <class T, class F>
class FilterKernel final : public Operator {
 public:
  explicit FilterKernel(F predicate) : predicate_(std::move(predicate)) {}

  void Process(BatchBase& batch, int /*input*/) override {
    auto& rows = static_cast<Batch<T>&>(batch);
    const MetricsScope scope(context().metrics());
    output_.CopyHeader(rows);
    std::int64_t filtered = 0;
    ForEachRow(
        rows, context().label(),
        [&](std::size_t row) {
          if (!std::invoke(predicate_, std::as_const(rows.values[row]))) {
            ++filtered;
            return;
          }
          if (rows.shared) {
            output_.values.Append(std::as_const(rows.values[row]));
          } else {
            output_.values.Append(std::move(rows.values[row]));
          }
          output_.AppendRow(rows, row);
        },
        [](std::size_t) {});
    ledger_.units += static_cast<std::int64_t>(rows.size());
    ledger_.filtered += filtered;
    ledger_.emitted += static_cast<std::int64_t>(output_.values.size());
    context().output(0).Deliver(output_);
    output_.Clear();
  }
  bool EmitsOneEach() const override { return true; }

 private:
  F predicate_;
  Batch<T> output_;
};

/// Any number of output rows per input row: `emit(output, element, row)` appends them.
template <class In, class Out, class Emit>
class EmitKernel final : public Operator {
 public:
  explicit EmitKernel(Emit emit) : emit_(std::move(emit)) {}

  void Open(OperatorContext& context) override {
    Operator::Open(context);
    output_.Open(context.output(0));
  }
  void Process(BatchBase& batch, int /*input*/) override {
    auto& rows = static_cast<Batch<In>&>(batch);
    const MetricsScope scope(context().metrics());
    output_.Begin(rows);
    std::size_t mark = 0;
    std::int64_t filtered = 0;
    std::int64_t emitted = 0;
    ForEachRow(
        rows, context().label(),
        [&](std::size_t row) {
          if (output_.full()) output_.Flush();
          mark = output_.size();
          emit_(output_, std::as_const(rows.values[row]), row);
          ++(output_.size() == mark ? filtered : emitted);
        },
        [&](std::size_t) { output_.Rewind(mark); });
    ledger_.units += static_cast<std::int64_t>(rows.size());
    ledger_.filtered += filtered;
    ledger_.emitted += emitted;
    output_.Flush();
  }

 private:
  Emit emit_;
  OutputBuffer<Out> output_;
};

}  // namespace millrace::detail
