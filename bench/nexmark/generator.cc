#include "nexmark/generator.h"

#include <algorithm>
#include <charconv>

namespace millrace::nexmark {
namespace {

constexpr std::uint64_t kRateMax = 1'000'000'000;
constexpr int kDisorderLog2Max = 30;

constexpr std::uint64_t DivideUp(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

// A block of `block` rows spans at most (block - 1) events of its own kind and a run of the other kind at each edge of
// an epoch in it. The stated bound (proportional share plus 1 ms) is the greater one at all but very low rates.
Duration MaxDisorder(const GeneratorConfig& config, std::uint64_t rows_per_epoch) {
  if (config.disorder_log2 == 0) return Duration(0);
  const std::uint64_t block = std::uint64_t{1} << config.disorder_log2;
  const std::uint64_t stated_ms = DivideUp(block * kEventsPerEpoch * 1'000, rows_per_epoch * config.rate) + 1;
  const std::uint64_t span_events =
      block - 1 + DivideUp(block - 1, rows_per_epoch) * (kEventsPerEpoch - rows_per_epoch);
  const std::uint64_t span_ms = DivideUp(span_events * 1'000, config.rate);
  return std::chrono::milliseconds(std::max(stated_ms, span_ms));
}

}  // namespace

Status Validate(const GeneratorConfig& config) {
  if (config.rate < 1 || config.rate > kRateMax) {
    return InvalidArgumentError("rate is " + std::to_string(config.rate) +
                                " events per second; give a number from 1 to 1000000000");
  }
  if (config.disorder_log2 < 0 || config.disorder_log2 > kDisorderLog2Max) {
    return InvalidArgumentError("disorder_log2 is " + std::to_string(config.disorder_log2) +
                                "; give a number from 0 (in order) to 30");
  }
  return OkStatus();
}

Duration BidMaxDisorder(const GeneratorConfig& config) { return MaxDisorder(config, kBidsPerEpoch); }
Duration PersonAuctionMaxDisorder(const GeneratorConfig& config) {
  return MaxDisorder(config, kPersonsAndAuctionsPerEpoch);
}

std::string PersonName(std::int64_t id) {
  char text[32] = "person-";
  constexpr std::size_t kPrefixBytes = sizeof("person-") - 1;
  const auto end = std::to_chars(text + kPrefixBytes, text + sizeof(text), id).ptr;
  return std::string(text, end);
}

Person MakePerson(std::uint64_t index) {
  const auto id = static_cast<std::int64_t>(kFirstId + index / kPersonsAndAuctionsPerEpoch);
  return {id, PersonName(id)};
}

}  // namespace millrace::nexmark
