// Sessions as the plain loop makes them: each key's events sorted, a new session wherever the gap is reached.
#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "../laws/law_source.h"

namespace millrace::laws {

using Cell = std::pair<BoundedWindow, std::int64_t>;  // window, key
using Groups = std::map<Cell, std::vector<std::int64_t>>;

/// The values of each session, sorted.
inline Groups PlainSessions(const std::vector<Partition>& partitions, Duration gap) {
  std::map<std::int64_t, std::vector<std::pair<Timestamp, std::int64_t>>> by_key;
  for (const Partition& partition : partitions) {
    for (const Event& event : partition) by_key[event.key].emplace_back(event.at, event.value);
  }
  Groups sessions;
  for (auto& [key, events] : by_key) {
    std::sort(events.begin(), events.end());
    for (std::size_t from = 0; from < events.size();) {
      std::size_t to = from + 1;
      while (to < events.size() && events[to].first < events[to - 1].first + gap) ++to;
      std::vector<std::int64_t>& values = sessions[{{events[from].first, events[to - 1].first + gap}, key}];
      for (; from < to; ++from) values.push_back(events[from].second);
      std::sort(values.begin(), values.end());
    }
  }
  return sessions;
}

inline std::int64_t SumOf(const std::vector<std::int64_t>& values) {
  std::int64_t sum = 0;
  for (const std::int64_t value : values) sum += value;
  return sum;
}

/// The sum of each session.
inline std::map<Cell, std::int64_t> PlainSums(const std::vector<Partition>& partitions, Duration gap) {
  std::map<Cell, std::int64_t> sums;
  for (const auto& [cell, values] : PlainSessions(partitions, gap)) sums[cell] = SumOf(values);
  return sums;
}

/// Without the cells whose windows lie within that of another cell of their key: they were merged away.
template <class T>
std::map<Cell, T> WithoutMerged(const std::map<Cell, T>& cells) {
  // By key, start, and the later end first: one that lies within another comes after it.
  std::map<std::tuple<std::int64_t, Timestamp, std::int64_t>, const Cell*> order;
  for (const auto& [cell, value] : cells) {
    order[{cell.second, cell.first.start, -cell.first.end.micros()}] = &cell;
  }
  std::map<Cell, T> kept;
  const Cell* last = nullptr;
  for (const auto& [rank, cell] : order) {
    if (last != nullptr && last->second == cell->second && last->first.end >= cell->first.end) continue;
    kept[*cell] = cells.at(*cell);
    last = cell;
  }
  return kept;
}

}  // namespace millrace::laws
