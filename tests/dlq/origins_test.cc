// A dead letter names the record that it comes from, through whatever steps and threads; behind an aggregation it names
// none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../laws/law_source.h"
#include "millrace/io/view_sink.h"

namespace millrace::dlq_test {
namespace {

using laws::Event;
using laws::Partition;
using std::chrono::seconds;
using Pair = KV<std::int64_t, std::int64_t>;

struct Refused {
  std::int64_t value = 0;
  std::string reason;
};

class KeptLetters final : public DeadLetterSink {
 public:
  Status Write(std::span<const DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    for (const DeadLetter& letter : letters) by_name_[letter.name].push_back(letter);
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }
  const std::vector<DeadLetter>& Of(const std::string& name) { return by_name_[name]; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<DeadLetter>> by_name_;
};

constexpr std::int64_t kPartitionStride = 1'000'000;

// The value of an event says where it is.
std::shared_ptr<const std::vector<Partition>> EventsThatKnow(laws::Chance& chance, Duration disorder) {
  auto events = std::make_shared<std::vector<Partition>>(*chance.Events(3'000, 40, disorder));
  for (std::size_t partition = 0; partition < events->size(); ++partition) {
    for (std::size_t i = 0; i < (*events)[partition].size(); ++i) {
      (*events)[partition][i].value = static_cast<std::int64_t>(partition) * kPartitionStride + std::int64_t(i);
    }
  }
  return events;
}

// What an element's JSON says under "value".
std::int64_t ValueIn(const DeadLetter& letter) {
  const std::size_t at = letter.element.find("\"value\":");
  return at == std::string::npos ? -1 : std::stoll(letter.element.substr(at + 8));
}

struct Judge {
  void ProcessElement(const Pair& pair, Output<Pair> good, Output<Refused> bad) const {
    if (pair.value % 5 == 0) bad.Emit(Refused{pair.value, "a multiple of five"});
    if (pair.value % 5 != 1) good.Emit(pair);
  }
};

struct Fails {
  void ProcessElement(const Pair& pair, Output<Pair> out) const {
    if (pair.value % 7 == 0) throw std::runtime_error("a multiple of seven");
    out.Emit(pair);
  }
};

struct ByState {
  void ProcessElement(const Pair& pair, State<"seen", std::int64_t> seen, Output<Refused> bad) const {
    seen.Write(seen.Read() + 1);
    if (seen.Read() % 3 == 0) bad.Emit(Refused{pair.value, "the third"});
  }
};

TEST(Origins, LettersNameTheirRecord) {
  for (std::int64_t round = 0; round < base::TestRounds(20, 300); ++round) {
    laws::Chance chance(base::TestSeed() * 1'000'000 + 99'000 + static_cast<std::uint64_t>(round));
    const Duration disorder = seconds(60);
    const auto events = EventsThatKnow(chance, disorder);
    RunOptions options = chance.Options(chance.random.Chance(0.7));
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", " +
                 laws::Describe(options));
    auto letters = std::make_shared<KeptLetters>();
    options.dead_letters = letters;

    Pipeline pipeline;
    // Less disorder is declared than there is: some come too late.
    auto pairs =
        pipeline | "Read" >> Read(laws::EventSource{events, options.streaming}).MaxDisorder(seconds(5)) |
        "Pairs" >> Map([](const Event& event) { return Pair{event.key, event.value}; }) |
        "Some" >> Filter([](const Pair& pair) { return pair.value % 11 != 0; }) |
        "Twice" >> FlatMap([](const Pair& pair) { return std::vector<Pair>(pair.value % 2 == 0 ? 2 : 1, pair); });
    auto [good, bad] = pairs | "Judge" >> ParDo(Judge{});
    bad | "Bad" >> DeadLetters("bad");
    auto spread = good | "Spread" >> Reshuffle{} | "Dedupe" >> Deduplicate(&Pair::value).Within(seconds(100'000));
    auto [through, failed] = spread | "Fails" >> ParDo(Fails{}).OnError();
    failed | "Failed" >> DeadLetters("failed");
    auto windowed = through | "Windows" >> WindowInto(SlidingWindows{seconds(600), seconds(200)});
    windowed | "ByState" >> ParDo(ByState{}) | "Third" >> DeadLetters("third");
    windowed | "Sum" >> CombinePerKey(Sum{}) |
        "Sums" >> Map([](const Pair& sum) { return Refused{sum.value, "a sum"}; }) | "All" >> DeadLetters("sums");
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());
    EXPECT_TRUE(ProblemsOf(result.ledger.total).empty());

    for (const char* name : {"bad", "failed", "third", kLateName}) {
      for (const DeadLetter& letter : letters->Of(name)) {
        const std::int64_t value = ValueIn(letter);
        EXPECT_EQ(letter.origin, std::to_string(value / kPartitionStride)) << name << ": " << letter.element;
        EXPECT_EQ(letter.position, value % kPartitionStride) << name << ": " << letter.element;
        EXPECT_FALSE(letter.reason.empty());
        if (::testing::Test::HasFailure()) return;
      }
    }
    EXPECT_FALSE(letters->Of("bad").empty());
    EXPECT_FALSE(letters->Of("failed").empty());
    EXPECT_FALSE(letters->Of("third").empty());
    for (const DeadLetter& letter : letters->Of("sums")) EXPECT_EQ(letter.origin, "");
    EXPECT_FALSE(letters->Of("sums").empty());
  }
}

}  // namespace
}  // namespace millrace::dlq_test
