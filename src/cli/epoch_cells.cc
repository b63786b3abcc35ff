#include "cli/epoch_cells.h"

#include <absl/container/flat_hash_map.h>

#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "millrace/detail/hash.h"

namespace millrace::cli {

namespace {

// What makes two cells versions of one.
struct Identity {
  std::string_view key;
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::size_t view = 0;

  friend bool operator==(const Identity&, const Identity&) = default;
};

struct IdentityHash {
  std::size_t operator()(const Identity& identity) const {
    std::uint64_t hash = detail::HashBytes(identity.key);
    hash = detail::HashCombine(hash, static_cast<std::uint64_t>(identity.start));
    return detail::HashCombine(hash, static_cast<std::uint64_t>(identity.end) ^ identity.view << 48);
  }
};

struct Newest {
  std::uint64_t pane = 0;
  std::uint64_t order = 0;
  std::size_t index = 0;  // among the epoch's cells

  bool IsOlderThan(const Newest& other) const {
    return std::tie(pane, order, index) < std::tie(other.pane, other.order, other.index);
  }
};

// Marks, by their positions among the epoch's cells, those that are superseded by others.
class Superseded {
 public:
  Status Find(std::span<const EpochBlock> blocks, std::span<const std::shared_ptr<CellBlockPool>> pools) {
    std::size_t cells = 0;
    for (const EpochBlock& block : blocks) cells += block.is_cells ? block.count : 0;
    marks_.assign(cells, false);
    absl::flat_hash_map<Identity, Newest, IdentityHash> newest;
    newest.reserve(cells);
    Newest next;
    for (const EpochBlock& block : blocks) {
      if (!block.is_cells) continue;
      EncodedCells walk(block, pools[block.view]->view().name);
      EncodedCell cell;
      while (true) {
        MILLRACE_ASSIGN_OR_RETURN(const bool found, walk.Next(&cell));
        if (!found) break;
        next.pane = cell.pane;
        next.order = cell.order;
        Add({cell.key, cell.window_start.micros(), cell.window_end.micros(), block.view}, next, &newest);
        ++next.index;
      }
    }
    return OkStatus();
  }

  bool operator[](std::size_t index) const { return marks_[index]; }
  std::uint64_t count() const { return count_; }

 private:
  void Add(const Identity& identity, const Newest& version,
           absl::flat_hash_map<Identity, Newest, IdentityHash>* newest) {
    const auto [found, is_new] = newest->try_emplace(identity, version);
    if (is_new) return;
    ++count_;
    if (found->second.IsOlderThan(version)) {
      marks_[found->second.index] = true;
      found->second = version;
    } else {
      marks_[version.index] = true;
    }
  }

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
