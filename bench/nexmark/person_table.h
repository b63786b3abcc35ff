// Who appeared and who sold in one window: the state of q8's loop.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nexmark/generator.h"

namespace millrace::nexmark {

/// One entry per person id that was seen as a person, as a seller or as both. Open addressing, at most half full; an id
/// is positive. Not thread safe.
class PersonTable {
 public:
  PersonTable() { Allocate(kFirstSlots); }

  void AddPerson(std::int64_t id, std::string&& name) {
    Slot& slot = FindOrInsert(id);
    if (slot.name != kNoName) return;
    slot.name = static_cast<std::uint32_t>(names_.size());
    names_.push_back(std::move(name));
  }

  void AddSeller(std::int64_t id) { FindOrInsert(id).is_seller = 1; }

  /// Calls `visit(id, std::move(name))` for each id that is both. The table can only be cleared afterwards.
  template <class Visit>
  void TakeNewSellers(Visit visit) {
    for (const Slot& slot : slots_) {
      if (slot.is_seller != 0 && slot.name != kNoName) visit(slot.id, std::move(names_[slot.name]));
    }
  }

  /// Removes all entries and keeps the memory.
  void Clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    names_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::size_t kFirstSlots = 1'024;
  static constexpr std::uint32_t kNoName = 0xffff'ffff;

  struct Slot {
    std::int64_t id = 0;  // 0: the slot is empty
    std::uint32_t name = kNoName;
    std::uint32_t is_seller = 0;
  };

  Slot* Find(std::int64_t id) {
    std::size_t i = static_cast<std::size_t>((static_cast<std::uint64_t>(id) * kGamma) >> shift_);
    while (slots_[i].id != id && slots_[i].id != 0) i = (i + 1) & mask_;
    return &slots_[i];
  }

  Slot& FindOrInsert(std::int64_t id) {
    Slot* slot = Find(id);
    if (slot->id == 0) [[unlikely]] {
      if (2 * (size_ + 1) > slots_.size()) Grow();
      ++size_;
      slot = Find(id);
      slot->id = id;
    }
    return *slot;
  }

  void Grow() {
    const std::vector<Slot> old = std::move(slots_);
    Allocate(2 * old.size());
    for (const Slot& slot : old) {
      if (slot.id != 0) *Find(slot.id) = slot;
    }
  }

  void Allocate(std::size_t slots) {
    slots_.assign(slots, Slot{});
    mask_ = slots - 1;
    shift_ = 64 - std::countr_zero(slots);
  }

  std::vector<Slot> slots_;
  std::vector<std::string> names_;
  std::size_t mask_ = 0;
  int shift_ = 0;
  std::size_t size_ = 0;
};

}  // namespace millrace::nexmark
