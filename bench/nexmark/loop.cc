#include "nexmark/loop.h"

#include <string>
#include <utility>

#include "nexmark/loop_queries.h"

namespace millrace::nexmark {
namespace {

// Where result rows go: the last few stay in a ring, as if another operator were to read them; the check sums them up.
template <class Row>
class CheckSink {
 public:
  void Add(Row&& row) {
    check_.Add(row);
    ring_.Next() = std::move(row);
  }

  const Check& check() const { return check_; }

 private:
  Check check_;
  RowRing<Row> ring_;
};

// Runs `loop` with a sink for `Row`.
template <class Row, class Loop>
[[gnu::noinline]] Check Checked(Loop loop) {
  CheckSink<Row> sink;
  loop(sink);
  return sink.check();
}

template <class Row, class Cursor>
Check RunWholeBids(const LoopOptions& options) {
  const Cursor bids(options.generator, options.events);
  if (options.query == Query::kQ0) {
    return Checked<Timed<Row>>([&](auto& sink) { LoopQ0<Row>(bids, options.events, sink); });
  }
  return Checked<Timed<Row>>([&](auto& sink) { LoopQ1<Row>(bids, options.events, sink); });
}

// The queries that read some fields of a bid.
template <class Cursor>
Check RunOverBids(const LoopOptions& options) {
  const GeneratorConfig& generator = options.generator;
  const std::uint64_t events = options.events;
  const std::int64_t max_disorder_ms = BidMaxDisorder(generator).count() / 1'000;
  switch (options.query) {
    case Query::kQ2: return Checked<SelectedBid>([&](auto& sink) { LoopQ2(Cursor(generator, events), events, sink); });
    case Query::kQ5:
      return Checked<HotItem>([&](auto& sink) { LoopQ5(Cursor(generator, events), events, max_disorder_ms, sink); });
    case Query::kQ7:
      return Checked<HighestBid>([&](auto& sink) { LoopQ7(Cursor(generator, events), events, max_disorder_ms, sink); });
    case Query::kQ12:
      return Checked<BidderCount>(
          [&](auto& sink) { LoopQ12(Cursor(generator, events), events, max_disorder_ms, sink); });
    default:
      return Checked<KeyCount>([&](auto& sink) { LoopQk(Cursor(generator, events), events, options.keys, sink); });
  }
}

template <class Cursor>
Check RunOverPersonsAndAuctions(const LoopOptions& options) {
  const std::uint64_t events = options.events;
  const std::int64_t max_disorder_ms = PersonAuctionMaxDisorder(options.generator).count() / 1'000;
  return Checked<NewSeller>(
      [&](auto& sink) { LoopQ8(Cursor(options.generator, events), events, max_disorder_ms, sink); });
}

// `Order` is `InOrderCursor` or `PositionCursor`.
template <template <class> class Order>
Check Run(const LoopOptions& options) {
  using Bids = Order<BidCursor>;
  using PersonsAndAuctions = Order<PersonAuctionCursor>;
  if (options.query == Query::kQ0 || options.query == Query::kQ1) {
    return options.owned_strings ? RunWholeBids<OwnedBid, Bids>(options) : RunWholeBids<Bid, Bids>(options);
  }
  if (options.query == Query::kQ8) {
    return options.whole_rows ? RunOverPersonsAndAuctions<WholePersonsAndAuctions<PersonsAndAuctions>>(options)
                              : RunOverPersonsAndAuctions<PersonsAndAuctions>(options);
  }
  if (!options.whole_rows) return RunOverBids<Bids>(options);
  return options.owned_strings ? RunOverBids<WholeBids<OwnedBid, Bids>>(options)
                               : RunOverBids<WholeBids<Bid, Bids>>(options);
}

}  // namespace

StatusOr<Check> RunLoop(const LoopOptions& options) {
  if (Status status = Validate(options.generator); !status.ok()) return status;
  constexpr std::uint64_t kKeysMax = std::uint64_t{1} << 32;
  if (options.keys < 1 || options.keys > kKeysMax) {
    return InvalidArgumentError("keys is " + std::to_string(options.keys) + "; give a number from 1 to 4294967296");
  }
  return options.generator.disorder_log2 == 0 ? Run<InOrderCursor>(options) : Run<PositionCursor>(options);
}

}  // namespace millrace::nexmark
