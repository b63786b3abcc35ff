#include "io/rocksdb/cell_format.h"

#include <algorithm>

#include "io/rocksdb/ordered_key.h"
#include "millrace/core/coder.h"

namespace millrace::io_rocksdb {
namespace {

constexpr unsigned kTimingMask = 3;
constexpr unsigned kFinalFlag = 4;
constexpr unsigned kRemovedFlag = 8;

}  // namespace

bool IsCellKey(std::string_view bytes) {
  return bytes.size() >= kCellKeyBytesMin && bytes.substr(0, kViewNumberBytes) != ViewPrefix(0);
}

std::string_view IdentityOf(std::string_view cell_key) { return cell_key.substr(0, cell_key.size() - kVersionBytes); }

std::string ViewPrefix(std::uint32_t view_number) {
  std::string prefix;
  AppendBigEndian(view_number, kViewNumberBytes, &prefix);
  return prefix;
}

void AppendKeyColumns(const std::vector<columnar::ViewColumn>& columns, std::size_t count, const void* key,
                      std::string* out) {
  for (std::size_t i = 0; i < std::min(count, columns.size()); ++i) {
    AppendOrdered(*columns[i].type, static_cast<const char*>(key) + columns[i].offset, out);
  }
}

void AppendWindow(Timestamp start, Timestamp end, std::string* out) {
  AppendOrderedInt64(start.micros(), out);
  AppendOrderedInt64(end.micros(), out);
}

void AppendVersion(const CellVersion& version, std::string* out) {
  AppendBigEndian(~version.generation, 8, out);
  AppendBigEndian(~version.attempt, 8, out);
  AppendBigEndian(~version.pane, 8, out);
}

std::string EncodeCellValue(const Type& value_type, const Cell& cell) {
  unsigned flags = static_cast<unsigned>(cell.timing) & kTimingMask;
  if (cell.is_final) flags |= kFinalFlag;
  if (cell.value == nullptr) flags |= kRemovedFlag;
  std::string bytes(1, static_cast<char>(flags));
  if (cell.value != nullptr) EncodeElement(value_type, cell.value, &bytes);
  return bytes;
}

std::string RemovedCellValue(std::string_view bytes) {
  const unsigned flags = static_cast<unsigned char>(bytes[0]) | kRemovedFlag;
  return std::string(1, static_cast<char>(flags));
}

bool WindowOf(std::string_view identity, Timestamp* start, Timestamp* end) {
  if (identity.size() < kViewNumberBytes + kWindowBytes) return false;
  std::string_view window = identity.substr(identity.size() - kWindowBytes);
  std::int64_t first = 0;
  std::int64_t last = 0;
  if (!TakeOrderedInt64(&window, &first) || !TakeOrderedInt64(&window, &last)) return false;
  *start = Timestamp::FromMicros(first);
  *end = Timestamp::FromMicros(last);
  return true;
}

CellVersion VersionOf(std::string_view cell_key) {
  std::string_view bytes = cell_key.substr(cell_key.size() - kVersionBytes);
  CellVersion version;
  for (std::uint64_t* part : {&version.generation, &version.attempt, &version.pane}) {
    TakeBigEndian(&bytes, 8, part);
    *part = ~*part;
  }
  return version;
}

bool ReadFlags(std::string_view bytes, Cell* cell, bool* is_removed) {
  if (bytes.empty()) return false;
  const auto flags = static_cast<unsigned char>(bytes[0]);
  cell->timing = static_cast<CellTiming>(flags & kTimingMask);
  cell->is_final = (flags & kFinalFlag) != 0;
  *is_removed = (flags & kRemovedFlag) != 0;
  return true;
}

}  // namespace millrace::io_rocksdb
