// The bids of q12 and qk in the event log: written there before anything is measured, and read as a user reads a topic.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "millrace/io/log.h"
#include "nexmark/options.h"
#include "nexmark/source.h"

namespace millrace::nexmark {

inline constexpr const char* kBidsTopic = "bids";

/// What a record holds of a bid. Strings are left out: neither query reads them.
struct LoggedBid {
  std::int64_t auction = 0;
  std::int64_t bidder = 0;
  std::int64_t price = 0;
  std::int64_t key = 0;  // of qk
};

/// The rows that can come from the log.
template <class Stream>
inline constexpr bool kIsLogged = std::is_same_v<Stream, PooledBids> || std::is_same_v<Stream, KeyedBids>;

template <class Stream>
typename Stream::Row RowOf(const LogRecord& record) {
  LoggedBid logged;
  std::memcpy(&logged, record.data.data(), std::min(sizeof(logged), record.data.size()));
  Bid bid;
  bid.auction = logged.auction;
  bid.bidder = logged.bidder;
  bid.price = logged.price;
  if constexpr (std::is_same_v<Stream, KeyedBids>) {
    return {bid, logged.key};
  } else {
    return bid;
  }
}

/// Appends the rows of `options` to the topic in `options.log_folder`, in blocks to four partitions in turn, and closes
/// it; goes on where an earlier call was broken off. FAILED_PRECONDITION: the topic was filled by other options.
/// UNIMPLEMENTED: another query, owned strings, or disorder.
Status FillLog(const Options& options);

}  // namespace millrace::nexmark
