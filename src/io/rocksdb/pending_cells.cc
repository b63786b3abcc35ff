#include "io/rocksdb/pending_cells.h"

#include <algorithm>
#include <utility>

#include "io/rocksdb/cell_format.h"

namespace millrace::io_rocksdb {
namespace {

// A part that is smaller is copied behind the last one, unless that is large: there are never many.
constexpr std::size_t kPartBytesMin = 64 << 10;
constexpr std::size_t kLastPartBytesMax = 1 << 20;

// The first bytes of the key, big-endian: the view's number (two bytes of it are enough to begin with) and what
// follows.
std::array<std::uint64_t, PendingCells::kLeadingWords> LeadingBytes(std::string_view key) {
  std::array<std::uint64_t, PendingCells::kLeadingWords> leading = {};
  constexpr std::size_t kBegin = kViewNumberBytes - 2;
  for (std::size_t i = 0; i < 8 * PendingCells::kLeadingWords; ++i) {
    std::uint64_t& word = leading[i / 8];
    word = word << 8 | (kBegin + i < key.size() ? static_cast<unsigned char>(key[kBegin + i]) : 0U);
  }
  return leading;
}

}  // namespace

void PendingCells::Add(std::string_view key, std::string_view value) {
  if (parts_.empty()) parts_.emplace_back();
  std::string& part = parts_.back();
  entries_.push_back({part.size(), LeadingBytes(key), static_cast<std::uint32_t>(parts_.size() - 1),
                      static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())});
  part.append(key);
  part.append(value);
  bytes_ += key.size() + value.size();
}

void PendingCells::AddAll(PendingCells other) {
  const bool copies = other.bytes_ < kPartBytesMin && other.parts_.size() == 1 && !parts_.empty() &&
                      parts_.back().size() < kLastPartBytesMax;
  const auto first_part = static_cast<std::uint32_t>(copies ? parts_.size() - 1 : parts_.size());
  const std::uint64_t begin = copies ? parts_.back().size() : 0;
  if (copies) {
    parts_.back().append(other.parts_[0]);
  } else {
    for (std::string& part : other.parts_) parts_.push_back(std::move(part));
  }
  for (Entry entry : other.entries_) {
    entry.part += first_part;
    entry.offset += begin;
    entries_.push_back(entry);
  }
  bytes_ += other.bytes_;
}

// Word by word: std::array compares by a call.
bool PendingCells::IsBefore(const Entry& a, const Entry& b) const {
  for (std::size_t i = 0; i < kLeadingWords; ++i) {
    if (a.leading[i] != b.leading[i]) return a.leading[i] < b.leading[i];
  }
  const int order = KeyOf(a).compare(KeyOf(b));
  if (order != 0) return order < 0;
  return a.part != b.part ? a.part > b.part : a.offset > b.offset;
}

void PendingCells::Sort() {
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) { return IsBefore(a, b); });
  entries_.erase(
      std::unique(entries_.begin(), entries_.end(),
                  [this](const Entry& a, const Entry& b) { return a.leading == b.leading && KeyOf(a) == KeyOf(b); }),
      entries_.end());
}

}  // namespace millrace::io_rocksdb
