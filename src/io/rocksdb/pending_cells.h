// The encoded cells of an epoch that is not committed. Internal to this room.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::io_rocksdb {

/// Entries of key and value bytes, gathered in any order and then sorted. Thread safety: none.
class PendingCells {
 public:
  void Add(std::string_view key, std::string_view value);
  /// Adds all entries of `other`, behind those that are here.
  void AddAll(const PendingCells& other);

  std::size_t size() const { return entries_.size(); }
  /// About the memory that is held, in bytes.
  std::size_t bytes() const { return bytes_.size() + entries_.size() * sizeof(Entry); }

  /// Sorts by key and keeps of equal keys the one that was added last.
  void Sort();

  std::string_view Key(std::size_t index) const {
    const Entry& entry = entries_[index];
    return std::string_view(bytes_).substr(entry.offset, entry.key_size);
  }
  std::string_view Value(std::size_t index) const {
    const Entry& entry = entries_[index];
    return std::string_view(bytes_).substr(entry.offset + entry.key_size, entry.value_size);
  }

 private:
  struct Entry {
    std::uint64_t offset = 0;
    // The key's first 16 bytes, the view's number cut to two: most comparisons end there.
    std::array<std::uint64_t, 2> leading = {0, 0};
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
  };

  std::string_view KeyOf(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.offset, entry.key_size);
  }

  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace millrace::io_rocksdb
