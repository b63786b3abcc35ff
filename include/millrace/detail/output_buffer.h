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
    batch_.has_origins = input.has_origins && port_ != nullptr && port_->wants_origins();
    same_header_ = true;
  }

  /// As input row `row`: the same timestamp, windows and pane.
  template <class U>
  void Emit(U&& value, std::size_t row) {
    if (same_header_) [[likely]] {
      batch_.values.Append(std::forward<U>(value));
      batch_.AppendRow(*input_, row);
      return;
    }
    EmitAt(T(std::forward<U>(value)), row, input_->timestamps[row]);
  }

  /// As input row `row` but for the timestamp. The windows stay those of the input element, as in Beam, so the batch
  /// must now name them.
  void EmitAt(T&& value, std::size_t row, Timestamp time) {
    if (batch_.windows.kind == WindowColumn::Kind::kImplicit) NameWindows();
    if (same_header_) {
      batch_.values.Append(std::move(value));
      batch_.AppendRow(*input_, row, time);
    } else if (input_->windows.many()) {
      input_->windows.fn.ForEachWindow(input_->timestamps[row],
                                       [&](const BoundedWindow& window) { EmitCopy(T(value), row, time, window); });
    } else {
      EmitCopy(std::move(value), row, time, input_->windows.Of(row, input_->timestamps[row]));
    }
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
    NameWindows();
    NamePanes();
    batch_.values.Append(std::move(value));
    batch_.timestamps.Append(time);
    batch_.windows.each.Append(window);
    batch_.panes.each.Append(pane);
    if (batch_.has_origins) batch_.origins.Append(Origin{kUnknownOrigin});
  }

  std::size_t size() const { return batch_.size(); }
  /// Something was emitted since `Mark`.
  bool marked() const { return batch_.size() != mark_; }
  bool full() const { return batch_.size() >= kBatchElements; }
  /// Before an element is processed; `RewindToMark` then drops what it has emitted.
  void Mark() { mark_ = batch_.size(); }
  void RewindToMark() { Rewind(mark_); }
  /// Drops the rows after `mark`, which `size()` gave before a DoFn failed. For who emits with no timestamp or window
  /// of his own.
  void Rewind(std::size_t mark) {
    batch_.values.Truncate(mark);
    batch_.timestamps.Truncate(mark);
    if (batch_.windows.kind == WindowColumn::Kind::kEach) batch_.windows.each.Truncate(mark);
    if (!batch_.panes.uniform) batch_.panes.each.Truncate(mark);
    if (batch_.has_origins) batch_.origins.Truncate(mark);
  }
  void Flush() {
    if (!batch_.empty()) Deliver();
  }
  Batch<T>& batch() { return batch_; }

 private:
  void EmitCopy(T&& value, std::size_t row, Timestamp time, const BoundedWindow& window) {
    batch_.values.Append(std::move(value));
    batch_.timestamps.Append(time);
    batch_.windows.each.Append(window);
    if (!batch_.panes.uniform) batch_.panes.each.Append(input_->panes.Of(row));
    if (batch_.has_origins) batch_.origins.Append(input_->OriginOf(row));
  }

  // Gives every row its window, so that one with a window of another kind may follow. Nothing is delivered: the element
  // that is being processed may still fail.
  void NameWindows() {
    if (batch_.windows.kind == WindowColumn::Kind::kEach) return;
    same_header_ = false;
    if (batch_.windows.many() && !batch_.empty()) {
      Explode();
    } else {
      for (std::size_t row = 0; row < batch_.size(); ++row) {
        batch_.windows.each.Append(batch_.windows.Of(row, batch_.timestamps[row]));
      }
    }
    batch_.windows.kind = WindowColumn::Kind::kEach;
  }
  void NamePanes() {
    if (!batch_.panes.uniform) return;
    same_header_ = false;
    for (std::size_t row = 0; row < batch_.size(); ++row) batch_.panes.each.Append(PaneInfo(batch_.panes.pane));
    batch_.panes.uniform = false;
  }
  void Explode() {
    std::size_t mark = 0;
    for (std::size_t row = 0; row < mark_ && row < batch_.size(); ++row) {
      batch_.windows.fn.ForEachWindow(batch_.timestamps[row], [&](const BoundedWindow&) { ++mark; });
    }
    Batch<T> exploded;
    ExplodeWindows(batch_, exploded);
    batch_.values.Swap(exploded.values);
    batch_.timestamps.Swap(exploded.timestamps);
    batch_.windows.each.Swap(exploded.windows.each);
    batch_.panes.each.Swap(exploded.panes.each);
    batch_.origins.Swap(exploded.origins);
    mark_ = mark;
  }

  void Deliver() {
    if (!batch_.empty()) port_->Deliver(batch_);
    batch_.Clear();
  }

  Batch<T> batch_;
  const BatchBase* input_ = nullptr;
  bool same_header_ =
      false;  // the batch has windows and panes in the same form as the input: rows are appended as such
  std::size_t mark_ = 0;
  OutputPort* port_ = nullptr;
};

}  // namespace millrace::detail
