// The cells of one epoch on their way from encoded blocks to the stores.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cli/cell_portion.h"
#include "cli/epoch_batch.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// Which writer's cells these are, and in which portions they are handed on.
struct EpochCellsOptions {
  std::uint64_t generation = 1;
  std::uint64_t attempt = 1;
  std::size_t portion_cells_max = 65'536;
};

/// Decodes the blocks of one epoch, and hands them to `push` in portions, the last of which ends the epoch; an epoch
/// without content is one empty portion. Of the versions of a cell only the newest is handed on: nobody can have seen
/// the others. `pools` are those of the views, by position. Gives the number of cells that were dropped. DATA_LOSS
/// names view, cell and field.
StatusOr<std::uint64_t> DecodeEpoch(std::uint64_t epoch, std::span<const EpochBlock> blocks,
                                    std::span<const std::shared_ptr<CellBlockPool>> pools,
                                    const EpochCellsOptions& options,
                                    const std::function<Status(std::shared_ptr<CellPortion>)>& push);

}  // namespace millrace::cli
