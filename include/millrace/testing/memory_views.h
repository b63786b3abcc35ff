// Views in memory, for tests: what a pipeline wrote, as rows of the view's own types.
//
//   auto views = std::make_shared<testing::MemoryViews>();
//   RunOptions options;
//   options.views = views;
//   pipeline.Run(options);
//   for (const auto& row : *views->Rows<std::string, std::int64_t>("page_views")) ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "millrace/core/coder.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/io/view_sink.h"

namespace millrace::testing {

/// The newest version of one cell.
template <class K, class V>
struct ViewRow {
  K key;
  Timestamp window_start;
  Timestamp window_end;  // exclusive
  V value;
  CellVersion version;
  CellTiming timing = CellTiming::kUnknown;
  bool is_final = false;
};

/// Keeps the newest version of each cell; of two writes with the same version the later one. Cells may be looked at
/// while the pipeline runs. Thread safe.
class MemoryViews : public ViewSink {
 public:
  /// FAILED_PRECONDITION if the view was declared with other types.
  Status Declare(const ViewDescriptor& view) override {
    const std::lock_guard lock(mutex_);
    const auto [found, is_new] =
        views_.try_emplace(view.name, StoredView{view.key, view.value, view.merges_windows, {}});
    return is_new ? OkStatus() : CheckTypes(view.name, found->second, *view.key, *view.value);
  }

  /// NOT_FOUND if the view was not declared.
  Status Write(std::string_view view, std::span<const Cell> cells) override {
    const std::lock_guard lock(mutex_);
    const auto found = views_.find(view);
    if (found == views_.end()) return NotDeclared(view);
    for (const Cell& cell : cells) {
      std::string key;
      EncodeElement(*found->second.key, cell.key, &key);
      StoredCell& stored = found->second.cells[{std::move(key), cell.window_start, cell.window_end}];
      ++cells_written_;
      if (stored.key != nullptr && cell.version < stored.version) continue;
      stored.key = Copy(*found->second.key, cell.key);
      stored.value = cell.value == nullptr ? nullptr : Copy(*found->second.value, cell.value);
      stored.version = cell.version;
      stored.timing = cell.timing;
      stored.is_final = cell.is_final;
    }
    return OkStatus();
  }

  Status Finish() override {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    return OkStatus();
  }

  /// The cells that are not removed: those of one key together, in the order of their windows; keys are in the order of
  /// their encoded bytes. FAILED_PRECONDITION if K and V are not the view's types, NOT_FOUND if the view was not
  /// declared.
  template <class K, class V>
  StatusOr<std::vector<ViewRow<K, V>>> Rows(const std::string& view) const {
    const std::lock_guard lock(mutex_);
    const auto found = views_.find(view);
    if (found == views_.end()) return NotDeclared(view);
    if (Status same = CheckTypes(view, found->second, TypeOf<K>(), TypeOf<V>()); !same.ok()) return same;
    std::vector<ViewRow<K, V>> rows;
    for (const auto& [identity, cell] : found->second.cells) {
      if (cell.value == nullptr || IsMergedAway(found->second, identity)) continue;
      const auto& [key, start, end] = identity;
      rows.push_back({*static_cast<const K*>(cell.key.get()), start, end, *static_cast<const V*>(cell.value.get()),
                      cell.version, cell.timing, cell.is_final});
    }
    return rows;
  }

  /// How many cells were written, superseded ones included.
  std::size_t cells_written() const {
    const std::lock_guard lock(mutex_);
    return cells_written_;
  }
  /// Whether a run has ended without an error.
  bool finished() const {
    const std::lock_guard lock(mutex_);
    return finished_;
  }

 private:
  struct StoredCell {
    std::shared_ptr<const void> key;
    std::shared_ptr<const void> value;  // null: removed
    CellVersion version;
    CellTiming timing = CellTiming::kUnknown;
    bool is_final = false;
  };
  using Identity = std::tuple<std::string, Timestamp, Timestamp>;  // encoded key and window
  struct StoredView {
    const Type* key = nullptr;
    const Type* value = nullptr;
    bool merges_windows = false;
    std::map<Identity, StoredCell> cells;
  };

  // Whether the window lies within that of another cell of the key, of a view whose windows merge.
  static bool IsMergedAway(const StoredView& view, const Identity& identity) {
    if (!view.merges_windows) return false;
    const auto& [key, start, end] = identity;
    for (auto it = view.cells.lower_bound({key, Timestamp::Min(), Timestamp::Min()}); it != view.cells.end(); ++it) {
      const auto& [other_key, other_start, other_end] = it->first;
      if (other_key != key || other_start > start) break;
      if (other_end >= end && it->first != identity && it->second.value != nullptr) return true;
    }
    return false;
  }

  static std::shared_ptr<const void> Copy(const Type& type, const void* object) {
    std::shared_ptr<void> copy(type.create(), type.destroy);
    type.assign(copy.get(), object);
    return copy;
  }
  static Status NotDeclared(std::string_view view) {
    return NotFoundError("there is no view " + std::string(view) + " in this run; declare it first");
  }
  static Status CheckTypes(const std::string& name, const StoredView& view, const Type& key, const Type& value) {
    if (view.key == &key && view.value == &value) return OkStatus();
    return FailedPreconditionError("view " + name + " holds " + view.key->ToString() + " -> " + view.value->ToString() +
                                   ", not " + key.ToString() + " -> " + value.ToString());
  }

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, StoredView, std::less<>> views_;
  std::size_t cells_written_ = 0;
  bool finished_ = false;
};

}  // namespace millrace::testing
