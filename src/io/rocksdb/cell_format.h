// How a cell is laid out in RocksDB. Internal to this room; specified in docs/formats/views.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "columnar/view_columns.h"
#include "millrace/io/view_store.h"

namespace millrace::io_rocksdb {

inline constexpr std::size_t kViewNumberBytes = 4;
inline constexpr std::size_t kWindowBytes = 16;
inline constexpr std::size_t kVersionBytes = 24;
inline constexpr std::size_t kCellKeyBytesMin = kViewNumberBytes + kWindowBytes + kVersionBytes;

/// Whether these bytes are the key of a cell and not one of the store's own.
bool IsCellKey(std::string_view bytes);
/// The part of a cell's key that is the same for all of its versions: view, key and window.
std::string_view IdentityOf(std::string_view cell_key);

/// The beginning that all cells of a view have.
std::string ViewPrefix(std::uint32_t view_number);
/// Appends the first `count` columns of a key.
void AppendKeyColumns(const std::vector<columnar::ViewColumn>& columns, std::size_t count, const void* key,
                      std::string* out);
void AppendWindow(Timestamp start, Timestamp end, std::string* out);
/// Appends a version such that the newest comes first.
void AppendVersion(const CellVersion& version, std::string* out);

/// The bytes of a cell's value: one byte with timing and flags, then the value as an element's coder writes it.
std::string EncodeCellValue(const Type& value_type, const Cell& cell);

/// The value of a version that takes the place of one with these bytes and removes the cell.
std::string RemovedCellValue(std::string_view bytes);

/// Reads the window out of an identity; false if it is too short.
bool WindowOf(std::string_view identity, Timestamp* start, Timestamp* end);
/// Reads the version out of a cell's key.
CellVersion VersionOf(std::string_view cell_key);
/// Reads timing and flags; false if `bytes` is empty.
bool ReadFlags(std::string_view bytes, Cell* cell, bool* is_removed);

}  // namespace millrace::io_rocksdb
