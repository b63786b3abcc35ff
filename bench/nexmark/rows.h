// The result rows of the queries, and the checks that sum them up: one text per run that every system must reproduce.
#pragma once

#include <compare>
#include <cstdint>
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
struct Check {
  std::uint64_t row_count = 0;
  std::uint64_t first_sum = 0;
  std::uint64_t second_sum = 0;

  template <class Row>
  void Add(const Timed<Row>& row) {
    Add(row.row.price, 0);
  }
  void Add(const SelectedBid& row) { Add(row.price, 0); }
  void Add(const HotItem& row) { Add(row.bids, row.auction); }
  void Add(const HighestBid& row) { Add(row.price, 0); }
  void Add(const NewSeller& row) { Add(row.id, 0); }
  void Add(const BidderCount& row) { Add(row.bids, row.bids * row.bids); }
  void Add(const KeyCount& row) { Add(row.bids, 0); }
  void Merge(const Check& other) {
    row_count += other.row_count;
    first_sum += other.first_sum;
    second_sum += other.second_sum;
  }

  /// "rows,sum" or "rows,sum,sum"; `sums` is what `SumsOfCheck` gives for the query.
  std::string ToString(int sums) const {
    std::string text = std::to_string(row_count);
    if (sums > 0) text.append(1, ',').append(std::to_string(first_sum));
    if (sums > 1) text.append(1, ',').append(std::to_string(second_sum));
    return text;
  }

 private:
  void Add(std::int64_t first, std::int64_t second) {
    ++row_count;
    first_sum += static_cast<std::uint64_t>(first);
    second_sum += static_cast<std::uint64_t>(second);
  }
};

}  // namespace millrace::nexmark
