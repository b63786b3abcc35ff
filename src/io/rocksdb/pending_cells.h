// The encoded cells of an epoch that is not committed. Internal to this room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::io_rocksdb {

/// Entries of key and value bytes, gathered in any order and then sorted. Thread safety: none.
class PendingCells {
 public:
  static constexpr std::size_t kLeadingWords = 3;  // short keys with their window

  void Add(std::string_view key, std::string_view value);
  /// Adds all entries of `other`, behind those that are here.
  void AddAll(PendingCells other);

  std::size_t size() const { return entries_.size(); }
  /// About the memory that is held, in bytes.
  std::size_t bytes() const { return bytes_ + entries_.size() * sizeof(Entry); }

  /// Sorts by key and keeps of equal keys the one that was added last.
  void Sort();

  std::string_view Key(std::size_t index) const { return KeyOf(entries_[index]); }
  std::string_view Value(std::size_t index) const {
    const Entry& entry = entries_[index];
    return PartOf(entry).substr(entry.offset + entry.key_size, entry.value_size);
  }
  /// Sorted entries lie anywhere in memory: who walks over them says some steps before which one it will read.
  void WillRead(std::size_t index) const {
    if (index < entries_.size()) __builtin_prefetch(PartOf(entries_[index]).data() + entries_[index].offset);
  }

 private:
  struct Entry {
    std::uint64_t offset = 0;
    // The key's first bytes, the view's number cut to two: most comparisons end there.
    std::array<std::uint64_t, kLeadingWords> leading = {};
    std::uint32_t part = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
  };

  std::string_view PartOf(const Entry& entry) const { return parts_[entry.part]; }
  std::string_view KeyOf(const Entry& entry) const { return PartOf(entry).substr(entry.offset, entry.key_size); }
  bool IsBefore(const Entry& a, const Entry& b) const;

  std::vector<std::string> parts_;
  std::vector<Entry> entries_;
  std::size_t bytes_ = 0;  // of all parts
};

}  // namespace millrace::io_rocksdb
