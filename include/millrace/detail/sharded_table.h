// A FlatTable that is divided into one table per shard once it is large: growing one of 256 small tables pauses for
// microseconds where doubling a single large one pauses for the time of a thousand batches.
#pragma once

#include <vector>

#include "millrace/detail/flat_table.h"
#include "millrace/detail/operator.h"

namespace millrace::detail {

template <class K, class V>
class ShardedTable {
 public:
  using Entry = typename FlatTable<K, V>::Entry;

  FlatTable<K, V>& TableOf(std::uint64_t hash) {
    return shards_.empty() ? whole_ : shards_[static_cast<std::size_t>(ShardOf(hash))];
  }
  void Prefetch(std::uint64_t hash) const {
    if (shards_.empty()) {
      whole_.Prefetch(hash);
    } else {
      shards_[static_cast<std::size_t>(ShardOf(hash))].Prefetch(hash);
    }
  }
  /// Too large for the nearer caches, so that prefetching pays.
  bool large() const { return !shards_.empty() || whole_.bytes() > kLargeBytes; }
  bool divided() const { return !shards_.empty(); }

  template <class Key, class Make>
  Entry& FindOrInsert(std::uint64_t hash, Key&& key, Make&& make) {
    Entry& entry = TableOf(hash).FindOrInsert(hash, std::forward<Key>(key), std::forward<Make>(make));
    if (whole_.size() <= kDivideAt) [[likely]] {
      return entry;
    }
    const K moved = entry.key;
    Divide();
    return *TableOf(hash).Find(hash, moved);
  }
  template <class Key>
  Entry* Find(std::uint64_t hash, const Key& key) {
    return TableOf(hash).Find(hash, key);
  }
  void Erase(std::uint64_t hash, Entry& entry) { TableOf(hash).Erase(entry); }

  template <class Visit>
  void ForEach(Visit&& visit) {
    whole_.ForEach(visit);
    for (FlatTable<K, V>& shard : shards_) shard.ForEach(visit);
  }
  template <class Visit>
  void ForEachChanging(Visit&& visit) {
    whole_.ForEachChanging(visit);
    for (FlatTable<K, V>& shard : shards_) shard.ForEachChanging(visit);
  }
  /// The entry that `Find` gave has been changed.
  void MarkDirty(std::uint64_t hash, const Entry& entry) { TableOf(hash).MarkDirty(entry); }
  /// For a snapshot: calls `visit(Entry&)` for each entry, or only for the dirty ones, and makes all of them clean.
  template <class Visit>
  void ForEachSaving(bool all, Visit&& visit) {
    if (all) ForEach(visit);
    ForEachDirty([&](Entry& entry) {
      if (!all) visit(entry);
    });
  }
  template <class Visit>
  void ForEachDirty(Visit&& visit) {
    whole_.ForEachDirty(visit);
    for (FlatTable<K, V>& shard : shards_) shard.ForEachDirty(visit);
  }
  template <class Stale>
  void EraseIf(Stale&& stale) {
    whole_.EraseIf(stale);
    for (FlatTable<K, V>& shard : shards_) shard.EraseIf(stale);
  }
  /// Becomes empty; a table that was not divided keeps its memory for the next use.
  void Reset() {
    whole_.Reset();
    shards_.clear();
  }

  std::size_t size() const {
    std::size_t sum = whole_.size();
    for (const FlatTable<K, V>& shard : shards_) sum += shard.size();
    return sum;
  }
  std::size_t bytes() const {
    std::size_t sum = whole_.bytes();
    for (const FlatTable<K, V>& shard : shards_) sum += shard.bytes();
    return sum;
  }

 private:
  static constexpr std::size_t kDivideAt = std::size_t{1} << 16;
  static constexpr std::size_t kLargeBytes = std::size_t{1} << 18;

  [[gnu::cold]] void Divide() {
    shards_.resize(kShards);
    whole_.MoveInto(
        [this](std::uint64_t hash) -> FlatTable<K, V>& { return shards_[static_cast<std::size_t>(ShardOf(hash))]; });
  }

  FlatTable<K, V> whole_;
  std::vector<FlatTable<K, V>> shards_;
};

}  // namespace millrace::detail
