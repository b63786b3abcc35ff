// Collects what a DoFn emits for one output and hands it on in batches.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "millrace/detail/operator.h"

namespace millrace::detail {

/// Rows are appended under the header (windows, panes) of the input batch that `Begin` names. Nothing stays behind when
/// an input batch has been processed: `Flush` is called at its end.
template <class T>
class OutputBuffer {
 public:
  void Open(OutputPort& port) { port_ = &port; }

  void Begin(const BatchBase& input) {
    input_ = &input;
    batch_.CopyHeader(input);
  }

  /// As input row `row`: the same timestamp, windows and pane.
  template <class U>
  void Emit(U&& value, std::size_t row) {
    if (batch_.windows.kind != WindowColumn::Kind::kEach || input_->windows.kind == WindowColumn::Kind::kEach) [[likely]] {
      batch_.values.Append(std::forward<U>(value));
      batch_.AppendRow(*input_, row);
      return;
    }
    EmitAt(T(std::forward<U>(value)), row, input_->timestamps[row]);
  }

  /// As input row `row` but for the timestamp. The windows stay those of the input element, as in Beam, so the batch
  /// must now name them.
  void EmitAt(T&& value, std::size_t row, Timestamp time) {
    if (batch_.windows.kind == WindowColumn::Kind::kImplicit) {
      Deliver();
      batch_.windows.kind = WindowColumn::Kind::kEach;
    }
    if (batch_.windows.kind != WindowColumn::Kind::kEach || input_->windows.kind == WindowColumn::Kind::kEach) {
      batch_.values.Append(std::move(value));
      batch_.AppendRow(*input_, row, time);
      return;
    }
    input_->windows.fn.ForEachWindow(input_->timestamps[row],
                                     [&](const BoundedWindow& window) { EmitCopy(value, row, time, window); });
  }

  /// What a DoFn emits with a timestamp of its own choice.
  void EmitMoved(T&& value, std::size_t row, Timestamp time) {
    if (time < input_->timestamps[row]) {
      throw std::invalid_argument("the output's timestamp " + time.ToString() + " is before the element's own, " +
                                  input_->timestamps[row].ToString() +
                                  ", and may be late; set timestamps right after the source");
    }
    EmitAt(std::move(value), row, time);
  }

  /// In a window of its own, outside any input batch (from FinishBundle, timers and window expirations).
  void EmitIn(T&& value, Timestamp time, const BoundedWindow& window, const PaneInfo& pane) {
    batch_.windows.kind = WindowColumn::Kind::kEach;
    batch_.panes.uniform = false;
    batch_.values.Append(std::move(value));
    batch_.timestamps.Append(time);
    batch_.windows.each.Append(window);
    batch_.panes.each.Append(pane);
  }

  std::size_t size() const { return batch_.size(); }
  bool full() const { return batch_.size() >= kBatchElements; }
  /// Drops the rows after `mark`, which `size()` gave before a DoFn failed.
  void Rewind(std::size_t mark) {
    batch_.values.Truncate(mark);
    batch_.timestamps.Truncate(mark);
    if (batch_.windows.kind == WindowColumn::Kind::kEach) batch_.windows.each.Truncate(mark);
    if (!batch_.panes.uniform) batch_.panes.each.Truncate(mark);
  }
  void Flush() {
    if (!batch_.empty()) Deliver();
  }
  Batch<T>& batch() { return batch_; }

 private:
  void EmitCopy(const T& value, std::size_t row, Timestamp time, const BoundedWindow& window) {
    batch_.values.Append(value);
    batch_.timestamps.Append(time);
    batch_.windows.each.Append(window);
    if (!batch_.panes.uniform) batch_.panes.each.Append(input_->panes.each[row]);
  }

  void Deliver() {
    if (!batch_.empty()) port_->Deliver(batch_);
    batch_.Clear();
  }

  Batch<T> batch_;
  const BatchBase* input_ = nullptr;
  OutputPort* port_ = nullptr;
};

}  // namespace millrace::detail
