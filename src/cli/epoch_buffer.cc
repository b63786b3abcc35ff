#include "cli/epoch_buffer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/status_macros.h"

namespace millrace::cli {

namespace {

// So many are encoded before the size of their block is looked at.
constexpr std::size_t kSliceMax = 512;
// A block's head has 4 bytes for its size.
constexpr std::size_t kBlockBytesMax = std::numeric_limits<std::uint32_t>::max();

std::string Mebibytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

std::size_t EpochBuffer::AddView(const ViewDescriptor& view, const std::string& signature) {
  names_.push_back({view.name, signature});
  views_.push_back({view, {}});
  return views_.size() - 1;
}

bool EpochBuffer::MustWait() const {
  if (sealed_.empty()) return false;
  if (open_bytes_ + sealed_bytes_ > options_.bytes_max) return true;
  std::size_t backlog = 0;
  for (auto epoch = sealed_.begin() + 1; epoch < sealed_.end() && epoch->epoch <= committed_; ++epoch) {
    backlog += epoch->bytes;
  }
  return backlog > options_.backlog_bytes_max;
}

Status EpochBuffer::WaitForRoom(std::unique_lock<std::mutex>& lock) {
  const bool in_time =
      changed_.wait_for(lock, options_.wait_max, [this] { return !failure_.ok() || is_closed_ || !MustWait(); });
  if (!failure_.ok()) return failure_;
  if (is_closed_) return CancelledError("the sinks are closed");
  if (!in_time) {
    return ResourceExhaustedError("the view stores have not taken " + Mebibytes(sealed_bytes_) + " of cells within " +
                                  std::to_string(options_.wait_max.count() / 1000) +
                                  " s; look for a full or a very slow disk");
  }
  if (open_bytes_ + sealed_bytes_ <= options_.bytes_max) return OkStatus();
  return ResourceExhaustedError("more than " + Mebibytes(options_.bytes_max) +
                                " of cells were written since the last checkpoint; make checkpoints more often");
}

EpochBlockWriter EpochBuffer::TakeOpen(std::vector<EpochBlockWriter>* open, const EpochBlockWriter& empty) {
  ++writers_;
  if (open->empty()) {
    EpochBlockWriter fresh = empty;
    fresh.Reserve(options_.block_bytes + options_.block_bytes / 8);
    return fresh;
  }
  EpochBlockWriter block = std::move(open->back());
  open->pop_back();
  return block;
}

Status EpochBuffer::GiveBack(EpochBlockWriter block, std::vector<EpochBlockWriter>* open) {
  --writers_;
  if (block.bytes() > kBlockBytesMax) return ResourceExhaustedError("a write of more than 4 GiB of cells");
  (block.bytes() >= options_.block_bytes ? filled_ : *open).push_back(std::move(block));
  return OkStatus();
}

void EpochBuffer::CountWritten(std::size_t bytes, std::unique_lock<std::mutex>& lock) {
  open_bytes_ += bytes;
  const bool asks = open_bytes_ > options_.pressure_bytes && !has_asked_ && request_checkpoint_ != nullptr;
  if (!asks) return;
  has_asked_ = true;
  lock.unlock();
  request_checkpoint_();
}

Status EpochBuffer::AddCells(std::size_t view, std::span<const Cell> cells) {
  while (!cells.empty()) {
    std::unique_lock lock(mutex_);
    MILLRACE_RETURN_IF_ERROR(WaitForRoom(lock));
    EpochBlockWriter block = TakeOpen(&views_[view].open, EpochBlockWriter::ForCells(view));
    const std::uint64_t order = ++order_;
    lock.unlock();
    const std::size_t bytes = block.bytes();
    const std::size_t count = std::min(cells.size(), kSliceMax);
    block.AddCells(views_[view].descriptor, order, cells.subspan(0, count));
    cells = cells.subspan(count);
    const std::size_t written = block.bytes() - bytes;
    lock.lock();
    MILLRACE_RETURN_IF_ERROR(GiveBack(std::move(block), &views_[view].open));
    CountWritten(written, lock);
  }
  return OkStatus();
}

Status EpochBuffer::AddLetters(std::span<const DeadLetterRow> letters) {
  if (letters.empty()) return OkStatus();
  std::unique_lock lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(WaitForRoom(lock));
  EpochBlockWriter block = TakeOpen(&open_letters_, EpochBlockWriter::ForLetters());
  lock.unlock();
  const std::size_t bytes = block.bytes();
  block.AddLetters(letters);
  const std::size_t written = block.bytes() - bytes;
  lock.lock();
  MILLRACE_RETURN_IF_ERROR(GiveBack(std::move(block), &open_letters_));
  CountWritten(written, lock);
  return OkStatus();
}

EpochBuffer::SealedEpoch EpochBuffer::SealOpen(std::uint64_t epoch) {
  SealedEpoch sealed{.epoch = epoch, .blocks = {}};
  const auto seal = [&](std::vector<EpochBlockWriter>* open) {
    for (EpochBlockWriter& block : *open) {
      (block.is_cells() ? sealed.cells : sealed.letters) += block.count();
      sealed.bytes += block.bytes();
      sealed.blocks.push_back(std::make_shared<const std::string>(std::move(block).Finish(epoch)));
    }
    open->clear();
  };
  seal(&filled_);
  for (View& view : views_) seal(&view.open);
  seal(&open_letters_);
  return sealed;
}

StatusOr<EpochBatch> EpochBuffer::Snapshot(std::uint64_t epoch, std::uint64_t generation, std::uint64_t attempt) {
  const std::lock_guard lock(mutex_);
  if (!failure_.ok()) return failure_;
  if (writers_ > 0) return InternalError("a barrier came while cells were being written");
  if (epoch <= std::max(committed_, sealed_.empty() ? 0 : sealed_.back().epoch)) {
    return InternalError("epoch " + std::to_string(epoch) + " has had its barrier already");
  }
  sealed_.push_back(SealOpen(epoch));
  open_bytes_ = 0;
  has_asked_ = false;
  sealed_bytes_ += sealed_.back().bytes;
  EpochBatchHead head{.epoch = epoch, .generation = generation, .attempt = attempt, .views = names_};
  EpochBatch batch(1);
  for (const SealedEpoch& sealed : sealed_) {
    head.blocks += sealed.blocks.size();
    head.cells += sealed.cells;
    head.letters += sealed.letters;
    head.bytes += sealed.bytes;
    batch.insert(batch.end(), sealed.blocks.begin(), sealed.blocks.end());
  }
  batch.front() = std::make_shared<const std::string>(EncodeHead(head));
  changed_.notify_all();
  return batch;
}

Status EpochBuffer::Commit(std::uint64_t epoch) {
  const std::lock_guard lock(mutex_);
  if (!failure_.ok()) return failure_;
  const bool is_known =
      std::any_of(sealed_.begin(), sealed_.end(), [&](const SealedEpoch& sealed) { return sealed.epoch == epoch; });
  if (!is_known) return InternalError("epoch " + std::to_string(epoch) + " is committed without a barrier");
  committed_ = std::max(committed_, epoch);
  changed_.notify_all();
  return OkStatus();
}

std::optional<EpochBuffer::SealedEpoch> EpochBuffer::WaitForCommitted() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_closed_ || !failure_.ok() || HasCommitted(); });
  if (is_closed_ || !failure_.ok()) return std::nullopt;
  return sealed_.front();
}

void EpochBuffer::Applied() {
  const std::lock_guard lock(mutex_);
  sealed_bytes_ -= sealed_.front().bytes;
  sealed_.pop_front();
  changed_.notify_all();
}

void EpochBuffer::Fail(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = status;
  changed_.notify_all();
}

void EpochBuffer::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}

Status EpochBuffer::WaitUntilApplied() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_closed_ || !failure_.ok() || !HasCommitted(); });
  return failure_;
}

Status EpochBuffer::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

}  // namespace millrace::cli
