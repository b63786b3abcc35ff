// The bytes of an epoch's cells and dead letters, as they are in a checkpoint: docs/formats/epoch_batch.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cell_portion.h"
#include "millrace/core/status.h"
#include "millrace/io/view_store.h"

namespace millrace::cli {

/// A view as the head of a batch names it.
struct BatchView {
  std::string name;
  std::string signature;

  friend bool operator==(const BatchView&, const BatchView&) = default;
};

/// What a batch begins with.
struct EpochBatchHead {
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;
  std::vector<BatchView> views;
  std::uint64_t blocks = 0;
  std::uint64_t cells = 0;
  std::uint64_t letters = 0;
  std::uint64_t bytes = 0;  // of the blocks

  friend bool operator==(const EpochBatchHead&, const EpochBatchHead&) = default;
};

/// The bytes of a head; blocks follow.
std::string EncodeHead(const EpochBatchHead& head);

/// A block that is being filled. One thread at a time.
class EpochBlockWriter {
 public:
  /// A block of cells of the view at this position of the head.
  static EpochBlockWriter ForCells(std::size_t view) { return EpochBlockWriter(kCells, view); }
  static EpochBlockWriter ForLetters() { return EpochBlockWriter(kLetters, 0); }

  /// Makes room for so many bytes at once.
  void Reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  /// Cells of the block's view. `order` is not less than at the call before.
  void AddCells(const ViewDescriptor& view, std::uint64_t order, std::span<const Cell> cells);
  void AddLetters(std::span<const DeadLetterRow> letters);

  bool is_cells() const { return kind_ == kCells; }
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return bytes_.size(); }
  /// Fills in the head and hands the block's bytes out; nothing may be added any more.
  std::string Finish(std::uint64_t epoch) &&;

 private:
  enum Kind : std::uint8_t { kCells = 1, kLetters = 2 };
  EpochBlockWriter(Kind kind, std::size_t view);

  Kind kind_;
  std::uint32_t view_;
  std::uint32_t count_ = 0;
  std::string bytes_;
};

/// A block as it was found in a batch; `content` belongs to the batch.
struct EpochBlock {
  bool is_cells = false;  // otherwise dead letters
  std::size_t view = 0;   // its position in the head
  std::uint64_t epoch = 0;
  std::size_t count = 0;
  std::size_t number = 0;  // the block's position in the batch, for messages
  std::size_t first = 0;   // the position in the batch of its first cell, for messages
  std::string_view content;
};

/// Takes a block from the front of `*in`. DATA_LOSS says what is wrong with it.
StatusOr<EpochBlock> TakeBlock(std::string_view* in);

/// A batch taken apart; its blocks' contents are not looked into.
struct EpochBatchParts {
  EpochBatchHead head;
  std::vector<EpochBlock> blocks;
};

/// DATA_LOSS says what is wrong and in which block.
StatusOr<EpochBatchParts> TakeApart(std::string_view batch);

/// A cell whose key and value are still encoded.
struct EncodedCell {
  std::string_view key;
  std::string_view value;  // empty if it is removed
  Timestamp window_start;
  Timestamp window_end;
  std::uint64_t pane = 0;
  std::uint64_t order = 0;
  CellTiming timing = CellTiming::kUnknown;
  bool is_final = false;
  bool is_removed = false;
  std::size_t number = 0;  // its position in the batch
};

/// Walks over the cells of a block.
class EncodedCells {
 public:
  /// `view` is the view's name, for messages.
  EncodedCells(const EpochBlock& block, std::string_view view)
      : view_(view), rest_(block.content), left_(block.count), next_(block.first) {}

  /// The next cell; false behind the last one. DATA_LOSS names view, cell and field.
  StatusOr<bool> Next(EncodedCell* cell);

 private:
  Status Damaged(const char* field, const char* what) const;
  Status BeginRun();

  std::string_view view_;
  std::string_view rest_;
  std::size_t left_;  // cells of the block
  std::size_t next_;  // the number of the next cell
  std::size_t run_left_ = 0;
  EncodedCell run_;  // what the cells of a run share
};

/// The dead letters of a block. DATA_LOSS names the letter and the field.
StatusOr<std::vector<DeadLetterRow>> DecodeLetters(const EpochBlock& block);

}  // namespace millrace::cli
