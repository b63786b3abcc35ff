#include "io/duckdb/cell_columns.h"

namespace millrace::io_duckdb {

CellSources::CellSources(std::span<const Cell> cells, const columnar::ViewColumns& columns, std::uint64_t epoch)
    : cells_(cells), epoch_(epoch) {
  for (const Cell& cell : cells) {
    keys_.push_back(cell.key);
    values_.push_back(cell.value);
    removed_.push_back(cell.value == nullptr);
    starts_.push_back(cell.window_start == Timestamp::Min() ? nullptr : &cell.window_start);
    ends_.push_back(cell.window_end == Timestamp::Max() ? nullptr : &cell.window_end);
  }
  for (const columnar::ViewColumn& column : columns.key) AddObjects(keys_, column.offset);
  AddObjects(starts_, 0);
  AddObjects(ends_, 0);
  for (const columnar::ViewColumn& column : columns.value) AddObjects(values_, column.offset);
  AddMember(&cells.front().version.generation);
  AddMember(&cells.front().version.attempt);
  AddMember(&cells.front().version.pane);
  AddMember(&cells.front().timing);
  AddMember(&cells.front().is_final);
  sources_.push_back({.base = removed_.data(), .stride = 1});
  sources_.push_back({.base = &epoch_, .stride = 0});
}

Status CellReader::Bind(columnar::Result& result) {
  for (const columnar::ViewColumn& column : columns_.key) Add(*column.type, key_.At(column.offset));
  Add(TypeOf<std::optional<Timestamp>>(), &start_);
  Add(TypeOf<std::optional<Timestamp>>(), &end_);
  for (const columnar::ViewColumn& column : columns_.value) Add(*column.type, value_.At(column.offset));
  Add(TypeOf<std::uint64_t>(), &cell_.version.generation);
  Add(TypeOf<std::uint64_t>(), &cell_.version.attempt);
  Add(TypeOf<std::uint64_t>(), &cell_.version.pane);
  Add(TypeOf<std::uint8_t>(), &cell_.timing);
  Add(TypeOf<bool>(), &cell_.is_final);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    Status status = result.Bind(i, *targets_[i].first);
    if (!status.ok()) return status;
  }
  return OkStatus();
}

StatusOr<Cell> CellReader::Decode(columnar::Result& result, std::size_t row) {
  issues_.clear();
  for (std::size_t i = 0; i < targets_.size(); ++i) result.Decode(i, row, 1, targets_[i].second, 0, &issues_);
  if (!issues_.empty()) return DataLossError("a stored cell cannot be read: " + issues_.front().ToString());
  cell_.key = key_.At(0);
  cell_.value = value_.At(0);
  cell_.window_start = start_.value_or(Timestamp::Min());
  cell_.window_end = end_.value_or(Timestamp::Max());
  return cell_;
}

}  // namespace millrace::io_duckdb
