#include "io/rocksdb/pending_cells.h"

#include <algorithm>

#include "io/rocksdb/cell_format.h"

namespace millrace::io_rocksdb {
namespace {

// Sixteen bytes of the key, big-endian: the view's number (two bytes of it are enough to begin with) and what follows.
std::array<std::uint64_t, 2> LeadingBytes(std::string_view key) {
  std::array<std::uint64_t, 2> leading = {0, 0};
  constexpr std::size_t kBegin = kViewNumberBytes - 2;
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint64_t& word = leading[i / 8];
    word = word << 8 | (kBegin + i < key.size() ? static_cast<unsigned char>(key[kBegin + i]) : 0U);
  }
  return leading;
}

}  // namespace

void PendingCells::Add(std::string_view key, std::string_view value) {
  entries_.push_back({bytes_.size(), LeadingBytes(key), static_cast<std::uint32_t>(key.size()),
                      static_cast<std::uint32_t>(value.size())});
  bytes_.append(key);
  bytes_.append(value);
}

void PendingCells::AddAll(const PendingCells& other) {
  const std::uint64_t begin = bytes_.size();
  bytes_.append(other.bytes_);
  for (Entry entry : other.entries_) {
    entry.offset += begin;
    entries_.push_back(entry);
  }
}

void PendingCells::Sort() {
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    if (a.leading != b.leading) return a.leading < b.leading;
    const int order = KeyOf(a).compare(KeyOf(b));
    return order != 0 ? order < 0 : a.offset > b.offset;
  });
  entries_.erase(
      std::unique(entries_.begin(), entries_.end(),
                  [this](const Entry& a, const Entry& b) { return a.leading == b.leading && KeyOf(a) == KeyOf(b); }),
      entries_.end());
}

}  // namespace millrace::io_rocksdb
