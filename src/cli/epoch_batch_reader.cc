// Reads batches, whatever their bytes are: see epoch_batch.h.
#include <utility>

#include "base/status_macros.h"
#include "cli/epoch_batch.h"
#include "cli/epoch_batch_layout.h"
#include "millrace/core/coder.h"

namespace millrace::cli {

namespace {

using detail::ReadVarint;

constexpr std::size_t kTimeBytes = 8;

bool TakeText(std::string_view* in, std::string_view* text) {
  std::uint64_t size = 0;
  std::string_view rest = *in;
  if (!ReadVarint(&rest, &size) || size > rest.size()) return false;
  *text = rest.substr(0, size);
  *in = rest.substr(size);
  return true;
}

bool TakeText(std::string_view* in, std::string* text) {
  std::string_view bytes;
  if (!TakeText(in, &bytes)) return false;
  text->assign(bytes);
  return true;
}

// `in` has so many bytes.
std::uint64_t TakeBigEndian(std::string_view* in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>((*in)[i]);
  in->remove_prefix(bytes);
  return value;
}

bool TakeTime(std::string_view* in, Timestamp* time) {
  if (in->size() < kTimeBytes) return false;
  *time = Timestamp::FromMicros(static_cast<std::int64_t>(TakeBigEndian(in, kTimeBytes)));
  return *time >= Timestamp::Min() && *time <= Timestamp::Max();
}

Status HeadDamaged(const std::string& what) { return DataLossError("epoch batch, head: " + what); }

Status TakeHead(std::string_view* in, EpochBatchHead* head) {
  if (!in->starts_with(batch_layout::kMagic)) return HeadDamaged("it does not begin with MREB");
  in->remove_prefix(batch_layout::kMagic.size());
  std::uint64_t version = 0;
  if (!ReadVarint(in, &version)) return HeadDamaged("the version is cut off");
  if (version != batch_layout::kVersion) {
    return FailedPreconditionError("epoch batch: version " + std::to_string(version) + ", this program reads version " +
                                   std::to_string(batch_layout::kVersion) + "; use the program that wrote it");
  }
  std::uint64_t views = 0;
  for (std::uint64_t* number : {&head->epoch, &head->generation, &head->attempt, &views}) {
    if (!ReadVarint(in, number)) return HeadDamaged("a number is cut off");
  }
  // Each view takes two bytes at least, so that a wrong number ends here and not when memory does.
  if (views > in->size() / 2) return HeadDamaged("it names " + std::to_string(views) + " views and is too short");
  for (std::uint64_t i = 0; i < views; ++i) {
    BatchView view;
    if (!TakeText(in, &view.name) || !TakeText(in, &view.signature)) {
      return HeadDamaged("view " + std::to_string(i) + " is cut off");
    }
    head->views.push_back(std::move(view));
  }
  for (std::uint64_t* number : {&head->blocks, &head->cells, &head->letters, &head->bytes}) {
    if (!ReadVarint(in, number)) return HeadDamaged("a count is cut off");
  }
  return OkStatus();
}

}  // namespace

StatusOr<EpochBlock> TakeBlock(std::string_view* in) {
  if (in->size() < batch_layout::kBlockHeadBytes) return DataLossError("its head is cut off");
  std::string_view rest = *in;
  EpochBlock block;
  const std::uint64_t kind = TakeBigEndian(&rest, 1);
  const std::uint64_t reserved = TakeBigEndian(&rest, 3);
  block.is_cells = kind == batch_layout::kCellsKind;
  block.view = TakeBigEndian(&rest, 4);
  block.epoch = TakeBigEndian(&rest, 8);
  block.count = TakeBigEndian(&rest, 4);
  const std::uint64_t bytes = TakeBigEndian(&rest, 4);
  if (!block.is_cells && kind != batch_layout::kLettersKind) {
    return DataLossError("its kind is " + std::to_string(kind));
  }
  if (reserved != 0 || (!block.is_cells && block.view != 0)) return DataLossError("a reserved byte is not zero");
  if (bytes > rest.size()) {
    return DataLossError("it has " + std::to_string(bytes) + " bytes, but only " + std::to_string(rest.size()) +
                         " follow");
  }
  if (block.count == 0 || block.count > bytes) {
    return DataLossError("its count is " + std::to_string(block.count) + " in " + std::to_string(bytes) + " bytes");
  }
  block.content = rest.substr(0, bytes);
  *in = rest.substr(bytes);
  return block;
}

StatusOr<EpochBatchParts> TakeApart(std::string_view batch) {
  EpochBatchParts parts;
  MILLRACE_RETURN_IF_ERROR(TakeHead(&batch, &parts.head));
  const EpochBatchHead& head = parts.head;
  if (head.bytes != batch.size()) {
    return HeadDamaged("its blocks have " + std::to_string(head.bytes) + " bytes, but " + std::to_string(batch.size()) +
                       " follow");
  }
  std::uint64_t cells = 0;
  std::uint64_t letters = 0;
  std::uint64_t epoch = 1;
  while (!batch.empty()) {
    const std::string where = "epoch batch, block " + std::to_string(parts.blocks.size());
    StatusOr<EpochBlock> block = TakeBlock(&batch);
    if (!block.ok()) return block.status().WithContext(where);
    if (block->is_cells && block->view >= head.views.size()) {
      return DataLossError(where + ": view " + std::to_string(block->view) + " of " +
                           std::to_string(head.views.size()));
    }
    if (block->epoch < epoch || block->epoch > head.epoch) {
      return DataLossError(where + ": epoch " + std::to_string(block->epoch) + " behind epoch " +
                           std::to_string(epoch) + " in a batch of epoch " + std::to_string(head.epoch));
    }
    epoch = block->epoch;
    block->number = parts.blocks.size();
    std::uint64_t& counted = block->is_cells ? cells : letters;
    block->first = counted;
    counted += block->count;
    parts.blocks.push_back(*block);
  }
  if (parts.blocks.size() == head.blocks && cells == head.cells && letters == head.letters) return parts;
  return HeadDamaged("it counts " + std::to_string(head.blocks) + " blocks, " + std::to_string(head.cells) +
                     " cells and " + std::to_string(head.letters) + " dead letters, but there are " +
                     std::to_string(parts.blocks.size()) + ", " + std::to_string(cells) + " and " +
                     std::to_string(letters));
}

Status EncodedCells::Damaged(const char* field, const char* what) const {
  return DataLossError("epoch batch, view " + std::string(view_) + ", cell " + std::to_string(next_) + ", " + field +
                       ": " + what);
}

Status EncodedCells::BeginRun() {
  std::uint64_t count = 0;
  if (!ReadVarint(&rest_, &count)) return Damaged("run", "its count is cut off");
  if (count == 0 || count > left_) return Damaged("run", "its count does not fit the block");
  if (!ReadVarint(&rest_, &run_.order)) return Damaged("order", "it is cut off");
  if (rest_.empty()) return Damaged("flags", "they are cut off");
  const auto flags = static_cast<unsigned char>(rest_[0]);
  rest_.remove_prefix(1);
  if ((flags & ~batch_layout::kAllFlags) != 0) return Damaged("flags", "one of them is unknown");
  run_.timing = static_cast<CellTiming>(flags & batch_layout::kTimingMask);
  run_.is_final = (flags & batch_layout::kFinalFlag) != 0;
  run_.is_removed = (flags & batch_layout::kRemovedFlag) != 0;
  if (!TakeTime(&rest_, &run_.window_start) || !TakeTime(&rest_, &run_.window_end)) {
    return Damaged("window", "it is cut off or out of range");
  }
  if (run_.window_start > run_.window_end) return Damaged("window", "it ends before it starts");
  run_left_ = count;
  return OkStatus();
}

StatusOr<bool> EncodedCells::Next(EncodedCell* cell) {
  if (left_ == 0) {
    if (!rest_.empty()) return Damaged("end", "bytes are left over behind the last cell");
    return false;
  }
  if (run_left_ == 0) MILLRACE_RETURN_IF_ERROR(BeginRun());
  *cell = run_;
  if (!ReadVarint(&rest_, &cell->pane)) return Damaged("pane", "it is cut off");
  if (!TakeText(&rest_, &cell->key)) return Damaged("key", "it is cut off");
  if (!cell->is_removed && !TakeText(&rest_, &cell->value)) return Damaged("value", "it is cut off");
  cell->number = next_++;
  --left_;
  --run_left_;
  return true;
}

StatusOr<std::vector<DeadLetterRow>> DecodeLetters(const EpochBlock& block) {
  std::vector<DeadLetterRow> letters;
  std::string_view rest = block.content;
  for (std::size_t i = 0; i < block.count; ++i) {
    const auto damaged = [&](const char* field) {
      return DataLossError("epoch batch, dead letter " + std::to_string(block.first + i) + ", " + field +
                           ": it is cut off or damaged");
    };
    DeadLetterRow letter;
    if (!TakeText(&rest, &letter.name)) return damaged("name");
    if (!TakeText(&rest, &letter.step)) return damaged("step");
    if (!TakeText(&rest, &letter.element)) return damaged("element");
    constexpr unsigned kAllFlags =
        batch_layout::kHasEventTime | batch_layout::kHasWindow | batch_layout::kHasReason | batch_layout::kHasOrigin;
    const unsigned flags = rest.empty() ? ~0U : static_cast<unsigned char>(rest[0]);
    if (flags > kAllFlags) return damaged("flags");
    rest.remove_prefix(1);
    const bool has_time = (flags & batch_layout::kHasEventTime) != 0;
    if (has_time && !TakeTime(&rest, &letter.event_time.emplace())) return damaged("event time");
    const bool has_window = (flags & batch_layout::kHasWindow) != 0;
    if (has_window &&
        !(TakeTime(&rest, &letter.window_start.emplace()) && TakeTime(&rest, &letter.window_end.emplace()))) {
      return damaged("window");
    }
    if (!TakeTime(&rest, &letter.written_at)) return damaged("time of writing");
    if ((flags & batch_layout::kHasReason) != 0 &&
        !(TakeText(&rest, &letter.reason) && TakeText(&rest, &letter.code_version))) {
      return damaged("reason");
    }
    if ((flags & batch_layout::kHasOrigin) != 0) {
      if (!TakeText(&rest, &letter.origin.emplace()) || rest.size() < kTimeBytes) return damaged("origin");
      letter.position = static_cast<std::int64_t>(TakeBigEndian(&rest, kTimeBytes));
    }
    letter.id = IdOf(letter);
    letters.push_back(std::move(letter));
  }
  if (rest.empty()) return letters;
  return DataLossError("epoch batch, block " + std::to_string(block.number) + ": " + std::to_string(rest.size()) +
                       " bytes are left over behind the last dead letter");
}

}  // namespace millrace::cli
