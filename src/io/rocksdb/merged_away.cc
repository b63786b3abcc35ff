#include "io/rocksdb/merged_away.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "io/rocksdb/cell_format.h"
#include "io/rocksdb/ordered_key.h"

namespace millrace::io_rocksdb {
namespace {

// The newest version of a cell.
struct Newest {
  std::string key;  // with the version
  std::string value;
};

// Windows of one key: those that begin first, and of these those that end last.
struct ByCover {
  bool operator()(const std::pair<Timestamp, Timestamp>& a, const std::pair<Timestamp, Timestamp>& b) const {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  }
};

class KeyWindows {
 public:
  /// `prefix`: the beginning of all cells of the key.
  explicit KeyWindows(std::string prefix) : prefix_(std::move(prefix)) {}

  /// A version of a cell; of equal ones the first that comes holds.
  void Add(std::string_view key, std::string_view value) {
    std::pair<Timestamp, Timestamp> window;
    WindowOf(IdentityOf(key), &window.first, &window.second);
    const auto [found, is_new] = newest_.try_emplace(window, Newest{std::string(key), std::string(value)});
    // Versions are written such that newer ones come first.
    if (!is_new && key < std::string_view(found->second.key)) found->second = {std::string(key), std::string(value)};
  }

  /// Adds the cells of the store that may cover one of those that are here, or be covered by it.
  void AddNeighbours(rocksdb::Iterator& stored) {
    const Timestamp begin = newest_.begin()->first.first;
    Timestamp end = Timestamp::Min();
    for (const auto& [window, cell] : newest_) end = std::max(end, window.second);
    std::string from = prefix_;
    AppendOrderedInt64(begin.micros(), &from);
    AddLastBefore(stored, from);
    for (stored.Seek(from); stored.Valid() && stored.key().starts_with(prefix_); stored.Next()) {
      const std::string_view key = stored.key().ToStringView();
      std::pair<Timestamp, Timestamp> window;
      if (!IsCellKey(key) || !WindowOf(IdentityOf(key), &window.first, &window.second) || window.first >= end) break;
      Add(key, stored.value().ToStringView());
    }
  }

  void AddRemovals(PendingCells* removals) const {
    bool any = false;
    Timestamp covered_until;
    for (const auto& [window, cell] : newest_) {
      Cell flags;
      bool is_removed = false;
      if (!ReadFlags(cell.value, &flags, &is_removed) || is_removed) continue;
      if (any && window.second <= covered_until) {
        removals->Add(cell.key, RemovedCellValue(cell.value));
      } else {
        covered_until = window.second;
        any = true;
      }
    }
  }

 private:
  // Of the cells that the store has none covers another, so the last one before `from` that is there ends last.
  void AddLastBefore(rocksdb::Iterator& stored, const std::string& from) {
    std::string before = from;
    for (;;) {
      stored.SeekForPrev(before);
      if (!stored.Valid() || !stored.key().starts_with(prefix_) || !IsCellKey(stored.key().ToStringView())) return;
      before = std::string(IdentityOf(stored.key().ToStringView()));
      stored.Seek(before);  // its newest version
      Cell flags;
      bool is_removed = false;
      if (!ReadFlags(stored.value().ToStringView(), &flags, &is_removed)) return;
      if (is_removed) continue;
      return Add(stored.key().ToStringView(), stored.value().ToStringView());
    }
  }

  const std::string prefix_;
  std::map<std::pair<Timestamp, Timestamp>, Newest, ByCover> newest_;
};

}  // namespace

rocksdb::Status AddMergedAway(const PendingCells& cells, const std::set<std::string>& view_prefixes, rocksdb::DB& db,
                              PendingCells* removals) {
  const std::unique_ptr<rocksdb::Iterator> stored(db.NewIterator({}));
  for (std::size_t i = 0; i < cells.size();) {
    const std::string_view first = cells.Key(i);
    if (!IsCellKey(first) || !view_prefixes.contains(std::string(first.substr(0, kViewNumberBytes)))) {
      ++i;
      continue;
    }
    const std::string prefix(first.substr(0, first.size() - kVersionBytes - kWindowBytes));
    KeyWindows windows(prefix);
    // No encoding of key columns begins another, so what has the prefix and the length is of this key.
    for (; i < cells.size() && cells.Key(i).starts_with(prefix); ++i) windows.Add(cells.Key(i), cells.Value(i));
    windows.AddNeighbours(*stored);
    windows.AddRemovals(removals);
    if (!stored->status().ok()) return stored->status();
  }
  return rocksdb::Status::OK();
}

}  // namespace millrace::io_rocksdb
