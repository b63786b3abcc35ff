// The entries of one table that are outside memory, encoded as a checkpoint has them.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/detail/operator.h"
#include "millrace/detail/spill.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

/// Whether tables of `V` by `K` can spill. A value that is written in its own way has `kCodable`, `AppendTo` and
/// `ReadFrom`.
template <class K, class V>
constexpr bool EntryCodable() {
  if constexpr (requires { V::kCodable; }) {
    return StateCodable<K>() && V::kCodable;
  } else {
    return StateCodable<K>() && StateCodable<V>();
  }
}

template <class V>
[[gnu::noinline]] void AppendEntryValue(const V& value, std::string* out) {
  if constexpr (requires { value.AppendTo(out); }) {
    value.AppendTo(out);
  } else {
    AppendState(value, out);
  }
}

template <class V>
[[gnu::noinline]] bool ReadEntryValue(std::string_view* in, V* value) {
  if constexpr (requires { value->ReadFrom(in); }) {
    return value->ReadFrom(in);
  } else {
    return ReadState(in, value);
  }
}

/// How the entries of a table stand in a checkpoint: `header` before those of a chunk, `mark` before each.
struct EntryFrame {
  std::string header;
  std::string mark;
};

/// An entry may be here and in memory, too: then the one in memory holds. Entry has `key` and `value`. One thread.
template <class Entry>
class SpilledEntries {
 public:
  SpilledEntries(Spiller& spiller, EntryFrame frame)
      : spiller_(spiller), frame_(std::move(frame)), table_(spiller.NewTable()) {}

  /// `changed`: since the last barrier.
  void Put(std::uint64_t hash, const Entry& entry, bool changed) {
    Encode(entry);
    shards_.set(static_cast<std::size_t>(ShardOf(hash)));
    table_->Put(ShardOf(hash), key_, value_);
    if (changed) spiller_.Changed(frame_.header, frame_.mark + key_ + value_);
  }
  /// Only tells the next checkpoint of it.
  void Changed(const Entry& entry) {
    Encode(entry);
    spiller_.Changed(frame_.header, frame_.mark + key_ + value_);
  }
  template <class Key, class Value>
  bool Get(std::uint64_t hash, const Key& key, Value* value) {
    if (!shards_.test(static_cast<std::size_t>(ShardOf(hash)))) return false;
    key_.clear();
    AppendState(key, &key_);
    if (!table_->Get(ShardOf(hash), key_, &value_)) return false;
    std::string_view rest = value_;
    if (!ReadEntryValue(&rest, value)) throw PipelineFailure(Unreadable());
    return true;
  }
  void Remove(std::uint64_t hash, const Entry& entry) {
    Encode(entry);
    table_->Remove(ShardOf(hash), key_);
  }
  /// Calls `visit(hash, Entry&)` for each entry of the shard; it may call `Put` and `Remove`.
  template <class Visit>
  void ForEach(int shard, Visit&& visit) {
    if (!shards_.test(static_cast<std::size_t>(shard))) return;
    table_->ForEach(shard, [&](std::string_view key, std::string_view value) {
      Entry entry{};
      if (!ReadState(&key, &entry.key) || !ReadEntryValue(&value, &entry.value)) return Unreadable();
      visit(KeyHash(entry.key), entry);
      return OkStatus();
    });
  }
  ChunkSource Chunks() { return ChunksOf(table_->Snapshot(), frame_.header, frame_.mark); }

 private:
  void Encode(const Entry& entry) {
    key_.clear();
    value_.clear();
    AppendState(entry.key, &key_);
    AppendEntryValue(entry.value, &value_);
  }
  static Status Unreadable() { return DataLossError("the state backend gave back an entry that cannot be read"); }

  Spiller& spiller_;
  const EntryFrame frame_;
  std::unique_ptr<SpillTable> table_;
  std::bitset<kShards> shards_;  // those that have an entry
  std::string key_;
  std::string value_;
};

}  // namespace millrace::detail
