#include "cli/cell_portion.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/coder.h"
#include "millrace/detail/hash.h"

namespace millrace::cli {

std::string IdOf(const DeadLetterRow& letter) {
  std::string text;
  const auto add = [&text](std::string_view part) { (text += std::to_string(part.size()) + ":").append(part); };
  add(letter.name);
  add(letter.step);
  add(letter.element);
  if (letter.origin) add(*letter.origin + "/" + std::to_string(letter.position.value_or(0)));
  if (letter.window_start) add(std::to_string(letter.window_start->micros()));
  if (letter.window_end) add(std::to_string(letter.window_end->micros()));
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::uint64_t hash = detail::KeyHash(text);
  std::string id;
  for (int shift = 60; shift >= 0; shift -= 4) id += kDigits[(hash >> shift) & 15];
  return id;
}

namespace {

void AppendMicros(Timestamp time, std::string* out) {
  const std::int64_t micros = time.micros();
  out->append(reinterpret_cast<const char*>(&micros), sizeof micros);
}

// At least `count` objects of a type.
void Grow(const Type& type, std::size_t count, std::vector<void*>* objects) {
  objects->reserve(count);
  while (objects->size() < count) objects->push_back(type.create());
}

// The element that spans `bytes`.
Status DecodeWhole(const Type& type, std::string_view bytes, void* object) {
  MILLRACE_RETURN_IF_ERROR(DecodeElement(type, &bytes, object));
  if (bytes.empty()) return OkStatus();
  return DataLossError(std::to_string(bytes.size()) + " bytes are left over");
}

}  // namespace

CellBlock::~CellBlock() {
  for (void* key : keys_) view_.key->destroy(key);
  for (void* value : values_) view_.value->destroy(value);
}

void CellBlock::Fill(std::span<const Cell> cells, std::uint64_t generation, std::uint64_t attempt) {
  Grow(*view_.key, cells.size(), &keys_);
  Grow(*view_.value, cells.size(), &values_);
  cells_.assign(cells.begin(), cells.end());
  const bool may_be_superseded =
      std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return !cell.is_final || cell.version.pane > 0; });
  identities_.resize(may_be_superseded ? cells.size() : 0);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    Cell& cell = cells_[i];
    view_.key->assign(keys_[i], cell.key);
    cell.key = keys_[i];
    if (cell.value != nullptr) {
      view_.value->assign(values_[i], cell.value);
      cell.value = values_[i];
    }
    cell.version.generation = generation;
    cell.version.attempt = attempt;
    if (!may_be_superseded) continue;
    identities_[i].clear();
    EncodeElement(*view_.key, cell.key, &identities_[i]);
    AppendMicros(cell.window_start, &identities_[i]);
    AppendMicros(cell.window_end, &identities_[i]);
  }
}

void CellBlock::Begin(std::size_t cells_max) {
  Grow(*view_.key, cells_max, &keys_);
  Grow(*view_.value, cells_max, &values_);
  cells_.clear();
  cells_.reserve(cells_max);
  identities_.clear();
}

Status CellBlock::AddDecoded(const Cell& cell, std::string_view key, std::string_view value) {
  const std::size_t at = cells_.size();
  Cell decoded = cell;
  decoded.key = keys_[at];
  if (Status status = DecodeWhole(*view_.key, key, keys_[at]); !status.ok()) return status.WithContext("key");
  if (cell.value != nullptr) {
    decoded.value = values_[at];
    if (Status status = DecodeWhole(*view_.value, value, values_[at]); !status.ok()) return status.WithContext("value");
  }
  cells_.push_back(decoded);
  return OkStatus();
}

std::shared_ptr<CellBlock> CellBlockPool::Take() {
  std::unique_ptr<CellBlock> block;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      block = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (block == nullptr) block = std::make_unique<CellBlock>(view_);
  return {block.release(), [pool = weak_from_this()](CellBlock* returned) {
            std::unique_ptr<CellBlock> owned(returned);
            const std::shared_ptr<CellBlockPool> alive = pool.lock();
            if (alive == nullptr) return;
            const std::lock_guard lock(alive->mutex_);
            alive->free_.push_back(std::move(owned));
          }};
}

void CellPortion::Add(std::shared_ptr<CellBlock> block) {
  size_ += block->cells().size();
  if (block->has_identities()) {
    auto& newest = newest_[block->view().name];
    for (std::size_t i = 0; i < block->cells().size(); ++i) {
      const auto [found, is_new] = newest.try_emplace(block->identity(i), Place{block.get(), i});
      if (is_new) continue;
      const Place old = found->second;
      const bool superseded = old.block->cells()[old.index].version <= block->cells()[i].version;
      const Place loser = superseded ? old : Place{block.get(), i};
      if (superseded) found->second = Place{block.get(), i};
      loser.block->cells()[loser.index].key = nullptr;
      ++dropped_;
    }
  }
  blocks_.push_back(std::move(block));
}

void CellPortion::AddDistinct(std::shared_ptr<CellBlock> block) {
  size_ += block->cells().size();
  blocks_.push_back(std::move(block));
}

void CellPortion::AddLetters(std::vector<DeadLetterRow> letters) {
  size_ += letters.size();
  letters_.insert(letters_.end(), std::make_move_iterator(letters.begin()), std::make_move_iterator(letters.end()));
}

void CellPortion::Seal(std::uint64_t epoch, bool ends_epoch) {
  epoch_ = epoch;
  ends_epoch_ = ends_epoch;
  newest_.clear();
}

std::map<std::string, std::vector<Cell>> CellPortion::CellsByView() const {
  std::map<std::string, std::vector<Cell>> views;
  for (const std::shared_ptr<CellBlock>& block : blocks_) {
    std::vector<Cell>& cells = views[block->view().name];
    if (dropped_ == 0) {
      cells.insert(cells.end(), block->cells().begin(), block->cells().end());
      continue;
    }
    std::copy_if(block->cells().begin(), block->cells().end(), std::back_inserter(cells),
                 [](const Cell& cell) { return cell.key != nullptr; });
  }
  return views;
}

}  // namespace millrace::cli
