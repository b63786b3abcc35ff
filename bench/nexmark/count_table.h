// A count per integer key by open addressing with linear probing, as one would write it by hand.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "nexmark/generator.h"

namespace millrace::nexmark {

/// At most half full; grows by doubling. Not thread safe.
class CountTable {
 public:
  explicit CountTable(std::size_t slots = 1'024) { Allocate(std::bit_ceil(slots)); }

  /// Adds `count` > 0 to the key and returns its new count.
  std::int64_t Add(std::int64_t key, std::int64_t count = 1) {
    Slot* slot = Find(key);
    if (slot->count == 0) [[unlikely]] {
      slot = Insert(key);
    }
    return slot->count += count;
  }

  /// Asks the memory for the key's slot ahead of an `Add`.
  void Prefetch(std::int64_t key) const { __builtin_prefetch(&slots_[Home(key)], 1); }

  /// Calls `visit(key, count)` for each key.
  template <class Visit>
  void ForEach(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.count != 0) visit(slot.key, slot.count);
    }
  }

  /// Removes all keys and keeps the memory.
  void Clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    size_ = 0;
  }

  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::int64_t key = 0;
    std::int64_t count = 0;  // 0: the slot is empty
  };

  std::size_t Home(std::int64_t key) const {
    return static_cast<std::size_t>((static_cast<std::uint64_t>(key) * kGamma) >> shift_);
  }

  Slot* Find(std::int64_t key) {
    std::size_t i = Home(key);
    while (slots_[i].key != key && slots_[i].count != 0) i = (i + 1) & mask_;
    return &slots_[i];
  }

  Slot* Insert(std::int64_t key) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    ++size_;
    Slot* slot = Find(key);
    slot->key = key;
    return slot;
  }

  void Grow() {
    const std::vector<Slot> old = std::move(slots_);
    Allocate(2 * old.size());
    for (const Slot& slot : old) {
      if (slot.count != 0) *Find(slot.key) = slot;
    }
  }

  void Allocate(std::size_t slots) {
    slots_.assign(slots, Slot{});
    mask_ = slots - 1;
    shift_ = 64 - std::countr_zero(slots);
  }

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  int shift_ = 0;
  std::size_t size_ = 0;
};

}  // namespace millrace::nexmark
