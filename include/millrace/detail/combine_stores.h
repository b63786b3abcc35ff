// The tables of an aggregation by window, or by slice, and the memory that passes from one to the next.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/core/windowing.h"
#include "millrace/detail/pane.h"
#include "millrace/detail/sharded_table.h"

namespace millrace::detail {

/// An accumulator whose key and window fire panes.
template <class Accumulator>
struct Paned {
  static constexpr bool kCodable = StateCodable<Accumulator>();

  Accumulator accumulator;
  PaneCell pane;

  void AppendTo(std::string* out) const {
    AppendState(accumulator, out);
    AppendPane(pane, out);
  }
  bool ReadFrom(std::string_view* in) { return ReadState(in, &accumulator) && ReadPane(in, &pane); }
};

/// The keys of one window or slice: in `once` where windows fire once, in `panes` where they have panes.
template <class K, class Accumulator>
struct CombineStore {
  ShardedTable<K, Accumulator> once;
  ShardedTable<K, Paned<Accumulator>> panes;
  std::int64_t units = 0;  // elements that were added
  std::int64_t keys = 0;   // that there are
};

template <class K, class Accumulator>
using CombineStores = std::map<BoundedWindow, CombineStore<K, Accumulator>>;

/// Tables of windows that have fired, kept for the next windows: they will hold about as many keys.
template <class K, class Accumulator>
class SpareTables {
 public:
  void Keep(ShardedTable<K, Accumulator>&& table) {
    if (table.divided() || spares_.size() >= kSparesMax) return;
    table.Reset();
    spares_.push_back(std::move(table));
  }

  /// The store of `window`; one that is made for it takes over the memory of a spare table.
  CombineStore<K, Accumulator>& StoreOf(CombineStores<K, Accumulator>& stores, const BoundedWindow& window) {
    const auto [it, fresh] = stores.try_emplace(window);
    if (fresh && !spares_.empty()) {
      it->second.once = std::move(spares_.back());
      spares_.pop_back();
    }
    return it->second;
  }

 private:
  static constexpr std::size_t kSparesMax = 8;

  std::vector<ShardedTable<K, Accumulator>> spares_;
};

}  // namespace millrace::detail
