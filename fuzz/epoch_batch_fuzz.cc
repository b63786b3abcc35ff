// Any bytes as the batch of an epoch: it is refused, or all of it can be walked over and decoded, or a cell is refused.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "cli/epoch_batch.h"
#include "cli/epoch_cells.h"

namespace {

using millrace::cli::CellBlockPool;
using millrace::cli::CellPortion;
using millrace::cli::EpochBlock;

struct Key {
  std::string page;
  std::optional<std::int32_t> shard;
};
struct Value {
  std::int64_t count = 0;
  std::vector<std::string> users;
};

// Blocks of one epoch, through the same code as those of a checkpoint. The cells that come out are those that went in,
// without the superseded ones.
void Decode(std::span<const EpochBlock> blocks, std::span<const std::shared_ptr<CellBlockPool>> pools) {
  std::size_t cells = 0;
  for (const EpochBlock& block : blocks) cells += block.is_cells ? block.count : 0;
  std::size_t pushed = 0;
  bool has_ended = false;
  const auto superseded = millrace::cli::DecodeEpoch(1, blocks, pools, {.portion_cells_max = 8},
                                                     [&](const std::shared_ptr<CellPortion>& portion) {
                                                       for (const auto& [view, some] : portion->CellsByView()) {
                                                         pushed += some.size();
                                                       }
                                                       has_ended = portion->ends_epoch();
                                                       return millrace::OkStatus();
                                                     });
  if (superseded.ok() && (pushed + *superseded != cells || !has_ended)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  const std::shared_ptr<CellBlockPool> pool = std::make_shared<CellBlockPool>(
      millrace::ViewDescriptor{.name = "v", .key = &millrace::TypeOf<Key>(), .value = &millrace::TypeOf<Value>()});
  if (const auto parts = millrace::cli::TakeApart(in); parts.ok()) {
    Decode(parts->blocks, std::vector(parts->head.views.size(), pool));
  }
  // As what is in a block, which takes no luck to reach.
  if (in.empty()) return 0;
  const EpochBlock block{
      .is_cells = (data[0] & 1) != 0, .epoch = 1, .count = std::size_t{1} + data[0] / 2, .content = in.substr(1)};
  Decode({&block, 1}, {&pool, 1});
  return 0;
}
