// The cells of a view as columns of its table, and rows of the table as cells.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "columnar/column.h"
#include "columnar/database.h"
#include "columnar/view_columns.h"
#include "millrace/core/timestamp.h"

namespace millrace::io_duckdb {

/// The places of the columns' values for a span of cells, which must outlive it, as the appender wants them.
class CellSources {
 public:
  CellSources(std::span<const Cell> cells, const columnar::ViewColumns& columns, std::uint64_t epoch);
  CellSources(const CellSources&) = delete;
  CellSources& operator=(const CellSources&) = delete;

  const std::vector<columnar::ColumnSource>& sources() const { return sources_; }

 private:
  void AddObjects(const std::vector<const void*>& objects, std::size_t offset) {
    sources_.push_back({.objects = objects.data(), .offset = offset});
  }
  void AddMember(const void* member) { sources_.push_back({.base = member, .stride = sizeof(Cell)}); }

  std::span<const Cell> cells_;
  std::uint64_t epoch_;
  std::vector<const void*> keys_;
  std::vector<const void*> values_;
  std::vector<const void*> starts_;
  std::vector<const void*> ends_;
  std::vector<std::uint8_t> removed_;
  std::vector<columnar::ColumnSource> sources_;
};

/// Objects of the view's key and value types that the cells of a read are decoded into, one after another. View and
/// columns must outlive it.
class CellReader {
 public:
  CellReader(const ViewDescriptor& view, const columnar::ViewColumns& columns)
      : columns_(columns), key_(*view.key), value_(*view.value) {}

  /// Binds the columns of `result`, which has them in the order of `ReadSql`.
  Status Bind(columnar::Result& result);

  /// The cell of that row. Its key and value are good until the next call.
  StatusOr<Cell> Decode(columnar::Result& result, std::size_t row);

 private:
  // A default object of a type.
  class Scratch {
   public:
    explicit Scratch(const Type& type) : type_(type), object_(type.create()) {}
    ~Scratch() { type_.destroy(object_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    void* At(std::size_t offset) const { return static_cast<char*>(object_) + offset; }

   private:
    const Type& type_;
    void* object_;
  };

  void Add(const Type& type, void* target) { targets_.emplace_back(&type, target); }

  const columnar::ViewColumns& columns_;
  Scratch key_;
  Scratch value_;
  std::optional<Timestamp> start_;
  std::optional<Timestamp> end_;
  Cell cell_;
  std::vector<std::pair<const Type*, void*>> targets_;
  std::vector<columnar::FieldIssue> issues_;
};

}  // namespace millrace::io_duckdb
