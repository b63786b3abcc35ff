// The queries as one would write them by hand for one thread: the generator inlined, no operator between. `Add` of the
// sink takes each result row; `cursor` stands at the first row of the stream: one by position of cursor.h, or one of
// whole_rows.h that writes each row of the input.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "nexmark/count_table.h"
#include "nexmark/cursor.h"
#include "nexmark/open_windows.h"
#include "nexmark/person_table.h"
#include "nexmark/query.h"
#include "nexmark/rows.h"
#include "nexmark/whole_rows.h"

namespace millrace::nexmark {

/// q0: every bid, whole, as `Row` (`Bid` or `OwnedBid`).
template <class Row, class Cursor, class Sink>
void LoopQ0(Cursor cursor, std::uint64_t events, Sink& sink) {
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    sink.Add(Timed<Row>{cursor->time(), BidRow<Row>(*cursor)});
  }
}

/// q1: every bid with its price converted.
template <class Row, class Cursor, class Sink>
void LoopQ1(Cursor cursor, std::uint64_t events, Sink& sink) {
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    Row row = BidRow<Row>(*cursor);
    row.price = ConvertPrice(row.price);
    sink.Add(Timed<Row>{cursor->time(), std::move(row)});
  }
}

/// q2: the bids on selected auctions.
template <class Cursor, class Sink>
void LoopQ2(Cursor cursor, std::uint64_t events, Sink& sink) {
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    const std::int64_t auction = cursor->auction();
    if (IsSelectedAuction(auction)) sink.Add(SelectedBid{auction, cursor->price()});
  }
}

/// The sliding windows of q5, fed with the counts of closed slices in the order of time. A window is the sum of
/// `kSlices` slices; each slice is kept as a list until the last window that holds it is over.
class HotItemWindows {
 public:
  /// The slice's counts; the windows that end by its start, and then the one that ends with it, are given to
  /// `sink.Add`.
  template <class Sink>
  void AddSlice(std::int64_t start_ms, const CountTable& counts, Sink& sink) {
    AddEmptySlices(start_ms, sink);
    Slice& slice = slices_[Position(start_ms)];
    slice.clear();
    slice.reserve(counts.size());
    counts.ForEach([&slice](std::int64_t auction, std::int64_t bids) { slice.push_back({auction, bids}); });
    next_ms_ = start_ms + kHotItemsPeriodMs;
    Emit(next_ms_ - kWindowMs, sink);
  }

  /// The end of the input: gives the windows that are still open.
  template <class Sink>
  void Finish(Sink& sink) {
    AddEmptySlices(std::numeric_limits<std::int64_t>::max(), sink);
  }

 private:
  static constexpr std::size_t kSlices = kWindowMs / kHotItemsPeriodMs;
  using Slice = std::vector<KeyCount>;

  static std::size_t Position(std::int64_t start_ms) {
    return static_cast<std::size_t>(start_ms / kHotItemsPeriodMs) % kSlices;
  }

  // Slices without a bid before `until_ms`, as long as a window still holds another slice.
  template <class Sink>
  void AddEmptySlices(std::int64_t until_ms, Sink& sink) {
    for (std::size_t i = 1; i < kSlices && next_ms_ < until_ms; ++i) {
      slices_[Position(next_ms_)].clear();
      next_ms_ += kHotItemsPeriodMs;
      Emit(next_ms_ - kWindowMs, sink);
    }
    if (next_ms_ < until_ms) {
      for (Slice& slice : slices_) slice.clear();
    }
  }

  // A sum only grows while the slices are added, and a winner's last step is its full sum: no second pass is needed.
  template <class Sink>
  void Emit(std::int64_t window_start_ms, Sink& sink) {
    totals_.Clear();
    winners_.clear();
    std::int64_t most = 1;
    for (const Slice& slice : slices_) {
      for (const KeyCount& part : slice) {
        const std::int64_t total = totals_.Add(part.key, part.bids);
        if (total < most) [[likely]] {
          continue;
        }
        if (total > most) winners_.clear();
        most = total;
        winners_.push_back(part.key);
      }
    }
    for (const std::int64_t auction : winners_) {
      sink.Add(HotItem{Timestamp::FromMillis(window_start_ms), auction, most});
    }
  }

  std::array<Slice, kSlices> slices_;
  CountTable totals_;
  std::vector<std::int64_t> winners_;
  std::int64_t next_ms_ = std::numeric_limits<std::int64_t>::max();  // the start of the slice that comes next
};

/// q5: the auctions with the most bids, by slices of one period.
template <class Cursor, class Sink>
void LoopQ5(Cursor cursor, std::uint64_t events, std::int64_t max_disorder_ms, Sink& sink) {
  OpenWindows<CountTable> slices(kHotItemsPeriodMs, max_disorder_ms);
  HotItemWindows windows;
  const auto close = [&](std::int64_t start_ms, const CountTable& counts) { windows.AddSlice(start_ms, counts, sink); };
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    slices.At(cursor->time_ms(), close).Add(cursor->auction());
  }
  slices.CloseAll(close);
  windows.Finish(sink);
}

/// The state of a window of q7.
struct HighestPrice {
  std::int64_t price = 0;
  void Clear() { price = 0; }
};

/// q7: the highest price of each window.
template <class Cursor, class Sink>
void LoopQ7(Cursor cursor, std::uint64_t events, std::int64_t max_disorder_ms, Sink& sink) {
  OpenWindows<HighestPrice> windows(kWindowMs, max_disorder_ms);
  const auto close = [&](std::int64_t start_ms, const HighestPrice& highest) {
    sink.Add(HighestBid{Timestamp::FromMillis(start_ms), highest.price});
  };
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    HighestPrice& highest = windows.At(cursor->time_ms(), close);
    const std::int64_t price = cursor->price();
    if (price > highest.price) [[unlikely]] {
      highest.price = price;
    }
  }
  windows.CloseAll(close);
}

/// q8: the persons who appeared and sold in the same window.
template <class Cursor, class Sink>
void LoopQ8(Cursor cursor, std::uint64_t events, std::int64_t max_disorder_ms, Sink& sink) {
  OpenWindows<PersonTable> windows(kWindowMs, max_disorder_ms);
  const auto close = [&](std::int64_t start_ms, PersonTable& persons) {
    persons.TakeNewSellers([&](std::int64_t id, std::string&& name) {
      sink.Add(NewSeller{Timestamp::FromMillis(start_ms), id, std::move(name)});
    });
  };
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    PersonTable& persons = windows.At(cursor->time_ms(), close);
    if (cursor->is_person()) {
      Person person = cursor->person();
      persons.AddPerson(person.id, std::move(person.name));
    } else {
      persons.AddSeller(cursor->seller());
    }
  }
  windows.CloseAll(close);
}

/// q12: the bids of each bidder in each window.
template <class Cursor, class Sink>
void LoopQ12(Cursor cursor, std::uint64_t events, std::int64_t max_disorder_ms, Sink& sink) {
  OpenWindows<CountTable> windows(kWindowMs, max_disorder_ms);
  const auto close = [&](std::int64_t start_ms, const CountTable& counts) {
    counts.ForEach([&](std::int64_t bidder, std::int64_t bids) {
      sink.Add(BidderCount{Timestamp::FromMillis(start_ms), bidder, bids});
    });
  };
  for (std::uint64_t i = 0; i < events; ++i, cursor.Next()) {
    windows.At(cursor->time_ms(), close).Add(cursor->bidder());
  }
  windows.CloseAll(close);
}

/// qk: the bids of each key. The table is larger than the caches, so the slots of a few keys are asked for at once.
template <class Cursor, class Sink>
void LoopQk(Cursor cursor, std::uint64_t events, std::uint64_t keys, Sink& sink) {
  constexpr std::uint64_t kAtOnce = 32;
  CountTable counts;
  std::array<std::int64_t, kAtOnce> batch{};
  for (std::uint64_t begin = 0; begin < events; begin += kAtOnce) {
    const std::uint64_t size = std::min(kAtOnce, events - begin);
    for (std::uint64_t i = 0; i < size; ++i, cursor.Next()) {
      batch[i] = cursor->key(keys);
      counts.Prefetch(batch[i]);
    }
    for (std::uint64_t i = 0; i < size; ++i) counts.Add(batch[i]);
  }
  counts.ForEach([&](std::int64_t key, std::int64_t bids) { sink.Add(KeyCount{key, bids}); });
}

}  // namespace millrace::nexmark
