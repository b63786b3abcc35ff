// A FlatTable that is divided into one table per shard once it is large: growing one of 256 small tables pauses for
// microseconds where doubling a single large one pauses for the time of a thousand batches. What does not fit into
// memory goes shard by shard into a state backend and comes back entry by entry (`spilled_entries.h`).
#pragma once

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/detail/flat_table.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/spilled_entries.h"

namespace millrace::detail {

template <class K, class V>
class ShardedTable {
 public:
  using Entry = typename FlatTable<K, V>::Entry;
  static constexpr bool kCanSpill = EntryCodable<K, V>();

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
    if (spilled_ != nullptr) [[unlikely]] {
      TakeBack(hash, key);
    }
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
    if (spilled_ != nullptr) [[unlikely]] {
      TakeBack(hash, key);
    }
    return TableOf(hash).Find(hash, key);
  }

  template <class Visit>
  void ForEach(Visit&& visit) {
    if (spilled_ != nullptr) [[unlikely]] {
      for (int shard = 0; shard < kShards; ++shard)
        ForEachOutside(shard, [&](std::uint64_t, Entry& entry) { visit(entry); });
    }
    whole_.ForEach(visit);
    for (FlatTable<K, V>& shard : shards_) shard.ForEach(visit);
  }
  /// Those of one shard.
  template <class Visit>
  [[gnu::cold]] void ForEachOfShard(int shard, Visit&& visit) {
    ForEachOutside(shard, [&](std::uint64_t, Entry& entry) { visit(entry); });
    whole_.ForEach([&](Entry& entry) {
      if (ShardOf(KeyHash(entry.key)) == shard) visit(entry);
    });
    if (!shards_.empty()) shards_[static_cast<std::size_t>(shard)].ForEach(visit);
  }
  /// Those for which `visit(Entry&)` gives true are marked dirty.
  template <class Visit>
  void ForEachChanging(Visit&& visit) {
    if (spilled_ != nullptr) [[unlikely]] {
      for (int shard = 0; shard < kShards; ++shard) {
        ForEachOutside(shard, [&](std::uint64_t hash, Entry& entry) {
          if constexpr (kCanSpill) {
            if (visit(entry)) spilled_->Put(hash, entry, true);
          }
        });
      }
    }
    whole_.ForEachChanging(visit);
    for (FlatTable<K, V>& shard : shards_) shard.ForEachChanging(visit);
  }
  /// The entry that `Find` gave has been changed.
  void MarkDirty(std::uint64_t hash, const Entry& entry) { TableOf(hash).MarkDirty(entry); }
  /// For a snapshot: calls `visit(Entry&)` for each entry in memory, or only for the dirty ones, and makes all of them
  /// clean. What is outside comes from `SaveOutside`, before it.
  template <class Visit>
  void ForEachSaving(bool all, Visit&& visit) {
    if (all) {
      whole_.ForEach(visit);
      for (FlatTable<K, V>& shard : shards_) shard.ForEach(visit);
    }
    ForEachDirty([&](Entry& entry) {
      if (!all) visit(entry);
    });
  }
  /// All that has ever been outside memory, for a snapshot of everything. What has changed in memory since comes later
  /// in the checkpoint and holds.
  void SaveOutside(StateWriter& writer, std::size_t state) {
    if constexpr (kCanSpill) {
      if (spilled_ != nullptr && writer.full()) writer.Precede(state, spilled_->Chunks());
    }
  }
  /// Those in memory.
  template <class Visit>
  void ForEachDirty(Visit&& visit) {
    whole_.ForEachDirty(visit);
    for (FlatTable<K, V>& shard : shards_) shard.ForEachDirty(visit);
  }
  /// Removes the entry that `Find` or `FindOrInsert` gave. No checkpoint is told: what was saved of it must be of no
  /// use at the watermark of the next one.
  void Erase(std::uint64_t hash, Entry& entry) {
    if constexpr (kCanSpill) {
      if (spilled_ != nullptr) spilled_->Remove(hash, entry);
    }
    TableOf(hash).Erase(entry);
  }
  template <class Stale>
  void EraseIf(Stale&& stale) {
    if (spilled_ != nullptr) [[unlikely]] {
      EraseOutside(stale);
    }
    whole_.EraseIf(stale);
    for (FlatTable<K, V>& shard : shards_) shard.EraseIf(stale);
  }
  /// Becomes empty; a table that was not divided keeps its memory for the next use.
  void Reset() {
    whole_.Reset();
    shards_.clear();
    spilled_.reset();
  }

  /// Gives up at least `wanted` bytes of memory if it holds so many, and returns how many it has given up. Entries are
  /// to be asked for again.
  [[gnu::cold]] std::size_t Spill(Spiller& spiller, const EntryFrame& frame, std::size_t wanted) {
    std::size_t given = 0;
    if constexpr (kCanSpill) {
      if (bytes() == 0) return 0;
      if (spilled_ == nullptr) spilled_ = std::make_unique<Outside>(spiller, frame);
      given += SpillTable(whole_);
      for (std::size_t i = 0; i < shards_.size() && given < wanted; ++i) {
        given += SpillTable(shards_[next_spilled_++ % kShards]);
      }
    }
    return given;
  }

  /// In memory.
  std::size_t size() const {
    std::size_t sum = whole_.size();
    for (const FlatTable<K, V>& shard : shards_) sum += shard.size();
    return sum;
  }
  /// Of memory, with an estimate of what its entries have elsewhere.
  std::size_t bytes() const {
    std::size_t sum = BytesOf(whole_);
    for (const FlatTable<K, V>& shard : shards_) sum += BytesOf(shard);
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

  // Strings and lists have memory of their own, about as much as they are long when they are encoded.
  static std::size_t BytesOf(const FlatTable<K, V>& table) {
    std::size_t bytes = table.bytes();
    if constexpr (kCanSpill && !std::is_trivially_copyable_v<Entry>) bytes += table.size() * BytesElsewhere(table);
    return bytes;
  }
  [[gnu::cold]] static std::size_t BytesElsewhere(const FlatTable<K, V>& table) {
    std::string encoded;
    std::size_t sampled = 0;
    table.Sample(4, [&](const Entry& entry) {
      AppendState(entry.key, &encoded);
      AppendEntryValue(entry.value, &encoded);
      ++sampled;
    });
    return sampled == 0 ? 0 : encoded.size() / sampled;
  }

  // If the entry of `key` is outside and not in memory, it is afterwards.
  template <class Key>
  [[gnu::cold, gnu::noinline]] void TakeBack(std::uint64_t hash, const Key& key) {
    if constexpr (kCanSpill) {
      if (TableOf(hash).Find(hash, key) != nullptr) return;
      V value{};
      const K own(key);
      if (!spilled_->Get(hash, own, &value)) return;
      TableOf(hash).FindOrInsert(hash, own, [&value] { return std::move(value); });
      if (whole_.size() > kDivideAt) Divide();
    }
  }

  // Calls `visit(hash, Entry&)` for the entries of a shard that are only outside memory.
  template <class Visit>
  [[gnu::cold]] void ForEachOutside(int shard, Visit&& visit) {
    if constexpr (kCanSpill) {
      if (spilled_ == nullptr) return;
      spilled_->ForEach(shard, [&](std::uint64_t hash, Entry& entry) {
        if (TableOf(hash).Find(hash, entry.key) == nullptr) visit(hash, entry);
      });
    }
  }

  template <class Stale>
  [[gnu::cold]] void EraseOutside(Stale&& stale) {
    if constexpr (kCanSpill) {
      for (int shard = 0; shard < kShards; ++shard) {
        spilled_->ForEach(shard, [&](std::uint64_t hash, Entry& entry) {
          const Entry* held = TableOf(hash).Find(hash, entry.key);
          if (stale(held == nullptr ? entry : *held)) spilled_->Remove(hash, entry);
        });
      }
    }
  }

  [[gnu::cold]] std::size_t SpillTable(FlatTable<K, V>& table) {
    const std::size_t bytes = BytesOf(table);
    if (table.size() == 0) return 0;
    table.ForEach([this](Entry& entry) { spilled_->Put(KeyHash(entry.key), entry, false); });
    table.ForEachDirty([this](Entry& entry) { spilled_->Changed(entry); });
    table.Clear();
    return bytes;
  }

  struct Nothing {};
  using Outside = std::conditional_t<kCanSpill, SpilledEntries<Entry>, Nothing>;

  FlatTable<K, V> whole_;
  std::vector<FlatTable<K, V>> shards_;
  std::unique_ptr<Outside> spilled_;
  std::size_t next_spilled_ = 0;  // the shard whose turn it is, modulo their number
};

/// At a barrier: writes the table's entries, or those that have changed, as `frame` says.
template <class K, class V>
[[gnu::noinline]] void SaveEntries(ShardedTable<K, V>& table, const EntryFrame& frame, StateWriter& writer,
                                   std::size_t state) {
  table.SaveOutside(writer, state);
  bool named = false;
  table.ForEachSaving(writer.full(), [&](const auto& entry) {
    std::string* out = writer.To(state);
    if (!named || out->empty()) out->append(frame.header);
    named = true;
    out->append(frame.mark);
    AppendState(entry.key, out);
    AppendEntryValue(entry.value, out);
  });
}

}  // namespace millrace::detail
