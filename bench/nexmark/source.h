// The generator as a source of the SDK: what a user would write against core/source.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <variant>
#include <vector>

#include "millrace/core/source.h"
#include "nexmark/cursor.h"

namespace millrace::nexmark {

/// A row of the stream of query 8.
using PersonOrAuction = std::variant<Person, Auction>;

/// How rows of a stream are made from a cursor.
struct PooledBids {
  using Row = Bid;
  using Cursor = BidCursor;
  Row Make(const Cursor& cursor) const { return cursor.row(); }
  static Timestamp TimeOf(const GeneratorConfig& config, std::uint64_t index) { return BidTime(config, index); }
};
struct OwnedBids {
  using Row = OwnedBid;
  using Cursor = BidCursor;
  Row Make(const Cursor& cursor) const { return cursor.owned_row(); }
  static Timestamp TimeOf(const GeneratorConfig& config, std::uint64_t index) { return BidTime(config, index); }
};
/// Bids with the key of query qk, of `keys`.
struct KeyedBid {
  Bid bid;
  std::int64_t key = 0;
};
struct KeyedBids {
  using Row = KeyedBid;
  using Cursor = BidCursor;
  std::uint64_t keys = 1;
  Row Make(const Cursor& cursor) const { return {cursor.row(), cursor.key(keys)}; }
  static Timestamp TimeOf(const GeneratorConfig& config, std::uint64_t index) { return BidTime(config, index); }
};
struct PersonsAndAuctions {
  using Row = PersonOrAuction;
  using Cursor = PersonAuctionCursor;
  Row Make(const Cursor& cursor) const {
    return cursor.is_person() ? Row(std::in_place_type<Person>, cursor.person())
                              : Row(std::in_place_type<Auction>, cursor.auction());
  }
  static Timestamp TimeOf(const GeneratorConfig& config, std::uint64_t index) {
    return PersonOrAuctionTime(config, index);
  }
};

/// Positions [0, total) of a stream, in restrictions of whole disorder blocks. A block holds the rows of its own index
/// range, so a restriction's least event time is that of its first index.
template <class Stream>
struct NexmarkSource {
  using Element = typename Stream::Row;

  GeneratorConfig config;
  std::uint64_t total = 0;
  Stream stream{};

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    const std::uint64_t block = std::uint64_t{1} << std::max(config.disorder_log2, kRestrictionLog2);
    std::vector<Restriction> restrictions;
    for (std::uint64_t from = 0; from < total; from += block) {
      restrictions.push_back({.partition = "",
                              .from = static_cast<std::int64_t>(from),
                              .to = static_cast<std::int64_t>(std::min(total, from + block)),
                              .least_event_time = Stream::TimeOf(config, from)});
    }
    return restrictions;
  }

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out) {
    const auto from = static_cast<std::uint64_t>(tracker.from());
    if (config.disorder_log2 == 0) {
      Emit(InOrderCursor<typename Stream::Cursor>(config, total, from), tracker, out);
    } else {
      Emit(PositionCursor<typename Stream::Cursor>(config, total, from), tracker, out);
    }
    return ProcessContinuation::Stop();
  }

 private:
  static constexpr int kRestrictionLog2 = 14;

  template <class Cursor>
  void Emit(Cursor cursor, RestrictionTracker& tracker, SourceOutput<Element>& out) const {
    for (std::int64_t position = tracker.from(); tracker.TryClaim(position); ++position) {
      out.Emit(stream.Make(*cursor), cursor->time());
      cursor.Next();
    }
  }
};

}  // namespace millrace::nexmark
