// The result rows of the queries, and the checks that sum them up: one text per run that every system must reproduce.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "millrace/core/timestamp.h"

namespace millrace::nexmark {

/// q0 and q1: a whole bid, `Bid` or `OwnedBid`, with its event time.
template <class Row>
struct Timed {
  Timestamp time;
  Row row;
  friend auto operator<=>(const Timed&, const Timed&) = default;
};

/// q2: a bid on a selected auction.
struct SelectedBid {
  std::int64_t auction = 0;
  std::int64_t price = 0;
  friend auto operator<=>(const SelectedBid&, const SelectedBid&) = default;
};

/// q5: an auction that has the most bids of its window.
struct HotItem {
  Timestamp window_start;
  std::int64_t auction = 0;
  std::int64_t bids = 0;
  friend auto operator<=>(const HotItem&, const HotItem&) = default;
};

/// q7: the highest price of a window.
struct HighestBid {
  Timestamp window_start;
  std::int64_t price = 0;
  friend auto operator<=>(const HighestBid&, const HighestBid&) = default;
};

/// q8: a person who appeared and opened an auction in the same window.
struct NewSeller {
  Timestamp window_start;
  std::int64_t id = 0;
  std::string name;
  friend auto operator<=>(const NewSeller&, const NewSeller&) = default;
};

/// q12: the number of bids of one bidder in a window.
struct BidderCount {
  Timestamp window_start;
  std::int64_t bidder = 0;
  std::int64_t bids = 0;
  friend auto operator<=>(const BidderCount&, const BidderCount&) = default;
};

/// qk: the number of bids of one key.
struct KeyCount {
  std::int64_t key = 0;
  std::int64_t bids = 0;
  friend auto operator<=>(const KeyCount&, const KeyCount&) = default;
};

/// Counts and sums, modulo 2^64, that depend on neither the order of the rows nor on how they are split: add up those
/// of each part. Not thread safe.
class Check {
 public:
  template <class Row>
  void Add(const Timed<Row>& row) {
    Add({row.row.price});
  }
  void Add(const SelectedBid& row) { Add({row.price}); }
  void Add(const HotItem& row) { Add({row.bids, row.auction}); }
  void Add(const HighestBid& row) { Add({row.price}); }
  void Add(const NewSeller& row) { Add({row.id}); }
  void Add(const BidderCount& row) { Add({row.bids, row.bids * row.bids}); }
  void Add(const KeyCount& row) { Add({row.bids}); }
  void Merge(const Check& other) {
    rows_ += other.rows_;
    for (int i = 0; i < kSumsMax; ++i) sums_[i] += other.sums_[i];
  }

  std::uint64_t rows() const { return rows_; }

  /// "rows,sum" or "rows,sum,sum"; `sums` is what `SumsOfCheck` gives for the query.
  std::string ToString(int sums) const {
    std::string text = std::to_string(rows_);
    for (int i = 0; i < sums && i < kSumsMax; ++i) text.append(1, ',').append(std::to_string(sums_[i]));
    return text;
  }

 private:
  static constexpr int kSumsMax = 2;

  void Add(std::initializer_list<std::int64_t> values) {
    ++rows_;
    int i = 0;
    for (const std::int64_t value : values) sums_[i++] += static_cast<std::uint64_t>(value);
  }

  std::uint64_t rows_ = 0;
  std::uint64_t sums_[kSumsMax] = {};
};

}  // namespace millrace::nexmark
