// Cursors that write each row of the input to memory, whole, before the query sees it: as a source of an engine does
// that hands over rows. A query on the plain cursors pays only for the fields that it reads, since the generator is
// inlined into it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "nexmark/cursor.h"
#include "nexmark/rows.h"

namespace millrace::nexmark {

/// The last rows written. The compiler cannot leave the writing out. Not thread safe.
template <class Row>
class RowRing {
 public:
  RowRing() : rows_(std::make_unique<std::array<Row, kRows>>()) {}

  /// The row to write next; it holds an old one.
  [[gnu::always_inline]] Row& Next() {
    if (next_ == 0) asm volatile("" : : "r"(rows_->data()) : "memory");
    Row& row = (*rows_)[next_];
    next_ = (next_ + 1) % kRows;
    return row;
  }

 private:
  static constexpr std::size_t kRows = 256;

  std::unique_ptr<std::array<Row, kRows>> rows_;
  std::size_t next_ = 0;
};

/// The row of `cursor` as a `Bid` or an `OwnedBid`.
template <class Row, class Cursor>
Row BidRow(const Cursor& cursor) {
  if constexpr (std::is_same_v<Row, OwnedBid>) {
    return cursor.owned_row();
  } else {
    return cursor.row();
  }
}

/// The bid stream that `Bids` walks, each row written as `Row` (`Bid` or `OwnedBid`).
template <class Row, class Bids>
class WholeBids {
 public:
  WholeBids(const GeneratorConfig& config, std::uint64_t total) : cursor_(config, total) { Make(); }

  [[gnu::always_inline]] void Next() {
    cursor_.Next();
    Make();
  }

  const WholeBids* operator->() const { return this; }
  std::int64_t time_ms() const { return cursor_->time_ms(); }
  std::int64_t auction() const { return row_->row.auction; }
  std::int64_t bidder() const { return row_->row.bidder; }
  std::int64_t price() const { return row_->row.price; }
  std::int64_t key(std::uint64_t keys) const { return cursor_->key(keys); }

 private:
  [[gnu::always_inline]] void Make() {
    Timed<Row>& slot = ring_.Next();
    slot.time = cursor_->time();
    slot.row = BidRow<Row>(*cursor_);
    row_ = &slot;
  }

  Bids cursor_;
  RowRing<Timed<Row>> ring_;
  const Timed<Row>* row_ = nullptr;
};

/// The person-and-auction stream that `PersonsAndAuctions` walks; auctions are written, persons are whole in any case.
template <class PersonsAndAuctions>
class WholePersonsAndAuctions {
 public:
  WholePersonsAndAuctions(const GeneratorConfig& config, std::uint64_t total) : cursor_(config, total) { Make(); }

  [[gnu::always_inline]] void Next() {
    cursor_.Next();
    Make();
  }

  const WholePersonsAndAuctions* operator->() const { return this; }
  std::int64_t time_ms() const { return cursor_->time_ms(); }
  bool is_person() const { return cursor_->is_person(); }
  Person person() const { return cursor_->person(); }
  std::int64_t seller() const { return row_->row.seller; }

 private:
  [[gnu::always_inline]] void Make() {
    if (is_person()) return;
    Timed<Auction>& slot = ring_.Next();
    slot.time = cursor_->time();
    slot.row = cursor_->auction();
    row_ = &slot;
  }

  PersonsAndAuctions cursor_;
  RowRing<Timed<Auction>> ring_;
  const Timed<Auction>* row_ = nullptr;
};

}  // namespace millrace::nexmark
