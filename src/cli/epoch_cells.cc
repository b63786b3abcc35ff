#include "cli/epoch_cells.h"

#include <bit>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "millrace/detail/hash.h"

namespace millrace::cli {

namespace {

// Marks, by their positions among the epoch's cells, those that are superseded by others: two cells with the same view,
// key and window are versions of one. An open hash table of positions: at most 8 bytes are touched for most cells.
class Superseded {
 public:
  Status Find(std::span<const EpochBlock> blocks, std::span<const std::shared_ptr<CellBlockPool>> pools) {
    std::size_t cells = 0;
    for (const EpochBlock& block : blocks) cells += block.is_cells ? block.count : 0;
    if (cells >= kCellsMax) return ResourceExhaustedError("an epoch of " + std::to_string(cells) + " cells");
    marks_.assign(cells, false);
    cells_.reserve(cells);
    table_.assign(std::bit_ceil(2 * cells + 1), 0);
    for (const EpochBlock& block : blocks) {
      if (!block.is_cells) continue;
      EncodedCells walk(block, pools[block.view]->view().name);
      EncodedCell cell;
      while (true) {
        MILLRACE_ASSIGN_OR_RETURN(const bool found, walk.Next(&cell));
        if (!found) break;
        Add(block.view, cell);
      }
    }
    table_ = {};
    cells_ = {};
    return OkStatus();
  }

  bool operator[](std::size_t index) const { return marks_[index]; }
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t kCellsMax = 0xFFFF'FFFF;  // positions have 32 bits in the table
  static constexpr std::uint64_t kTagMask = ~std::uint64_t{kCellsMax};

  // What neighbouring cells share.
  struct Run {
    std::size_t view = 0;
    Timestamp start;
    Timestamp end;
    std::uint64_t order = 0;
    std::uint64_t hash = 0;  // of view and window
  };
  struct Place {
    std::string_view key;
    std::uint64_t pane = 0;
    std::size_t run = 0;
  };

  const Run& RunOf(std::size_t view, const EncodedCell& cell) {
    if (!runs_.empty()) {
      const Run& last = runs_.back();
      if (last.view == view && last.start == cell.window_start && last.end == cell.window_end &&
          last.order == cell.order) {
        return last;
      }
    }
    std::uint64_t hash = detail::HashWord(view);
    hash = detail::HashCombine(hash, static_cast<std::uint64_t>(cell.window_start.micros()));
    hash = detail::HashCombine(hash, static_cast<std::uint64_t>(cell.window_end.micros()));
    runs_.push_back({view, cell.window_start, cell.window_end, cell.order, hash});
    return runs_.back();
  }

  void Add(std::size_t view, const EncodedCell& cell) {
    const std::uint64_t hash = detail::HashCombine(detail::HashBytes(cell.key), RunOf(view, cell).hash);
    const std::size_t index = cells_.size();
    cells_.push_back({cell.key, cell.pane, runs_.size() - 1});
    const std::uint64_t entry = (hash & kTagMask) | (index + 1);
    for (std::size_t at = hash & (table_.size() - 1);; at = (at + 1) & (table_.size() - 1)) {
      if (table_[at] == 0) {
        table_[at] = entry;
        return;
      }
      if ((table_[at] & kTagMask) != (entry & kTagMask)) continue;
      const std::size_t other = (table_[at] & ~kTagMask) - 1;
      if (!IsSameCell(cells_[other], cells_[index])) continue;
      ++count_;
      const bool is_older = IsOlder(cells_[other], cells_[index]);
      marks_[is_older ? other : index] = true;
      if (is_older) table_[at] = entry;
      return;
    }
  }

  bool IsSameCell(const Place& a, const Place& b) const {
    const Run& run_a = runs_[a.run];
    const Run& run_b = runs_[b.run];
    return a.key == b.key && run_a.view == run_b.view && run_a.start == run_b.start && run_a.end == run_b.end;
  }
  // `b` comes behind `a` in the epoch.
  bool IsOlder(const Place& a, const Place& b) const {
    if (a.pane != b.pane) return a.pane < b.pane;
    return runs_[a.run].order <= runs_[b.run].order;
  }

  std::vector<Run> runs_;
  std::vector<Place> cells_;
  std::vector<std::uint64_t> table_;  // 0, or the high half of a hash and a position + 1
  std::vector<bool> marks_;
  std::uint64_t count_ = 0;
};

// Gathers decoded cells in portions.
class Portions {
 public:
  Portions(std::uint64_t epoch, const EpochCellsOptions& options,
           const std::function<Status(std::shared_ptr<CellPortion>)>& push)
      : epoch_(epoch), options_(options), push_(push) {}

  // Decodes the cells of a block that are not superseded; `*index` is the position of its first one.
  Status AddCells(const EpochBlock& encoded, CellBlockPool& pool, const Superseded& superseded, std::size_t* index) {
    EncodedCells walk(encoded, pool.view().name);
    const std::shared_ptr<CellBlock> block = pool.Take();
    block->Begin(encoded.count);
    EncodedCell cell;
    while (true) {
      MILLRACE_ASSIGN_OR_RETURN(const bool found, walk.Next(&cell));
      if (!found) break;
      if (superseded[(*index)++]) continue;
      const Cell plain{.value = cell.is_removed ? nullptr : block.get(),  // whether there is one is all that counts
                       .window_start = cell.window_start,
                       .window_end = cell.window_end,
                       .version = {options_.generation, options_.attempt, cell.pane},
                       .timing = cell.timing,
                       .is_final = cell.is_final};
      const Status added = block->AddDecoded(plain, cell.key, cell.value);
      if (!added.ok()) {
        return added.WithContext("epoch batch, view " + pool.view().name + ", cell " + std::to_string(cell.number));
      }
    }
    portion_->AddDistinct(block);
    return PushIfFull();
  }

  Status AddLetters(const EpochBlock& encoded) {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<DeadLetterRow> letters, DecodeLetters(encoded));
    portion_->AddLetters(std::move(letters));
    return PushIfFull();
  }

  Status End() { return Push(true); }

 private:
  Status PushIfFull() { return portion_->size() >= options_.portion_cells_max ? Push(false) : OkStatus(); }

  Status Push(bool ends_epoch) {
    portion_->Seal(epoch_, ends_epoch);
    return push_(std::exchange(portion_, std::make_shared<CellPortion>()));
  }

  const std::uint64_t epoch_;
  const EpochCellsOptions& options_;
  const std::function<Status(std::shared_ptr<CellPortion>)>& push_;
  std::shared_ptr<CellPortion> portion_ = std::make_shared<CellPortion>();
};

}  // namespace

StatusOr<std::uint64_t> DecodeEpoch(std::uint64_t epoch, std::span<const EpochBlock> blocks,
                                    std::span<const std::shared_ptr<CellBlockPool>> pools,
                                    const EpochCellsOptions& options,
                                    const std::function<Status(std::shared_ptr<CellPortion>)>& push) {
  Superseded superseded;
  MILLRACE_RETURN_IF_ERROR(superseded.Find(blocks, pools));
  Portions portions(epoch, options, push);
  std::size_t index = 0;
  for (const EpochBlock& block : blocks) {
    MILLRACE_RETURN_IF_ERROR(block.is_cells ? portions.AddCells(block, *pools[block.view], superseded, &index)
                                            : portions.AddLetters(block));
  }
  MILLRACE_RETURN_IF_ERROR(portions.End());
  return superseded.count();
}

}  // namespace millrace::cli
