// What an aggregation emits: all keys of a window at once, or panes of single keys.
#pragma once

#include <utility>

#include "millrace/detail/combine_row.h"
#include "millrace/detail/combine_stores.h"
#include "millrace/detail/output_buffer.h"

namespace millrace::detail {

template <class K, class Fn>
class CombineOutput {
 public:
  static constexpr bool kGlobally = std::is_same_v<K, SingleKey>;
  using Accumulator = decltype(std::declval<const Fn&>().CreateAccumulator());
  using Extracted = decltype(std::declval<const Fn&>().ExtractOutput(std::declval<const Accumulator&>()));
  using Row = std::conditional_t<kGlobally, Extracted, KV<K, Extracted>>;

  explicit CombineOutput(const Fn& fn) : fn_(fn) {}

  void Open(OutputPort& port) { rows_.Open(port); }
  bool full() const { return rows_.full(); }
  void Flush() { rows_.Flush(); }

  /// Every key of `table`, whose accumulators are moved from, as the only firing of `window`. Gives their number.
  std::int64_t EmitAll(ShardedTable<K, Accumulator>& table, const BoundedWindow& window) {
    std::int64_t keys = 0;
    Batch<Row>& batch = rows_.batch();
    const PaneInfo pane{.timing = PaneInfo::Timing::kOnTime};
    table.ForEach([&](auto& entry) {
      ++keys;
      batch.timestamps.Append(window.max_timestamp());
      if constexpr (kGlobally) {
        batch.values.Append(fn_.ExtractOutput(std::move(entry.value)));
      } else {
        batch.values.Append(std::move(entry.key), fn_.ExtractOutput(std::move(entry.value)));
      }
      if (batch.size() >= kBatchElements) {
        batch.windows.SetUniform(window);
        batch.panes.SetUniform(pane);
        Flush();
      }
    });
    batch.windows.SetUniform(window);
    batch.panes.SetUniform(pane);
    Flush();
    return keys;
  }

  /// The pane of one key that fires now; in discarding mode its accumulator starts anew.
  template <class Entry>
  [[gnu::noinline]] void EmitPane(Entry& entry, const BoundedWindow& window, PaneInfo::Timing timing, bool is_last,
                                  AccumulationMode mode) {
    const PaneInfo pane = entry.value.pane.Fire(timing, is_last);
    if constexpr (kGlobally) {
      rows_.EmitIn(fn_.ExtractOutput(entry.value.accumulator), window.max_timestamp(), window, pane);
    } else {
      rows_.EmitIn(Row{entry.key, fn_.ExtractOutput(entry.value.accumulator)}, window.max_timestamp(), window, pane);
    }
    if (mode == AccumulationMode::kDiscarding) entry.value.accumulator = fn_.CreateAccumulator();
  }

  /// The output of an accumulator without input, in the global window. For CombineGlobally.
  [[gnu::cold]] void EmitDefault() {
    if constexpr (kGlobally) {
      rows_.EmitIn(fn_.ExtractOutput(fn_.CreateAccumulator()), BoundedWindow::Global().max_timestamp(),
                   BoundedWindow::Global(), PaneInfo{.timing = PaneInfo::Timing::kOnTime});
      Flush();
    }
  }

 private:
  const Fn& fn_;
  OutputBuffer<Row> rows_;
};

}  // namespace millrace::detail
