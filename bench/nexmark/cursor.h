// Cursors over the generator's streams. Walking to the next row costs additions only; seeking costs divisions. A cursor
// computes a field when it is asked for it, so a query pays for the fields that it reads.
// Thread safety: a cursor belongs to one thread; any number of cursors may walk one stream.
#pragma once

#include <cstdint>

#include "nexmark/generator.h"

namespace millrace::nexmark {

/// Walks the bid stream in the order of its indexes.
class BidCursor {
 public:
  /// Stands at bid `index`; `config` is valid (`Validate`).
  explicit BidCursor(const GeneratorConfig& config, std::uint64_t index = 0)
      : seed_(config.seed), clock_(config.rate, 1), draws_(0), facts_(0), pools_(&Pools::Get()) {
    Seek(index);
  }

  void Seek(std::uint64_t index) {
    epoch_ = index / kBidsPerEpoch;
    left_in_epoch_ = kBidsPerEpoch - index % kBidsPerEpoch;
    facts_ = detail::EpochFacts(epoch_);
    draws_ = detail::Draws::OfEvent(seed_, EventOfBid(index));
    clock_.Seek(EventOfBid(index));
  }

  [[gnu::always_inline]] void Next() {
    draws_.Advance(1);
    clock_.Step();
    if (--left_in_epoch_ == 0) [[unlikely]] {
      NextEpoch();
    }
  }

  std::int64_t time_ms() const { return clock_.ms(); }
  Timestamp time() const { return Timestamp::FromMillis(clock_.ms()); }
  std::int64_t auction() const { return detail::BidAuction(facts_, draws_); }
  std::int64_t bidder() const { return detail::BidBidder(facts_, draws_); }
  std::int64_t price() const { return detail::BidPrice(draws_); }
  /// The key of query qk, below `keys`.
  std::int64_t key(std::uint64_t keys) const { return static_cast<std::int64_t>(Pick(draws_.r1(), keys)); }

  /// Equals `MakeBid` at the index where the cursor stands.
  [[gnu::always_inline]] Bid row() const {
    const ChannelTexts& texts = pools_->Channel(detail::BidChannel(draws_));
    return {auction(), bidder(), price(), texts.channel, texts.url, pools_->Extra(detail::BidExtra(draws_))};
  }
  OwnedBid owned_row() const { return ToOwned(row()); }

 private:
  [[gnu::always_inline]] void NextEpoch() {
    ++epoch_;
    left_in_epoch_ = kBidsPerEpoch;
    facts_ = detail::EpochFacts(epoch_);
    draws_.Advance(kPersonsAndAuctionsPerEpoch);
    for (std::uint64_t i = 0; i < kPersonsAndAuctionsPerEpoch; ++i) clock_.Step();
  }

  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;
  std::uint64_t left_in_epoch_ = 0;
  detail::EventClock clock_;
  detail::Draws draws_;
  detail::EpochFacts facts_;
  const Pools* pools_;
};

/// Walks the person-and-auction stream in the order of its indexes.
class PersonAuctionCursor {
 public:
  /// Stands at row `index`; `config` is valid (`Validate`).
  explicit PersonAuctionCursor(const GeneratorConfig& config, std::uint64_t index = 0)
      : seed_(config.seed), clock_(config.rate, 1), epoch_clock_(config.rate, kEventsPerEpoch), draws_(0), facts_(0) {
    Seek(index);
  }

  void Seek(std::uint64_t index) {
    epoch_ = index / kPersonsAndAuctionsPerEpoch;
    offset_ = index % kPersonsAndAuctionsPerEpoch;
    facts_ = detail::EpochFacts(epoch_);
    draws_ = detail::Draws::OfEvent(seed_, EventOfPersonOrAuction(index));
    clock_.Seek(EventOfPersonOrAuction(index));
    epoch_clock_.Seek(epoch_ * kEventsPerEpoch);
  }

  [[gnu::always_inline]] void Next() {
    if (++offset_ == kPersonsAndAuctionsPerEpoch) {
      ++epoch_;
      offset_ = 0;
      facts_ = detail::EpochFacts(epoch_);
      draws_.Advance(kBidsPerEpoch + 1);
      epoch_clock_.Step();
      clock_.SeekTo(epoch_clock_);
    } else {
      draws_.Advance(1);
      clock_.Step();
    }
  }

  std::int64_t time_ms() const { return clock_.ms(); }
  Timestamp time() const { return Timestamp::FromMillis(clock_.ms()); }
  /// Whether the row is a person; else it is an auction.
  bool is_person() const { return offset_ == 0; }

  /// Fields of a person.
  std::int64_t person_id() const { return static_cast<std::int64_t>(kFirstId + epoch_); }
  Person person() const { return {person_id(), PersonName(person_id())}; }

  /// Fields of an auction.
  std::int64_t auction_id() const { return static_cast<std::int64_t>(kFirstId + 3 * epoch_ + offset_ - 1); }
  std::int64_t seller() const { return detail::AuctionSeller(facts_, draws_); }
  std::int64_t category() const { return detail::AuctionCategory(draws_); }
  Auction auction() const { return {auction_id(), seller(), category()}; }

 private:
  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;
  std::uint64_t offset_ = 0;
  detail::EventClock clock_;
  detail::EventClock epoch_clock_;  // stands at the first event of the epoch
  detail::Draws draws_;
  detail::EpochFacts facts_;
};

/// Walks a stream whose positions are its indexes, with the interface of `PositionCursor`. A loop over this one keeps
/// the whole state in registers, which the test for disorder in the other prevents.
template <class Cursor>
class InOrderCursor {
 public:
  explicit InOrderCursor(const GeneratorConfig& config, std::uint64_t /*total*/, std::uint64_t position = 0)
      : cursor_(config, position) {}

  [[gnu::always_inline]] void Next() { cursor_.Next(); }
  const Cursor* operator->() const { return &cursor_; }
  const Cursor& operator*() const { return cursor_; }

 private:
  Cursor cursor_;
};

/// Walks a stream in the order of its positions, which `GeneratorConfig::disorder_log2` permutes. `Cursor` is one of
/// the two above; its fields are read through `operator->`.
template <class Cursor>
class PositionCursor {
 public:
  /// Stands at `position` of a stream of `total` rows; at `position` == `total` no field may be read.
  PositionCursor(const GeneratorConfig& config, std::uint64_t total, std::uint64_t position = 0)
      : disorder_log2_(config.disorder_log2), total_(total), position_(position), cursor_(config) {
    SeekPosition();
  }

  [[gnu::always_inline]] void Next() {
    ++position_;
    if (disorder_log2_ == 0) {
      cursor_.Next();
    } else {
      SeekPosition();
    }
  }

  std::uint64_t position() const { return position_; }
  const Cursor* operator->() const { return &cursor_; }
  const Cursor& operator*() const { return cursor_; }

 private:
  [[gnu::always_inline]] void SeekPosition() {
    if (position_ < total_) cursor_.Seek(IndexOfPosition(disorder_log2_, position_, total_));
  }

  int disorder_log2_;
  std::uint64_t total_;
  std::uint64_t position_;
  Cursor cursor_;
};

}  // namespace millrace::nexmark
