#include "nexmark/oracle.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "nexmark/query.h"

namespace millrace::nexmark {
namespace {

Timestamp WindowStart(Timestamp time, std::int64_t size_ms) {
  return Timestamp::FromMillis(time.millis() / size_ms * size_ms);
}

template <class Row>
std::vector<Row> Sorted(std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

std::vector<Timed<OwnedBid>> OracleQ0(const GeneratorConfig& config, std::uint64_t events) {
  std::vector<Timed<OwnedBid>> rows;
  for (std::uint64_t i = 0; i < events; ++i) rows.push_back({BidTime(config, i), MakeOwnedBid(config, i)});
  return Sorted(std::move(rows));
}

std::vector<Timed<OwnedBid>> OracleQ1(const GeneratorConfig& config, std::uint64_t events) {
  std::vector<Timed<OwnedBid>> rows = OracleQ0(config, events);
  for (Timed<OwnedBid>& row : rows) row.row.price = row.row.price * 908 / 1'000;
  return Sorted(std::move(rows));
}

std::vector<SelectedBid> OracleQ2(const GeneratorConfig& config, std::uint64_t events) {
  std::vector<SelectedBid> rows;
  for (std::uint64_t i = 0; i < events; ++i) {
    const Bid bid = MakeBid(config, i);
    if (bid.auction % 123 == 0) rows.push_back({bid.auction, bid.price});
  }
  return Sorted(std::move(rows));
}

std::vector<HotItem> OracleQ5(const GeneratorConfig& config, std::uint64_t events) {
  std::map<Timestamp, std::map<std::int64_t, std::int64_t>> windows;
  for (std::uint64_t i = 0; i < events; ++i) {
    const Timestamp time = BidTime(config, i);
    const std::int64_t auction = MakeBid(config, i).auction;
    Timestamp start = WindowStart(time, kHotItemsPeriodMs);
    for (; start + std::chrono::milliseconds(kWindowMs) > time; start -= std::chrono::milliseconds(kHotItemsPeriodMs)) {
      ++windows[start][auction];
    }
  }
  std::vector<HotItem> rows;
  for (const auto& [start, counts] : windows) {
    std::int64_t most = 0;
    for (const auto& [auction, bids] : counts) most = std::max(most, bids);
    for (const auto& [auction, bids] : counts) {
      if (bids == most) rows.push_back({start, auction, bids});
    }
  }
  return Sorted(std::move(rows));
}

std::vector<HighestBid> OracleQ7(const GeneratorConfig& config, std::uint64_t events) {
  std::map<Timestamp, std::int64_t> highest;
  for (std::uint64_t i = 0; i < events; ++i) {
    std::int64_t& price = highest[WindowStart(BidTime(config, i), kWindowMs)];
    price = std::max(price, MakeBid(config, i).price);
  }
  std::vector<HighestBid> rows;
  for (const auto& [start, price] : highest) rows.push_back({start, price});
  return Sorted(std::move(rows));
}

std::vector<NewSeller> OracleQ8(const GeneratorConfig& config, std::uint64_t events) {
  std::set<std::pair<Timestamp, std::int64_t>> sellers;
  for (std::uint64_t i = 0; i < events; ++i) {
    if (IsPerson(i)) continue;
    sellers.emplace(WindowStart(PersonOrAuctionTime(config, i), kWindowMs), MakeAuction(config, i).seller);
  }
  std::set<NewSeller> rows;
  for (std::uint64_t i = 0; i < events; ++i) {
    if (!IsPerson(i)) continue;
    const Person person = MakePerson(i);
    const Timestamp start = WindowStart(PersonOrAuctionTime(config, i), kWindowMs);
    if (sellers.contains({start, person.id})) rows.insert({start, person.id, person.name});
  }
  return {rows.begin(), rows.end()};
}

std::vector<BidderCount> OracleQ12(const GeneratorConfig& config, std::uint64_t events) {
  std::map<std::pair<Timestamp, std::int64_t>, std::int64_t> counts;
  for (std::uint64_t i = 0; i < events; ++i) {
    ++counts[{WindowStart(BidTime(config, i), kWindowMs), MakeBid(config, i).bidder}];
  }
  std::vector<BidderCount> rows;
  for (const auto& [key, bids] : counts) rows.push_back({key.first, key.second, bids});
  return Sorted(std::move(rows));
}

std::vector<KeyCount> OracleQk(const GeneratorConfig& config, std::uint64_t events, std::uint64_t keys) {
  std::map<std::int64_t, std::int64_t> counts;
  for (std::uint64_t i = 0; i < events; ++i) ++counts[BidKey(config, i, keys)];
  std::vector<KeyCount> rows;
  for (const auto& [key, bids] : counts) rows.push_back({key, bids});
  return Sorted(std::move(rows));
}

}  // namespace millrace::nexmark
