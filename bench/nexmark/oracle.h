// The obvious slow form of each query: every row of the stream made at random, ordered maps, no window closed before
// the end. It is what the loop and the engine are checked against, row by row. It ignores the order of the input, so
// `disorder_log2` makes no difference to its results.
#pragma once

#include <cstdint>
#include <vector>

#include "nexmark/generator.h"
#include "nexmark/rows.h"

namespace millrace::nexmark {

/// Each returns the query's rows over the first `events` rows of its stream, sorted by `<`. `config` is valid.
std::vector<Timed<OwnedBid>> OracleQ0(const GeneratorConfig& config, std::uint64_t events);
std::vector<Timed<OwnedBid>> OracleQ1(const GeneratorConfig& config, std::uint64_t events);
std::vector<SelectedBid> OracleQ2(const GeneratorConfig& config, std::uint64_t events);
std::vector<HotItem> OracleQ5(const GeneratorConfig& config, std::uint64_t events);
std::vector<HighestBid> OracleQ7(const GeneratorConfig& config, std::uint64_t events);
std::vector<NewSeller> OracleQ8(const GeneratorConfig& config, std::uint64_t events);
std::vector<BidderCount> OracleQ12(const GeneratorConfig& config, std::uint64_t events);
std::vector<KeyCount> OracleQk(const GeneratorConfig& config, std::uint64_t events, std::uint64_t keys);

/// The check of a list of rows.
template <class Row>
Check CheckOf(const std::vector<Row>& rows) {
  Check check;
  for (const Row& row : rows) check.Add(row);
  return check;
}

}  // namespace millrace::nexmark
