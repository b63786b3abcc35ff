// The queries and their parameters.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "millrace/core/status.h"

namespace millrace::nexmark {

enum class Query : std::uint8_t { kQ0, kQ1, kQ2, kQ5, kQ7, kQ8, kQ12, kQk };

inline constexpr std::array<Query, 8> kQueries = {Query::kQ0, Query::kQ1, Query::kQ2,  Query::kQ5,
                                                  Query::kQ7, Query::kQ8, Query::kQ12, Query::kQk};

/// q1: the price in another currency.
constexpr std::int64_t ConvertPrice(std::int64_t price) { return price * 908 / 1'000; }
/// q2: the auctions whose bids are selected.
constexpr bool IsSelectedAuction(std::int64_t auction) { return auction % 123 == 0; }

/// Windows of q7, q8 and q12, and of q5, which has one every `kHotItemsPeriodMs`. All are aligned to the epoch.
inline constexpr std::int64_t kWindowMs = 10'000;
inline constexpr std::int64_t kHotItemsPeriodMs = 2'000;

inline constexpr std::uint64_t kDefaultEvents = 4'000'000;
inline constexpr std::uint64_t kDefaultKeyedEvents = 10'000'000;  // of qk

/// "q5", "qk".
std::string_view QueryName(Query query);

/// An INVALID_ARGUMENT lists the names that exist.
StatusOr<Query> ParseQuery(std::string_view name);

/// How many sums the query's check has after its number of rows.
int SumsOfCheck(Query query);

}  // namespace millrace::nexmark
