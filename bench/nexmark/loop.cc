#include "nexmark/loop.h"

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "nexmark/loop_queries.h"

namespace millrace::nexmark {
namespace {

// Where rows go: the last few stay in a ring, as if another operator were to read them, and the check sums them up.
template <class Row>
class CheckSink {
 public:
  void Add(Row&& row) {
    check_.Add(row);
    ring_[next_] = std::move(row);
    next_ = (next_ + 1) % kRows;
    if (next_ == 0) asm volatile("" : : "r"(ring_.data()) : "memory");  // the compiler must have written the rows
  }

  const Check& check() const { return check_; }

 private:
  static constexpr std::size_t kRows = 256;

  Check check_;
  std::size_t next_ = 0;
  std::array<Row, kRows> ring_{};
};

// Runs `loop` with a sink for `Row`.
template <class Row, class Loop>
[[gnu::noinline]] Check Checked(Loop loop) {
  CheckSink<Row> sink;
  loop(sink);
  return sink.check();
}

template <class BidRow>
Check RunBidRows(const LoopOptions& options) {
  const Bids bids(options.generator, options.events);
  if (options.query == Query::kQ0) {
    return Checked<Timed<BidRow>>([&](auto& sink) { LoopQ0<BidRow>(bids, options.events, sink); });
  }
  return Checked<Timed<BidRow>>([&](auto& sink) { LoopQ1<BidRow>(bids, options.events, sink); });
}

Check Run(const LoopOptions& options) {
  const std::uint64_t events = options.events;
  const std::int64_t max_disorder_ms = BidMaxDisorder(options.generator).count() / 1'000;
  const Bids bids(options.generator, events);
  switch (options.query) {
    case Query::kQ0:
    case Query::kQ1: return options.owned_strings ? RunBidRows<OwnedBid>(options) : RunBidRows<Bid>(options);
    case Query::kQ2: return Checked<SelectedBid>([&](auto& sink) { LoopQ2(bids, events, sink); });
    case Query::kQ5: return Checked<HotItem>([&](auto& sink) { LoopQ5(bids, events, max_disorder_ms, sink); });
    case Query::kQ7: return Checked<HighestBid>([&](auto& sink) { LoopQ7(bids, events, max_disorder_ms, sink); });
    case Query::kQ8: {
      const PersonsAndAuctions rows(options.generator, events);
      const std::int64_t disorder_ms = PersonAuctionMaxDisorder(options.generator).count() / 1'000;
      return Checked<NewSeller>([&](auto& sink) { LoopQ8(rows, events, disorder_ms, sink); });
    }
    case Query::kQ12: return Checked<BidderCount>([&](auto& sink) { LoopQ12(bids, events, max_disorder_ms, sink); });
    case Query::kQk: return Checked<KeyCount>([&](auto& sink) { LoopQk(bids, events, options.keys, sink); });
  }
  return {};
}

}  // namespace

StatusOr<Check> RunLoop(const LoopOptions& options) {
  if (Status status = Validate(options.generator); !status.ok()) return status;
  constexpr std::uint64_t kKeysMax = std::uint64_t{1} << 32;
  if (options.keys < 1 || options.keys > kKeysMax) {
    return InvalidArgumentError("keys is " + std::to_string(options.keys) + "; give a number from 1 to 4294967296");
  }
  return Run(options);
}

}  // namespace millrace::nexmark
