// The seam between the operator that knows windows, watermarks and triggers (`exec/combine.cc`) and the typed tables
// that hold accumulators (`detail/combine_kernel.h`).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "millrace/core/windowing.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/pane.h"

namespace millrace::detail {

/// How an aggregation runs.
struct AggregatePlan {
  WindowingStrategy windowing;
  /// Each (key, window) has a PaneCell and may fire several times. Otherwise a window fires once, all keys together.
  bool panes = false;
  /// Accumulators are kept per slice of this length and merged when a window fires; 0 where windows do not overlap.
  std::int64_t slice_micros = 0;
};

/// Which of a window's keys a firing is for.
enum class FiringReason : std::uint8_t {
  kOnTime,    // the watermark has passed the end of the window: every key
  kDeadline,  // processing time has passed the deadline of some keys: those
  kExpired,   // the window is about to be dropped: keys with elements that no pane has shown
};

/// What the kernel asks of the operator, once per window and not per element.
class WindowGate {
 public:
  virtual ~WindowGate() = default;
  /// False if the window has expired, so that what belongs to it is late. Registers a window that is not known yet.
  virtual bool Admit(const BoundedWindow& window) = 0;
  /// Of the windows that share the slice, how many have expired. Registers the others.
  virtual int AdmitSlice(const BoundedWindow& slice, int* expired) = 0;
  /// The window has been admitted and has not expired; of a slice: a window that contains it.
  virtual bool IsOpen(const BoundedWindow& window, bool is_slice) const = 0;
  /// The watermark has passed the end of the window, and the on-time firing, if it has one, has been made.
  virtual bool PastOnTime(const BoundedWindow& window) const = 0;
  /// Some key of the window wants to fire at that processing time.
  virtual void SetDeadline(const BoundedWindow& window, std::int64_t deadline_micros) = 0;
  /// An element of the input has come for the window, or for the windows of the slice, of which those that have expired
  /// do without it.
  virtual void DropLate(const BoundedWindow& window, bool is_slice, Timestamp time, const void* element,
                        Origin origin) = 0;
  /// Other workers may know by now, or soon, that the window (one of those of the slice) has expired: an element for it
  /// is sent as it is, so that its owner can decide, and keep it if it is late.
  virtual bool MayBeLateElsewhere(const BoundedWindow& window, bool is_slice) const = 0;
};

/// The failure of a partial accumulator that comes for a window which has expired: its elements can no longer be told
/// apart, so whoever sent it should have sent them as they were.
inline Status LatePartial(const OperatorContext& context, const BoundedWindow& window) {
  return InternalError(context.label() + ": elements were combined for the expired window " + window.ToString() +
                       " before it was known that they are late");
}

/// What of the conservation ledger only the tables know.
struct TableCounts {
  std::int64_t closed = 0;     // units in windows that were closed
  std::int64_t keys_lost = 0;  // that were put into the table of a window and were not there when it was walked
};

/// One table of the state: what was put into it.
struct TableContent {
  BoundedWindow window;
  bool is_slice = false;
  std::int64_t units = 0;  // elements
  std::int64_t keys = 0;
};

class AggregateKernel {
 public:
  virtual ~AggregateKernel() = default;

  virtual TableCounts counts() const { return counts_; }
  /// What the tables hold now, in the order of their windows; slices come last.
  virtual std::vector<TableContent> Contents() const = 0;
  /// At the barrier that the run starts from, so many elements were in a table. After `FinishRestore`, on one worker;
  /// the entries are with the workers that own them.
  virtual void AddUnits(const BoundedWindow& window, bool is_slice, std::int64_t units) = 0;

  virtual void Open(OperatorContext& context, const AggregatePlan& plan, WindowGate& gate) = 0;
  /// Adds the elements whose keys are this worker's, and keeps or ships the others.
  virtual void Add(BatchBase& batch) = 0;
  virtual void AddRemote(BatchBase& batch) = 0;
  /// Ships what is kept back for others and they need before they learn `watermark`.
  virtual void FlushRemote(Timestamp watermark) = 0;
  /// Emits every key of the window from its own table and those of `slices`, which stay. For plans without panes; the
  /// window's own table is given up.
  virtual void FireOnce(const BoundedWindow& window, std::span<const BoundedWindow> slices) = 0;
  /// Emits the panes that `reason` names. For plans with panes.
  virtual void FirePanes(const BoundedWindow& window, FiringReason reason, bool is_last) = 0;
  /// Gives up the table of a window or slice.
  virtual void Drop(const BoundedWindow& window) = 0;
  /// The watermark has moved: cached admissions are void.
  virtual void ForgetAdmissions() = 0;
  /// Emits the output of an accumulator without input, in the global window. For CombineGlobally.
  virtual void EmitDefault() = 0;
  /// Hands on what the kernel has emitted.
  virtual void FlushOutput() = 0;
  virtual std::size_t StateBytes() const = 0;

  // Checkpoints; as the functions of the same names of `Operator`.
  virtual StateDescription DescribeState() const = 0;
  virtual void SaveState(StateWriter& writer, std::size_t state) = 0;
  virtual std::size_t SpillState(std::size_t wanted) = 0;
  virtual Status RestoreState(const SavedSection& section) = 0;
  /// Gives up what is of windows that are not open, and takes all the rest as saved.
  virtual void FinishRestore() = 0;

 protected:
  TableCounts counts_;
};

}  // namespace millrace::detail
