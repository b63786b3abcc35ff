// What waits to be written to the view stores: copies of cells, gathered in portions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "millrace/io/view_sink.h"

namespace millrace::cli {

/// Copies of cells of one view. Its objects are kept for the next cells, so that texts keep their memory.
class CellBlock {
 public:
  explicit CellBlock(ViewDescriptor view) : view_(std::move(view)) {}
  ~CellBlock();
  CellBlock(const CellBlock&) = delete;
  CellBlock& operator=(const CellBlock&) = delete;

  /// Takes the place of what was there; the version's generation and attempt are set.
  void Fill(std::span<const Cell> cells, std::uint64_t generation, std::uint64_t attempt);

  /// Empties the block, and makes it ready for so many cells by `AddDecoded`.
  void Begin(std::size_t cells_max);
  /// Adds a cell whose key and value are the bytes of their element coders; `cell` has the rest, and a null value if it
  /// is removed. DATA_LOSS names the field.
  Status AddDecoded(const Cell& cell, std::string_view key, std::string_view value);

  const ViewDescriptor& view() const { return view_; }
  std::vector<Cell>& cells() { return cells_; }
  const std::vector<Cell>& cells() const { return cells_; }
  /// A cell of it may be superseded by a later one: it has an identity for each cell, the bytes of key and window.
  bool has_identities() const { return !identities_.empty(); }
  const std::string& identity(std::size_t index) const { return identities_[index]; }

 private:
  ViewDescriptor view_;
  std::vector<void*> keys_;
  std::vector<void*> values_;
  std::vector<Cell> cells_;
  std::vector<std::string> identities_;
};

/// Blocks of one view that are not in use. Thread safe; may be destroyed before the blocks that came from it.
class CellBlockPool : public std::enable_shared_from_this<CellBlockPool> {
 public:
  explicit CellBlockPool(ViewDescriptor view) : view_(std::move(view)) {}
  const ViewDescriptor& view() const { return view_; }
  /// A block that returns here when its last owner lets it go.
  std::shared_ptr<CellBlock> Take();

 private:
  const ViewDescriptor view_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<CellBlock>> free_;
};

/// A dead letter as a row of the warehouse.
struct DeadLetterRow {
  std::string name;
  std::string step;
  std::string element;
  std::optional<Timestamp> event_time;  // empty where the element had none
  Timestamp written_at;
  std::optional<Timestamp> window_start = {};  // of an element that came too late
  std::optional<Timestamp> window_end = {};
  std::string reason = {};
  std::optional<std::string> origin = {};  // with `position`: where it is from, if that is known
  std::optional<std::int64_t> position = {};
  std::string code_version = {};  // the build id of the program that wrote it
  std::string id = {};            // what letters are named by, which follows from the rest
};

/// Sixteen hexadecimal digits: the same for letters of the same name, step, element, window and origin.
std::string IdOf(const DeadLetterRow& letter);

/// What is handed to the stores at once. Filled under a lock, then shared and read only.
class CellPortion {
 public:
  /// Adds a block. A cell of this portion that one of it supersedes is dropped: nobody can have seen it.
  void Add(std::shared_ptr<CellBlock> block);
  /// Adds a block of cells that supersede none of this portion.
  void AddDistinct(std::shared_ptr<CellBlock> block);
  void AddLetters(std::vector<DeadLetterRow> letters);
  /// Ends the filling. The epoch that the portion belongs to, and whether it is the epoch's last.
  void Seal(std::uint64_t epoch, bool ends_epoch);

  std::uint64_t epoch() const { return epoch_; }
  bool ends_epoch() const { return ends_epoch_; }
  /// All that take memory, dropped ones too.
  std::size_t size() const { return size_; }
  std::size_t dropped() const { return dropped_; }
  /// The cells of each view, in the order in which they came; they are valid as long as the portion.
  std::map<std::string, std::vector<Cell>> CellsByView() const;
  const std::vector<DeadLetterRow>& letters() const { return letters_; }

 private:
  std::uint64_t epoch_ = 0;
  bool ends_epoch_ = false;
  std::size_t size_ = 0;
  std::size_t dropped_ = 0;
  std::vector<std::shared_ptr<CellBlock>> blocks_;
  std::vector<DeadLetterRow> letters_;
  // By view and identity, where the newest cell is: the texts belong to the blocks.
  struct Place {
    CellBlock* block;
    std::size_t index;
  };
  std::unordered_map<std::string, std::unordered_map<std::string_view, Place>> newest_;
};

}  // namespace millrace::cli
