// The sinks of a run with checkpoints: exactly once.
#include <atomic>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "cli/epoch_buffer.h"
#include "cli/epoch_cells.h"
#include "cli/result_sinks.h"
#include "columnar/storable.h"
#include "columnar/view_columns.h"

namespace millrace::cli {

namespace {

class EpochSinks final : public ResultSinks {
 public:
  EpochSinks(const RunResultsOptions& options, std::unique_ptr<StoreWriters> writers)
      : options_(options), writers_(std::move(writers)), buffer_(options.buffer) {}
  ~EpochSinks() override { Close(); }

  Status Declare(const ViewDescriptor& view) override;
  Status Restore(std::uint64_t epoch, std::string_view batch, std::uint64_t attempt) override;
  void OnPressure(std::function<void()> request_checkpoint) override {
    buffer_.OnPressure(std::move(request_checkpoint));
  }

  Status Write(std::string_view view, std::span<const Cell> cells) override;
  Status WriteLetters(std::vector<DeadLetterRow> letters) override;
  StatusOr<EpochBatch> Snapshot(std::uint64_t epoch) override {
    if (attempt_ == 0) return InternalError("a barrier came before Restore");
    return buffer_.Snapshot(epoch, options_.generation, attempt_);
  }
  Status CommitEpoch(std::uint64_t epoch) override { return buffer_.Commit(epoch); }
  Status Finish() override;

  RunResultsCounts counts() const override;
  void Close() override;

 private:
  struct View {
    std::size_t position;  // in the buffer and in batches
    std::string signature;
    columnar::StorableCheck key;
    columnar::StorableCheck value;
  };

  static Status CheckStorable(const View& view, const Cell& cell);
  StatusOr<std::vector<std::size_t>> PositionsOf(const EpochBatchParts& parts) const;
  Status ApplyBatch(std::uint64_t epoch, std::string_view batch, std::uint64_t attempt, const AppliedEpochs& applied);
  Status ApplyBlocks(std::uint64_t epoch, std::span<const EpochBlock> blocks, std::uint64_t attempt);
  void ApplyCommitted();

  const RunResultsOptions options_;
  std::unique_ptr<StoreWriters> writers_;
  EpochBuffer buffer_;
  std::map<std::string, View, std::less<>> views_;  // as what follows: not changed after the start
  std::vector<std::shared_ptr<CellBlockPool>> pools_;
  std::uint64_t attempt_ = 0;  // 0 before Restore
  std::thread applier_;

  std::atomic<std::uint64_t> cells_ = 0;
  std::atomic<std::uint64_t> letters_ = 0;
  std::atomic<std::uint64_t> superseded_ = 0;
  std::atomic<std::uint64_t> epochs_ = 0;
  double warehouse_s_ = 0;
  double lookup_s_ = 0;
};

Status EpochSinks::Declare(const ViewDescriptor& view) {
  MILLRACE_RETURN_IF_ERROR(CheckViewName(view));
  MILLRACE_RETURN_IF_ERROR(writers_->Declare(view));
  MILLRACE_ASSIGN_OR_RETURN(columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  if (views_.contains(view.name)) return OkStatus();
  const std::size_t position = buffer_.AddView(view, columns.signature);
  pools_.push_back(std::make_shared<CellBlockPool>(view));
  views_.emplace(view.name, View{.position = position,
                                 .signature = std::move(columns.signature),
                                 .key = columnar::StorableCheck(*view.key),
                                 .value = columnar::StorableCheck(*view.value)});
  return OkStatus();
}

// The positions among this run's views of those of a batch.
StatusOr<std::vector<std::size_t>> EpochSinks::PositionsOf(const EpochBatchParts& parts) const {
  std::vector<bool> has_cells(parts.head.views.size());
  for (const EpochBlock& block : parts.blocks) {
    if (block.is_cells) has_cells[block.view] = true;
  }
  std::vector<std::size_t> positions;
  for (const BatchView& view : parts.head.views) {
    const auto found = views_.find(view.name);
    const bool is_needed = has_cells[positions.size()];
    positions.push_back(found == views_.end() ? 0 : found->second.position);
    if (!is_needed || (found != views_.end() && found->second.signature == view.signature)) continue;
    return FailedPreconditionError(
        "the checkpoint has cells of the view " + view.name + " as " + view.signature + ", but the pipeline " +
        (found == views_.end() ? "has no such view" : "declares " + found->second.signature) +
        "; run the program that wrote the checkpoint, or start anew with --fresh");
  }
  return positions;
}

Status EpochSinks::ApplyBlocks(std::uint64_t epoch, std::span<const EpochBlock> blocks, std::uint64_t attempt) {
  const EpochCellsOptions cells{
      .generation = options_.generation, .attempt = attempt, .portion_cells_max = options_.portion_cells_max};
  MILLRACE_ASSIGN_OR_RETURN(
      const std::uint64_t superseded,
      DecodeEpoch(epoch, blocks, pools_, cells, [this](const auto& portion) { return writers_->Push(portion); }));
  superseded_ += superseded;
  ++epochs_;
  return writers_->WaitUntilIdle();
}

Status EpochSinks::ApplyBatch(std::uint64_t epoch, std::string_view batch, std::uint64_t attempt,
                              const AppliedEpochs& applied) {
  MILLRACE_ASSIGN_OR_RETURN(EpochBatchParts parts, TakeApart(batch));
  if (parts.head.epoch != epoch) {
    return DataLossError("the checkpoint of epoch " + std::to_string(epoch) + " has the batch of epoch " +
                         std::to_string(parts.head.epoch));
  }
  // A batch out of a snapshot of another generation, or another directory, is older than all that this run writes.
  const bool is_own = parts.head.generation == options_.generation && parts.head.attempt < attempt;
  const std::uint64_t writer = is_own ? parts.head.attempt : 0;
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::size_t> positions, PositionsOf(parts));
  for (EpochBlock& block : parts.blocks) {
    if (block.is_cells) block.view = positions[block.view];
  }
  const std::uint64_t applied_by_both = std::min(applied.warehouse, applied.lookup);
  for (std::size_t begin = 0; begin < parts.blocks.size();) {
    const std::uint64_t of = parts.blocks[begin].epoch;
    std::size_t end = begin + 1;
    while (end < parts.blocks.size() && parts.blocks[end].epoch == of) ++end;
    const std::span<const EpochBlock> blocks(&parts.blocks[begin], end - begin);
    if (of > applied_by_both) MILLRACE_RETURN_IF_ERROR(ApplyBlocks(of, blocks, writer));
    begin = end;
  }
  const bool is_noted = applied_by_both >= epoch || (!parts.blocks.empty() && parts.blocks.back().epoch == epoch);
  return is_noted ? OkStatus() : ApplyBlocks(epoch, {}, writer);
}

Status EpochSinks::Restore(std::uint64_t epoch, std::string_view batch, std::uint64_t attempt) {
  if (attempt == 0 || attempt_ != 0) return InternalError("Restore comes once, with an attempt from 1 on");
  MILLRACE_ASSIGN_OR_RETURN(const AppliedEpochs applied, writers_->LastEpochs());
  const std::uint64_t last = std::max(applied.warehouse, applied.lookup);
  if (last > epoch) {
    return FailedPreconditionError("the results in " + options_.folder + " hold epoch " + std::to_string(last) +
                                   ", which is later than the checkpoint's, " + std::to_string(epoch) +
                                   "; the checkpoint that belongs to them is lost: start anew with --fresh");
  }
  if (!batch.empty()) MILLRACE_RETURN_IF_ERROR(ApplyBatch(epoch, batch, attempt, applied));
  MILLRACE_RETURN_IF_ERROR(writers_->Fence(options_.generation, attempt));
  attempt_ = attempt;
  applier_ = std::thread([this] { ApplyCommitted(); });
  return OkStatus();
}

// What a store could not take must not get into a checkpoint: no restart could apply it.
Status EpochSinks::CheckStorable(const View& view, const Cell& cell) {
  if (Status status = view.key.Check(cell.key); !status.ok()) return status.WithContext("key");
  for (const Timestamp time : {cell.window_start, cell.window_end}) {
    if (Status status = columnar::CheckStorableTime(time); !status.ok()) return status.WithContext("window");
  }
  if (cell.value == nullptr) return OkStatus();
  return view.value.Check(cell.value).WithContext("value");
}

Status EpochSinks::Write(std::string_view name, std::span<const Cell> cells) {
  const auto view = views_.find(name);
  if (view == views_.end()) return InternalError("view " + std::string(name) + " was not declared before the run");
  if (attempt_ == 0) return InternalError("cells of the view " + std::string(name) + " came before Restore");
  for (const Cell& cell : cells) {
    if (Status storable = CheckStorable(view->second, cell); !storable.ok()) {
      return storable.WithContext("view " + view->first);
    }
  }
  cells_ += cells.size();
  return buffer_.AddCells(view->second.position, cells);
}

Status EpochSinks::WriteLetters(std::vector<DeadLetterRow> letters) {
  static const columnar::StorableCheck check(TypeOf<DeadLetterRow>());
  for (const DeadLetterRow& letter : letters) {
    MILLRACE_RETURN_IF_ERROR(check.Check(&letter).WithContext("dead letters"));
  }
  letters_ += letters.size();
  return buffer_.AddLetters(letters);
}

void EpochSinks::ApplyCommitted() {
  while (const std::optional<EpochBuffer::SealedEpoch> sealed = buffer_.WaitForCommitted()) {
    std::vector<EpochBlock> blocks;
    Status status;
    for (const std::shared_ptr<const std::string>& bytes : sealed->blocks) {
      std::string_view in = *bytes;
      StatusOr<EpochBlock> block = TakeBlock(&in);
      if (!block.ok()) status = block.status();
      if (!block.ok()) break;
      blocks.push_back(*block);
    }
    if (status.ok()) status = ApplyBlocks(sealed->epoch, blocks, attempt_);
    if (!status.ok()) return buffer_.Fail(status);
    buffer_.Applied();
  }
}

Status EpochSinks::Finish() {
  MILLRACE_RETURN_IF_ERROR(buffer_.WaitUntilApplied());
  // Until the run is resumed nothing is written.
  return writers_->CompactWarehouse();
}

RunResultsCounts EpochSinks::counts() const {
  RunResultsCounts counts;
  counts.cells = cells_;
  counts.letters = letters_;
  counts.superseded = superseded_;
  counts.epochs = epochs_;
  counts.warehouse_s = writers_ == nullptr ? warehouse_s_ : writers_->warehouse_s();
  counts.lookup_s = writers_ == nullptr ? lookup_s_ : writers_->lookup_s();
  return counts;
}

void EpochSinks::Close() {
  buffer_.Close();
  if (applier_.joinable()) applier_.join();
  if (writers_ == nullptr) return;
  warehouse_s_ = writers_->warehouse_s();
  lookup_s_ = writers_->lookup_s();
  writers_.reset();
}

}  // namespace

std::shared_ptr<ResultSinks> MakeEpochSinks(const RunResultsOptions& options, std::unique_ptr<StoreWriters> writers) {
  return std::make_shared<EpochSinks>(options, std::move(writers));
}

}  // namespace millrace::cli
