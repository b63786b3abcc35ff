// What operators exchange: some hundred elements with their timestamps, windows and panes. Windows and panes are stored
// once when they are all the same, and not at all while they follow from the timestamps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "millrace/core/window.h"
#include "millrace/detail/column.h"

namespace millrace::detail {

/// The number of elements a batch should have: enough to hide a virtual call, few enough to stay in the first cache.
inline constexpr std::size_t kBatchElements = 512;

/// The windows of a batch's elements.
struct WindowColumn {
  enum class Kind : std::uint8_t {
    kUniform,   // all in `uniform`
    kImplicit,  // `fn` of each element's timestamp, which may be several windows
    kEach,      // one per element in `each`
  };

  Kind kind = Kind::kUniform;
  BoundedWindow uniform{};
  WindowFn fn{};
  Column<BoundedWindow> each;

  void SetUniform(const BoundedWindow& window) {
    kind = Kind::kUniform;
    uniform = window;
    each.Clear();
  }
  void SetImplicit(const WindowFn& window_fn) {
    if (window_fn.kind == WindowFn::Kind::kGlobal) return SetUniform(BoundedWindow::Global());
    kind = Kind::kImplicit;
    fn = window_fn;
    each.Clear();
  }
  /// An element may be in several windows.
  bool many() const { return kind == Kind::kImplicit && fn.assigns_many(); }
  /// The only window of element `index`. Not when `many()`.
  BoundedWindow Of(std::size_t index, Timestamp time) const {
    if (kind == Kind::kUniform) return uniform;
    return kind == Kind::kEach ? each[index] : fn.At(fn.LastStart(time));
  }
  /// The same kind, and with it the same window or window function: rows of one may follow rows of the other.
  bool SameHeader(const WindowColumn& other) const {
    return kind == other.kind &&
           (kind == Kind::kEach || (kind == Kind::kUniform ? uniform == other.uniform : fn == other.fn));
  }
  void CopyHeader(const WindowColumn& other) {
    kind = other.kind;
    uniform = other.uniform;
    fn = other.fn;
  }
};

/// The panes of a batch's elements: one for all, or one per element.
struct PaneColumn {
  bool uniform = true;
  PaneInfo pane{};
  Column<PaneInfo> each;

  void SetUniform(const PaneInfo& info) {
    uniform = true;
    pane = info;
    each.Clear();
  }
  const PaneInfo& Of(std::size_t index) const { return uniform ? pane : each[index]; }
};

/// Where a row of the input came from: the partition in the upper 16 bits, as a number that the run gives to it, and
/// its position there in the others.
using Origin = std::uint64_t;
inline constexpr Origin kUnknownOrigin = ~Origin{0};
inline constexpr int kOriginPositionBits = 48;

/// A batch without its values. The receiver of an exclusive batch may take its contents; it must not keep the batch.
class BatchBase {
 public:
  BatchBase() = default;
  BatchBase(const BatchBase&) = delete;
  BatchBase& operator=(const BatchBase&) = delete;
  virtual ~BatchBase() = default;

  std::size_t size() const { return timestamps.size(); }
  bool empty() const { return timestamps.empty(); }

  /// Takes window, pane and provenance headers of `other`, not its rows.
  void CopyHeader(const BatchBase& other) {
    has_origins = other.has_origins;
    windows.CopyHeader(other.windows);
    panes.uniform = other.panes.uniform;
    panes.pane = other.panes.pane;
  }
  bool SameHeader(const BatchBase& other) const {
    return windows.SameHeader(other.windows) && panes.uniform == other.panes.uniform &&
           has_origins == other.has_origins && (!panes.uniform || panes.pane == other.panes.pane);
  }
  /// Appends timestamp, window, pane and origin of row `index` of `other`, whose header is the same.
  void AppendRow(const BatchBase& other, std::size_t index) { AppendRow(other, index, other.timestamps[index]); }
  void AppendRow(const BatchBase& other, std::size_t index, Timestamp time) {
    timestamps.Append(time);
    if (windows.kind == WindowColumn::Kind::kEach) windows.each.Append(other.windows.each[index]);
    if (!panes.uniform) panes.each.Append(other.panes.each[index]);
    if (has_origins) origins.Append(other.OriginOf(index));
  }
  /// Where row `index` came from, if that is known.
  Origin OriginOf(std::size_t index) const { return has_origins ? origins[index] : kUnknownOrigin; }
  void ClearRows() {
    timestamps.Clear();
    windows.each.Clear();
    panes.each.Clear();
    origins.Clear();
  }

  /// The address of value `index`, for operators that do not know the type.
  virtual const void* ValueAt(std::size_t index) const = 0;
  virtual void Clear() = 0;
  /// Appends row `index` of `other`, a batch of the same type with the same header, with its value copied.
  virtual void CopyRow(const BatchBase& other, std::size_t index) = 0;
  virtual std::unique_ptr<BatchBase> MakeEmpty() const = 0;

  Column<Timestamp> timestamps;
  Column<std::uint64_t> hashes;  // of the keys, where a keyed operator has computed them; else empty
  WindowColumn windows;
  PaneColumn panes;
  Column<Origin> origins;    // one per row if there are any
  bool has_origins = false;  // where the source tells them and a step ahead wants them
  bool shared = false;       // several consumers see this batch: read only
};

template <class T>
class Batch final : public BatchBase {
 public:
  const void* ValueAt(std::size_t index) const override { return &values[index]; }
  void Clear() override {
    ClearRows();
    hashes.Clear();
    values.Clear();
  }
  void CopyRow(const BatchBase& other, std::size_t index) override {
    if constexpr (std::is_copy_constructible_v<T>) values.Append(static_cast<const Batch&>(other).values[index]);
    AppendRow(other, index);
  }
  std::unique_ptr<BatchBase> MakeEmpty() const override { return std::make_unique<Batch>(); }

  Column<T> values;
};

/// How many (element, window) pairs a batch has.
std::int64_t CountInWindows(const BatchBase& batch);

/// Splits a batch whose elements are in many windows into `target`, one row per element and window.
inline void ExplodeWindows(const BatchBase& batch, BatchBase& target) {
  target.Clear();
  target.has_origins = batch.has_origins;
  target.panes.uniform = batch.panes.uniform;
  target.panes.pane = batch.panes.pane;
  target.windows.kind = WindowColumn::Kind::kUniform;
  for (std::size_t row = 0; row < batch.size(); ++row) {
    batch.windows.fn.ForEachWindow(batch.timestamps[row], [&](const BoundedWindow& window) {
      target.CopyRow(batch, row);
      target.windows.each.Append(window);
    });
  }
  target.windows.kind = WindowColumn::Kind::kEach;
}

}  // namespace millrace::detail
