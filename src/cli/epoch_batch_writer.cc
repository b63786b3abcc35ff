// Writes batches: see epoch_batch.h.
#include <algorithm>
#include <utility>

#include "cli/epoch_batch.h"
#include "cli/epoch_batch_layout.h"
#include "millrace/core/coder.h"

namespace millrace::cli {

namespace {

using detail::AppendVarint;

void AppendText(std::string_view text, std::string* out) {
  AppendVarint(text.size(), out);
  out->append(text);
}

void AppendBigEndian(std::uint64_t value, int bytes, std::string* out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

void AppendTime(Timestamp time, std::string* out) {
  AppendBigEndian(static_cast<std::uint64_t>(time.micros()), 8, out);
}

// An element as a text. Its size is known afterwards: most take one byte for it.
void AppendElement(const Type& type, const void* object, std::string* out) {
  const std::size_t at = out->size();
  out->push_back(0);
  EncodeElement(type, object, out);
  const std::size_t size = out->size() - at - 1;
  if (size < 0x80) {
    (*out)[at] = static_cast<char>(size);
    return;
  }
  std::string length;
  AppendVarint(size, &length);
  out->replace(at, 1, length);
}

std::uint8_t FlagsOf(const Cell& cell) {
  unsigned flags = static_cast<unsigned>(cell.timing) & batch_layout::kTimingMask;
  if (cell.is_final) flags |= batch_layout::kFinalFlag;
  if (cell.value == nullptr) flags |= batch_layout::kRemovedFlag;
  return static_cast<std::uint8_t>(flags);
}

}  // namespace

std::string EncodeHead(const EpochBatchHead& head) {
  std::string bytes(batch_layout::kMagic);
  AppendVarint(batch_layout::kVersion, &bytes);
  for (const std::uint64_t number : {head.epoch, head.generation, head.attempt}) AppendVarint(number, &bytes);
  AppendVarint(head.views.size(), &bytes);
  for (const BatchView& view : head.views) {
    AppendText(view.name, &bytes);
    AppendText(view.signature, &bytes);
  }
  for (const std::uint64_t number : {head.blocks, head.cells, head.letters, head.bytes}) AppendVarint(number, &bytes);
  return bytes;
}

EpochBlockWriter::EpochBlockWriter(Kind kind, std::size_t view) : kind_(kind), view_(static_cast<std::uint32_t>(view)) {
  bytes_.resize(batch_layout::kBlockHeadBytes);
}

void EpochBlockWriter::AddCells(const ViewDescriptor& view, std::uint64_t order, std::span<const Cell> cells) {
  for (std::size_t begin = 0; begin < cells.size();) {
    const Cell& first = cells[begin];
    const std::uint8_t flags = FlagsOf(first);
    std::size_t end = begin + 1;
    while (end < cells.size() && cells[end].window_start == first.window_start &&
           cells[end].window_end == first.window_end && FlagsOf(cells[end]) == flags) {
      ++end;
    }
    AppendVarint(end - begin, &bytes_);
    AppendVarint(order, &bytes_);
    bytes_.push_back(static_cast<char>(flags));
    AppendTime(first.window_start, &bytes_);
    AppendTime(first.window_end, &bytes_);
    for (; begin < end; ++begin) {
      AppendVarint(cells[begin].version.pane, &bytes_);
      AppendElement(*view.key, cells[begin].key, &bytes_);
      if (cells[begin].value != nullptr) AppendElement(*view.value, cells[begin].value, &bytes_);
    }
  }
  count_ += static_cast<std::uint32_t>(cells.size());
}

void EpochBlockWriter::AddLetters(std::span<const DeadLetterRow> letters) {
  for (const DeadLetterRow& letter : letters) {
    AppendText(letter.name, &bytes_);
    AppendText(letter.step, &bytes_);
    AppendText(letter.element, &bytes_);
    const bool has_window = letter.window_start && letter.window_end;
    const bool has_reason = !letter.reason.empty() || !letter.code_version.empty();
    bytes_.push_back(static_cast<char>(
        (letter.event_time ? batch_layout::kHasEventTime : 0) | (has_window ? batch_layout::kHasWindow : 0) |
        (has_reason ? batch_layout::kHasReason : 0) | (letter.origin ? batch_layout::kHasOrigin : 0)));
    if (letter.event_time) AppendTime(*letter.event_time, &bytes_);
    if (has_window) {
      AppendTime(*letter.window_start, &bytes_);
      AppendTime(*letter.window_end, &bytes_);
    }
    AppendTime(letter.written_at, &bytes_);
    if (has_reason) {
      AppendText(letter.reason, &bytes_);
      AppendText(letter.code_version, &bytes_);
    }
    if (letter.origin) {
      AppendText(*letter.origin, &bytes_);
      AppendBigEndian(static_cast<std::uint64_t>(letter.position.value_or(0)), 8, &bytes_);
    }
  }
  count_ += static_cast<std::uint32_t>(letters.size());
}

std::string EpochBlockWriter::Finish(std::uint64_t epoch) && {
  std::string head(1, static_cast<char>(kind_));
  head.append(3, '\0');
  AppendBigEndian(view_, 4, &head);
  AppendBigEndian(epoch, 8, &head);
  AppendBigEndian(count_, 4, &head);
  AppendBigEndian(bytes_.size() - batch_layout::kBlockHeadBytes, 4, &head);
  std::copy(head.begin(), head.end(), bytes_.begin());
  return std::move(bytes_);
}

}  // namespace millrace::cli
