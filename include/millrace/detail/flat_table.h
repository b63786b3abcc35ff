// The hash table under every keyed operator: open addressing over 16-byte groups of control bytes (the layout known
// from Google's SwissTable, https://abseil.io/about/design/swisstables), with three things of our own. The caller
// brings the hash, computed once for shard, slot and pre-aggregation. Each entry has a dirty bit, so that a checkpoint
// takes only what has changed. Deletion shifts entries back, so there are no tombstones and a table that shrinks and
// grows for months does not decay.
//
// Not thread safe: a shard belongs to one worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "millrace/detail/hash.h"

namespace millrace::detail {

/// A table of `Entry{key, value}`. References are valid until the next insertion or removal.
template <class K, class V>
class FlatTable {
 public:
  struct Entry {
    K key;
    V value;
  };

  FlatTable() = default;
  FlatTable(FlatTable&& other) noexcept { Swap(other); }
  FlatTable& operator=(FlatTable&& other) noexcept {
    FlatTable(std::move(other)).Swap(*this);
    return *this;
  }
  ~FlatTable() { Release(); }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t bytes() const { return capacity_ == 0 ? 0 : capacity_ * (sizeof(Entry) + 1) + kGroup; }

  void Prefetch(std::uint64_t hash) const {
    if (capacity_ == 0) return;
    const std::size_t slot = hash & (capacity_ - 1);
    __builtin_prefetch(control_ + slot);
    __builtin_prefetch(entries_ + slot, 1);
  }

  /// The entry of `key`, made by `make()` (which returns the value) if there is none; it is marked dirty.
  template <class Key, class Make>
  Entry& FindOrInsert(std::uint64_t hash, Key&& key, Make&& make) {
    if (capacity_ != 0) {
      const std::size_t slot = FindSlot(hash, key);
      if (slot != kNone) {
        MarkDirty(slot);
        return entries_[slot];
      }
    }
    if (size_ >= limit_) Grow();
    const std::size_t slot = FirstEmpty(hash);
    new (&entries_[slot]) Entry{K(std::forward<Key>(key)), make()};
    SetControl(slot, static_cast<std::uint8_t>(Tag(hash) | kDirty));
    ++size_;
    return entries_[slot];
  }

  template <class Key>
  Entry* Find(std::uint64_t hash, const Key& key) {
    if (capacity_ == 0) return nullptr;
    const std::size_t slot = FindSlot(hash, key);
    return slot == kNone ? nullptr : &entries_[slot];
  }

  void MarkDirty(const Entry& entry) { MarkDirty(static_cast<std::size_t>(&entry - entries_)); }

  /// Removes the entry that `Find` or `FindOrInsert` gave.
  void Erase(Entry& entry) {
    std::size_t hole = static_cast<std::size_t>(&entry - entries_);
    const std::size_t mask = capacity_ - 1;
    std::size_t next = hole;
    for (;;) {
      next = (next + 1) & mask;
      if (control_[next] == 0) break;
      const std::size_t home = KeyHash(entries_[next].key) & mask;
      // The entry may move into the hole unless its home lies cyclically in (hole, next].
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      entries_[hole] = std::move(entries_[next]);
      SetControl(hole, control_[next]);
      hole = next;
    }
    entries_[hole].~Entry();
    SetControl(hole, 0);
    --size_;
  }

  /// Calls `visit(Entry&)` for each entry, in the order of the slots.
  template <class Visit>
  void ForEach(Visit&& visit) {
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
      if (control_[slot] != 0) visit(entries_[slot]);
    }
  }

  /// Calls `visit(const Entry&)` for the first entries, `at_most` of them.
  template <class Visit>
  void Sample(std::size_t at_most, Visit&& visit) const {
    for (std::size_t slot = 0; slot < capacity_ && at_most > 0; ++slot) {
      if (control_[slot] == 0) continue;
      visit(static_cast<const Entry&>(entries_[slot]));
      --at_most;
    }
  }

  /// Calls `visit(Entry&)` for each entry; those for which it gives true are marked dirty.
  template <class Visit>
  void ForEachChanging(Visit&& visit) {
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
      if (control_[slot] != 0 && visit(entries_[slot])) MarkDirty(slot);
    }
  }

  /// Calls `visit(Entry&)` for the dirty entries and makes them clean.
  template <class Visit>
  void ForEachDirty(Visit&& visit) {
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
      if ((control_[slot] & kDirty) == 0) continue;
      visit(entries_[slot]);
      SetControl(slot, static_cast<std::uint8_t>(control_[slot] & ~kDirty));
    }
  }

  /// Removes the entries for which `stale(Entry&)` is true; the table shrinks when most of it was stale.
  template <class Stale>
  void EraseIf(Stale&& stale) {
    FlatTable kept;
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
      if (control_[slot] == 0 || stale(entries_[slot])) continue;
      kept.MoveIn(entries_[slot], control_[slot]);
    }
    kept.Swap(*this);
  }

  /// Moves every entry into the table that `pick(hash)` names, and becomes empty.
  template <class Pick>
  void MoveInto(Pick&& pick) {
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
      if (control_[slot] == 0) continue;
      FlatTable& target = pick(KeyHash(entries_[slot].key));
      target.MoveIn(entries_[slot], control_[slot]);
    }
    Clear();
  }

  void Clear() { FlatTable().Swap(*this); }
  /// Becomes empty but keeps its memory.
  void Reset() {
    if constexpr (!std::is_trivially_destructible_v<Entry>) {
      ForEach([](Entry& entry) { entry.~Entry(); });
    }
    if (size_ > 0) std::memset(control_, 0, capacity_ + kGroup);
    size_ = 0;
  }

 private:
  static constexpr std::size_t kGroup = 16;
  static constexpr std::size_t kNone = ~std::size_t{0};
  static constexpr std::uint8_t kOccupied = 0x80;
  static constexpr std::uint8_t kDirty = 0x40;

  // Bits 48 to 53 of the hash: the slot comes from the lowest, the shard from the highest.
  static std::uint8_t Tag(std::uint64_t hash) { return static_cast<std::uint8_t>(kOccupied | ((hash >> 48) & 0x3F)); }

#if defined(__SSE2__)
  struct Group {
    __m128i bytes;
    explicit Group(const std::uint8_t* at) : bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))) {}
    std::uint32_t Match(std::uint8_t tag) const {
      const __m128i clean = _mm_and_si128(bytes, _mm_set1_epi8(static_cast<char>(~kDirty)));
      return static_cast<std::uint32_t>(
          _mm_movemask_epi8(_mm_cmpeq_epi8(clean, _mm_set1_epi8(static_cast<char>(tag)))));
    }
    std::uint32_t Empty() const { return ~static_cast<std::uint32_t>(_mm_movemask_epi8(bytes)) & 0xFFFFU; }
  };
#else
  struct Group {
    const std::uint8_t* bytes;
    explicit Group(const std::uint8_t* at) : bytes(at) {}
    std::uint32_t Match(std::uint8_t tag) const {
      std::uint32_t mask = 0;
      for (std::size_t i = 0; i < kGroup; ++i) mask |= static_cast<std::uint32_t>((bytes[i] & ~kDirty) == tag) << i;
      return mask;
    }
    std::uint32_t Empty() const {
      std::uint32_t mask = 0;
      for (std::size_t i = 0; i < kGroup; ++i) mask |= static_cast<std::uint32_t>(bytes[i] == 0) << i;
      return mask;
    }
  };
#endif

  template <class Key>
  std::size_t FindSlot(std::uint64_t hash, const Key& key) const {
    const std::size_t mask = capacity_ - 1;
    const std::uint8_t tag = Tag(hash);
    std::size_t start = hash & mask;
    for (;;) {
      const Group group(control_ + start);
      for (std::uint32_t match = group.Match(tag); match != 0; match &= match - 1) {
        const std::size_t slot = (start + static_cast<std::size_t>(std::countr_zero(match))) & mask;
        if (KeysEqual(entries_[slot].key, key)) [[likely]]
          return slot;
      }
      if (group.Empty() != 0) return kNone;
      start = (start + kGroup) & mask;
    }
  }

  template <class Key>
  static bool KeysEqual(const K& a, const Key& b) {
    if constexpr (std::is_same_v<K, Key>) {
      return KeyEqual(a, b);
    } else {
      return a == b;
    }
  }

  std::size_t FirstEmpty(std::uint64_t hash) const {
    const std::size_t mask = capacity_ - 1;
    for (std::size_t start = hash & mask;; start = (start + kGroup) & mask) {
      const std::uint32_t empty = Group(control_ + start).Empty();
      if (empty != 0) return (start + static_cast<std::size_t>(std::countr_zero(empty))) & mask;
    }
  }

  // The first bytes are repeated after the last, so that a group may be read at any slot.
  void SetControl(std::size_t slot, std::uint8_t value) {
    control_[slot] = value;
    if (slot < kGroup) control_[capacity_ + slot] = value;
  }

  void MarkDirty(std::size_t slot) {
    const std::uint8_t control = control_[slot];
    if ((control & kDirty) == 0) SetControl(slot, static_cast<std::uint8_t>(control | kDirty));
  }

  void MoveIn(Entry& entry, std::uint8_t control) {
    if (size_ >= limit_) Grow();
    const std::size_t slot = FirstEmpty(KeyHash(entry.key));
    new (&entries_[slot]) Entry(std::move(entry));
    SetControl(slot, control);
    ++size_;
  }

  [[gnu::noinline]] void Grow() {
    FlatTable bigger;
    bigger.Allocate(capacity_ == 0 ? kGroup : capacity_ * 2);
    for (std::size_t slot = 0; slot < capacity_; ++slot) {
      if (control_[slot] != 0) bigger.MoveIn(entries_[slot], control_[slot]);
    }
    bigger.Swap(*this);
  }

  void Allocate(std::size_t capacity) {
    control_ = static_cast<std::uint8_t*>(std::calloc(capacity + kGroup, 1));
    entries_ = static_cast<Entry*>(std::aligned_alloc(kAlignment, RoundUp(capacity * sizeof(Entry))));
    if (control_ == nullptr || entries_ == nullptr) {
      std::free(control_);
      std::free(entries_);
      control_ = nullptr;
      entries_ = nullptr;
      throw std::bad_alloc();
    }
    capacity_ = capacity;
    limit_ = capacity - capacity / 8;
  }

  static constexpr std::size_t kAlignment = alignof(Entry) > 16 ? alignof(Entry) : 16;
  static constexpr std::size_t RoundUp(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  void Release() {
    if constexpr (!std::is_trivially_destructible_v<Entry>) {
      ForEach([](Entry& entry) { entry.~Entry(); });
    }
    std::free(control_);
    std::free(entries_);
  }

  void Swap(FlatTable& other) {
    std::swap(control_, other.control_);
    std::swap(entries_, other.entries_);
    std::swap(capacity_, other.capacity_);
    std::swap(limit_, other.limit_);
    std::swap(size_, other.size_);
  }

  std::uint8_t* control_ = nullptr;
  Entry* entries_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t limit_ = 0;
  std::size_t size_ = 0;
};

}  // namespace millrace::detail
