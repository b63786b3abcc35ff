// The deterministic Nexmark generator: the same index gives the same event on every machine and in every language, so
// that the results of different systems can be compared by a checksum. bench/README.md gives the formulas.
//
// Three streams of indexes exist: the bids (index b is the b-th bid), the persons and auctions (index c) and the
// events n that contain both. A stream is read by a cursor, which walks consecutive indexes without a division, or at
// random by the `Make...` functions; both give equal results.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "nexmark/pools.h"

namespace millrace::nexmark {

/// What decides the content and the order of the streams.
struct GeneratorConfig {
  std::uint64_t seed = 42;
  std::uint64_t rate = 50'000;  // events per second of event time; a bid stream holds 46 of 50 of them
  int disorder_log2 = 0;        // streams are permuted within blocks of 2^disorder_log2 rows; 0 leaves them in order
};

/// An INVALID_ARGUMENT names the field that is out of range: rate 1 to 10^9, disorder_log2 0 to 30.
Status Validate(const GeneratorConfig& config);

/// A bid whose texts are references into `Pools`.
struct Bid {
  std::int64_t auction = 0;
  std::int64_t bidder = 0;
  std::int64_t price = 0;
  std::string_view channel;
  std::string_view url;
  std::string_view extra;

  friend auto operator<=>(const Bid&, const Bid&) = default;
};

/// A bid that owns its texts.
struct OwnedBid {
  std::int64_t auction = 0;
  std::int64_t bidder = 0;
  std::int64_t price = 0;
  std::string channel;
  std::string url;
  std::string extra;

  friend auto operator<=>(const OwnedBid&, const OwnedBid&) = default;
};

struct Auction {
  std::int64_t id = 0;
  std::int64_t seller = 0;
  std::int64_t category = 0;

  friend auto operator<=>(const Auction&, const Auction&) = default;
};

/// A person owns its name: there is no bound on the number of names, so no pool. Up to id 99,999,999 the name fits
/// into the string itself.
struct Person {
  std::int64_t id = 0;
  std::string name;

  friend auto operator<=>(const Person&, const Person&) = default;
};

inline constexpr std::uint64_t kGamma = 0x9E3779B97F4A7C15;
inline constexpr std::int64_t kBaseMs = 1'700'000'000'000;
inline constexpr std::uint64_t kFirstId = 1'000;
inline constexpr std::uint64_t kEventsPerEpoch = 50;  // one person, three auctions, 46 bids, in this order
inline constexpr std::uint64_t kBidsPerEpoch = 46;
inline constexpr std::uint64_t kPersonsAndAuctionsPerEpoch = 4;

constexpr std::uint64_t Mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9;
  x ^= x >> 27;
  x *= 0x94D049BB133111EB;
  x ^= x >> 31;
  return x;
}

/// Maps 32 random bits to 0 .. `count` - 1.
constexpr std::uint64_t Pick(std::uint64_t bits, std::uint64_t count) { return (bits * count) >> 32; }

namespace detail {

// Both values are computed and one is taken by a mask: the condition is random, a branch would be mispredicted.
constexpr std::uint64_t Select(bool condition, std::uint64_t if_true, std::uint64_t if_false) {
  return if_false ^ ((if_true ^ if_false) & (std::uint64_t{0} - static_cast<std::uint64_t>(condition)));
}

// The random bits of one event, computed on demand: what a query does not read costs nothing after inlining.
class Draws {
 public:
  constexpr explicit Draws(std::uint64_t state) : state_(state) {}
  static constexpr Draws OfEvent(std::uint64_t seed, std::uint64_t event) { return Draws(seed + (event + 1) * kGamma); }

  constexpr std::uint64_t r0() const { return First() & 0xffff'ffff; }
  constexpr std::uint64_t r1() const { return First() >> 32; }
  constexpr std::uint64_t r2() const { return Second() & 0xffff'ffff; }
  constexpr std::uint64_t r3() const { return Second() >> 32; }
  constexpr std::uint64_t r4() const { return Third() & 0xffff'ffff; }
  constexpr std::uint64_t r5() const { return Third() >> 32; }

  constexpr void Advance(std::uint64_t events) { state_ += events * kGamma; }

 private:
  constexpr std::uint64_t First() const { return Mix(state_); }
  constexpr std::uint64_t Second() const { return Mix(First() + kGamma); }
  constexpr std::uint64_t Third() const { return Mix(Second() + kGamma); }

  std::uint64_t state_;
};

// What is the same for all events of an epoch. The auction fields are those that its bids see.
struct EpochFacts {
  constexpr explicit EpochFacts(std::uint64_t epoch) {
    const std::uint64_t last_auction = 3 * epoch + 2;
    const std::uint64_t recent_begin = last_auction > 100 ? last_auction - 100 : 0;
    hot_auction = kFirstId + last_auction / 100 * 100;
    recent_auctions_begin = kFirstId + recent_begin;
    recent_auctions = last_auction - recent_begin + 1;
    hot_seller = kFirstId + epoch / 100 * 100;
    active_persons = epoch + 1 < 1'000 ? epoch + 1 : 1'000;
    active_persons_begin = kFirstId + epoch + 1 - active_persons;
  }

  std::uint64_t hot_auction;
  std::uint64_t recent_auctions_begin;
  std::uint64_t recent_auctions;
  std::uint64_t hot_seller;  // and the hot bidder is the next person
  std::uint64_t active_persons_begin;
  std::uint64_t active_persons;
};

inline constexpr std::array<std::uint64_t, 6> kPowersOfTen = {1, 10, 100, 1'000, 10'000, 100'000};

[[gnu::always_inline]] constexpr std::int64_t BidAuction(const EpochFacts& facts, Draws draws) {
  const std::uint64_t recent = facts.recent_auctions_begin + Pick(draws.r1(), facts.recent_auctions);
  return static_cast<std::int64_t>(Select((draws.r0() & 1) != 0, facts.hot_auction, recent));
}
[[gnu::always_inline]] constexpr std::int64_t BidBidder(const EpochFacts& facts, Draws draws) {
  const std::uint64_t active = facts.active_persons_begin + Pick(draws.r3(), facts.active_persons);
  return static_cast<std::int64_t>(Select((draws.r2() & 3) != 0, facts.hot_seller + 1, active));
}
[[gnu::always_inline]] constexpr std::int64_t BidPrice(Draws draws) {
  return static_cast<std::int64_t>(kPowersOfTen[Pick(draws.r4(), 6)] * (100 + (draws.r4() & 0xffff) % 900));
}
constexpr std::uint64_t BidChannel(Draws draws) {
  const std::uint64_t bits = draws.r5();
  return Select((bits & 1) != 0, (bits >> 1) & 3, kHotChannels + Pick(bits, kColdChannels));
}
constexpr std::uint64_t BidExtra(Draws draws) { return (draws.r2() >> 2) & 1'023; }

constexpr std::int64_t AuctionSeller(const EpochFacts& facts, Draws draws) {
  const std::uint64_t active = facts.active_persons_begin + Pick(draws.r3(), facts.active_persons);
  return static_cast<std::int64_t>(Select((draws.r2() & 3) != 0, facts.hot_seller, active));
}
constexpr std::int64_t AuctionCategory(Draws draws) { return static_cast<std::int64_t>(10 + Pick(draws.r4(), 5)); }

// The event time of an event, kept while walking in steps of the same number of events, so that no step divides.
class EventClock {
 public:
  constexpr EventClock(std::uint64_t rate, std::uint64_t events_per_step)
      : rate_(rate), step_ms_(events_per_step * 1'000 / rate), step_remainder_(events_per_step * 1'000 % rate) {}
  constexpr void Seek(std::uint64_t event) {
    ms_ = event * 1'000 / rate_;
    remainder_ = event * 1'000 % rate_;
  }
  constexpr void SeekTo(const EventClock& other) {
    ms_ = other.ms_;
    remainder_ = other.remainder_;
  }
  constexpr void Step() {
    ms_ += step_ms_;
    remainder_ += step_remainder_;
    if (remainder_ >= rate_) {
      remainder_ -= rate_;
      ++ms_;
    }
  }
  constexpr std::int64_t ms() const { return kBaseMs + static_cast<std::int64_t>(ms_); }

 private:
  std::uint64_t rate_;
  std::uint64_t step_ms_;
  std::uint64_t step_remainder_;
  std::uint64_t ms_ = 0;
  std::uint64_t remainder_ = 0;
};

}  // namespace detail

/// The event that holds a row of the bid stream, and of the person-and-auction stream.
constexpr std::uint64_t EventOfBid(std::uint64_t index) {
  return index / kBidsPerEpoch * kEventsPerEpoch + kPersonsAndAuctionsPerEpoch + index % kBidsPerEpoch;
}
constexpr std::uint64_t EventOfPersonOrAuction(std::uint64_t index) {
  return index / kPersonsAndAuctionsPerEpoch * kEventsPerEpoch + index % kPersonsAndAuctionsPerEpoch;
}

/// Event times of rows, in milliseconds since 1970 and as a `Timestamp`.
constexpr std::int64_t EventTimeMs(const GeneratorConfig& config, std::uint64_t event) {
  return kBaseMs + static_cast<std::int64_t>(event * 1'000 / config.rate);
}
constexpr Timestamp BidTime(const GeneratorConfig& config, std::uint64_t index) {
  return Timestamp::FromMillis(EventTimeMs(config, EventOfBid(index)));
}
constexpr Timestamp PersonOrAuctionTime(const GeneratorConfig& config, std::uint64_t index) {
  return Timestamp::FromMillis(EventTimeMs(config, EventOfPersonOrAuction(index)));
}

/// The index that position `position` of a stream of `total` rows reads: itself when `disorder_log2` is 0 and in the
/// incomplete last block, else a permutation of its block. `position` is below `total`.
constexpr std::uint64_t IndexOfPosition(int disorder_log2, std::uint64_t position, std::uint64_t total) {
  if (disorder_log2 == 0) return position;
  const std::uint64_t block = std::uint64_t{1} << disorder_log2;
  const std::uint64_t offset = position & (block - 1);
  const std::uint64_t begin = position - offset;
  if (total - begin < block) return position;
  return begin + ((offset * 2'654'435'761 + 12'345) & (block - 1));
}

/// How far an event time may lie behind the greatest one before it, in event time: what a source declares so that no
/// row of the disordered stream is late. 0 when the streams are in order.
Duration BidMaxDisorder(const GeneratorConfig& config);
Duration PersonAuctionMaxDisorder(const GeneratorConfig& config);

/// Row `index` of the bid stream.
inline Bid MakeBid(const GeneratorConfig& config, std::uint64_t index) {
  const detail::EpochFacts facts(index / kBidsPerEpoch);
  const auto draws = detail::Draws::OfEvent(config.seed, EventOfBid(index));
  const Pools& pools = Pools::Get();
  const ChannelTexts& texts = pools.Channel(detail::BidChannel(draws));
  return {detail::BidAuction(facts, draws),
          detail::BidBidder(facts, draws),
          detail::BidPrice(draws),
          texts.channel,
          texts.url,
          pools.Extra(detail::BidExtra(draws))};
}

/// The same bid with texts of its own.
inline OwnedBid ToOwned(const Bid& bid) {
  return {bid.auction, bid.bidder, bid.price, std::string(bid.channel), std::string(bid.url), std::string(bid.extra)};
}
inline OwnedBid MakeOwnedBid(const GeneratorConfig& config, std::uint64_t index) {
  return ToOwned(MakeBid(config, index));
}

/// The key of query qk for row `index` of the bid stream, below `keys` (at most 2^32).
constexpr std::int64_t BidKey(const GeneratorConfig& config, std::uint64_t index, std::uint64_t keys) {
  return static_cast<std::int64_t>(Pick(detail::Draws::OfEvent(config.seed, EventOfBid(index)).r1(), keys));
}

/// Row `index` of the person-and-auction stream is a person if this is true, else an auction.
constexpr bool IsPerson(std::uint64_t index) { return index % kPersonsAndAuctionsPerEpoch == 0; }

/// "person-<id>".
std::string PersonName(std::int64_t id);

/// Row `index` of the person-and-auction stream, of which `IsPerson(index)` holds.
Person MakePerson(std::uint64_t index);

/// Row `index` of the person-and-auction stream, of which `IsPerson(index)` does not hold.
inline Auction MakeAuction(const GeneratorConfig& config, std::uint64_t index) {
  const std::uint64_t epoch = index / kPersonsAndAuctionsPerEpoch;
  const detail::EpochFacts facts(epoch);
  const auto draws = detail::Draws::OfEvent(config.seed, EventOfPersonOrAuction(index));
  const std::uint64_t last_auction = 3 * epoch + index % kPersonsAndAuctionsPerEpoch - 1;
  return {static_cast<std::int64_t>(kFirstId + last_auction), detail::AuctionSeller(facts, draws),
          detail::AuctionCategory(draws)};
}

}  // namespace millrace::nexmark
