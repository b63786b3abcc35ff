// Timers in processing time, with a clock that only the script moves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "../semantics/pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Order {
  std::string what;
  std::int64_t seconds = 0;
};
using Keyed = KV<std::string, Order>;

/// Gathers, and tells what it has gathered some time after the first element.
struct Gather {
  using Self = Gather;
  void OnFlush(const std::string& key, State<"sum", std::int64_t> sum, Output<std::string> out) const {
    out.Emit("flush " + key + " " + std::to_string(sum.Read()));
    sum.Clear();
  }
  void ProcessElement(const Keyed& e, State<"sum", std::int64_t> sum,
                      Timer<"flush", &Self::OnFlush, TimeDomain::kProcessingTime> flush, Output<std::string>) const {
    if (e.value.what == "add") sum.Write(sum.Read() + 1);
    if (e.value.what == "add" || e.value.what == "move") flush.SetRelative(seconds(e.value.seconds));
    if (e.value.what == "clear") flush.Clear();
    if (e.value.what == "fail") {
      flush.SetRelative(seconds(0));
      throw std::runtime_error("always");
    }
  }
  void OnWindowExpiration(const std::string& key, State<"sum", std::int64_t> sum, Output<std::string> out) const {
    out.Emit("rest " + key + " " + std::to_string(sum.Read()));
  }
};

/// Sets its timer again from the handler.
struct Beat {
  using Self = Beat;
  void OnBeat(const std::string& key, TimerNamed<"beat"> beat, Output<std::string> out) const {
    out.Emit("beat " + key);
    if (delay >= 0) beat.SetRelative(seconds(delay));
    if (delay < 0) beat.Set(At(1));
  }
  void ProcessElement(const Keyed&, Timer<"beat", &Self::OnBeat, TimeDomain::kProcessingTime> beat,
                      Output<std::string>) const {
    beat.SetRelative(seconds(1));
  }
  std::int64_t delay = 0;
};

const WindowInto kGlobalWindow = WindowInto(GlobalWindows{});
const WindowInto kFixedWindow = WindowInto(FixedWindows{seconds(10)});

class ProcessingTimersTest : public ::testing::Test {
 protected:
  void In(const std::string& key, const std::string& what, std::int64_t delay, std::int64_t at = 1) {
    stream_.Add({key, {what, delay}}, At(at));
  }
  void Watermark(std::int64_t at) { stream_.AdvanceWatermarkTo(At(at)); }
  void Pass(std::int64_t by) { stream_.AdvanceProcessingTime(seconds(by)); }
  void Expect(std::vector<std::string> notes, std::source_location where = std::source_location::current()) {
    stream_.Then([this, notes = std::move(notes), where] {
      const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "the notes expected here");
      EXPECT_EQ(TakeNotes(), notes);
    });
  }
  /// Of what came since the last call.
  std::vector<std::string> TakeNotes() {
    std::vector<std::string> notes;
    for (const auto& note : seen_->Take()) {
      notes.push_back(note.value);
      times_.push_back(note.timestamp);
    }
    return notes;
  }
  template <class Fn>
  Status Play(Fn fn, const WindowInto& windowing) {
    seen_ = Collect(pipeline_ | "Script" >> stream_ | "Window" >> windowing | "Fn" >> ParDo(fn));
    return pipeline_.Run(stream_.Options()).status;
  }

  TestStream<Keyed> stream_;
  Pipeline pipeline_;
  std::vector<Timestamp> times_;
  std::shared_ptr<Collection<std::string>> seen_;
};

TEST_F(ProcessingTimersTest, ATimerFiresWhenItsDelayIsOver) {
  In("a", "add", 10);
  In("b", "add", 12);
  Pass(9);
  Expect({});
  Pass(1);
  Expect({"flush a 1"});
  Watermark(100);  // event time does nothing to it
  Expect({});
  Pass(5);
  Expect({"flush b 1"});
  Pass(100);
  Expect({});
  ASSERT_EQ(Play(Gather{}, kGlobalWindow), OkStatus());
}

TEST_F(ProcessingTimersTest, SettingItAgainMovesItAndClearingEndsIt) {
  In("a", "add", 10);
  Pass(5);
  In("a", "move", 10);
  Pass(5);
  Expect({});
  Pass(5);
  Expect({"flush a 1"});
  In("a", "add", 3);
  In("a", "move", 1);
  Pass(1);
  Expect({"flush a 1"});
  In("a", "add", 1);
  In("a", "clear", 0);
  Pass(100);
  Expect({});
  ASSERT_EQ(Play(Gather{}, kGlobalWindow), OkStatus());
}

TEST_F(ProcessingTimersTest, OutputsHaveTheTimeOfTheElementOrOfTheWatermarkWithinTheWindow) {
  In("a", "add", 1, 3);
  Pass(1);
  In("a", "add", 1, 3);
  Watermark(5);
  Pass(1);
  In("a", "add", 1, 4);
  Watermark(15);
  Pass(1);
  Expect({"flush a 1", "flush a 1", "flush a 1"});
  ASSERT_EQ(Play(Gather{}, WindowInto(kFixedWindow).AllowedLateness(seconds(20)).Accumulating()), OkStatus());
  EXPECT_THAT(times_, ElementsAre(At(3), At(5), At(10) - Duration(1)));
}

TEST_F(ProcessingTimersTest, ATimerGoesWithItsWindow) {
  In("a", "add", 10, 1);
  In("a", "add", 10, 11);
  Watermark(10);
  Expect({"rest a 1"});
  Pass(10);
  Expect({"flush a 1"});  // that of the second window
  ASSERT_EQ(Play(Gather{}, kFixedWindow), OkStatus());
}

TEST_F(ProcessingTimersTest, ATimerHoldsNoWatermark) {
  stream_.Add({"a", {"add", 100}}, At(1)).Add({"b", {"clear", 0}}, At(2)).AdvanceWatermarkTo(At(10));
  auto keyed = pipeline_ | "Script" >> stream_ | "Window" >> kFixedWindow;
  auto notes = keyed | "Fn" >> ParDo(Gather{});
  auto counts = Collect(Flatten(notes, keyed | "Keys" >> Keys()).As("All") | "Count" >> Count::PerElement());
  seen_ = Collect(notes, "Notes");
  std::size_t fired = 0;
  stream_.Then([] {});
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
  for (const auto& count : counts->elements) {
    EXPECT_EQ(count.pane.timing, PaneInfo::Timing::kOnTime) << count.value.key;
    ++fired;
  }
  EXPECT_EQ(fired, 4U);  // a, b, and the rest of both: what the window's expiration emits is not late
}

TEST_F(ProcessingTimersTest, AHandlerMaySetItsTimerAgain) {
  In("a", "add", 0);
  Pass(1);
  Expect({"beat a"});
  Pass(4);
  Expect({});
  Pass(1);
  Expect({"beat a"});
  Pass(50);  // once: it is set by the time when it fires
  Expect({"beat a"});
  ASSERT_EQ(Play(Beat{.delay = 5}, kGlobalWindow), OkStatus());
}

TEST_F(ProcessingTimersTest, AHandlerWithoutADelayDoesNotLoopForEver) {
  In("a", "add", 0);
  Pass(1);
  Pass(1);
  stream_.Then(
      [this] { EXPECT_THAT(TakeNotes(), ::testing::SizeIs(::testing::AllOf(::testing::Ge(2), ::testing::Le(20)))); });
  ASSERT_EQ(Play(Beat{.delay = 0}, kGlobalWindow), OkStatus());
}

TEST_F(ProcessingTimersTest, ATimerIsSetInItsOwnDomainOnly) {
  In("a", "add", 0);
  Pass(1);
  EXPECT_THAT(Play(Beat{.delay = -1}, kGlobalWindow).message(),
              HasSubstr("a timer in processing time is set to an event time; use SetRelative(delay)"));
}

TEST_F(ProcessingTimersTest, AnElementThatFailsSetsNoTimer) {
  In("a", "fail", 0);
  Pass(1);
  auto [notes, failed] = pipeline_ | "Script" >> stream_ | "Fn" >> ParDo(Gather{}).OnError();
  seen_ = Collect(notes);
  auto failures = Collect(failed, "Failures");
  Expect({});
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
  EXPECT_THAT(seen_->values(), ElementsAre("rest a 0"));
  EXPECT_EQ(failures->elements.size(), 1U);
}

TEST_F(ProcessingTimersTest, TheDescriptionSaysSo) {
  pipeline_ | "Orders" >> Create(std::vector<Keyed>{}) | "Gather" >> ParDo(Gather{});
  const std::string text = pipeline_.Describe();
  EXPECT_THAT(text, HasSubstr("  timers: flush, in processing time, per key and window\n"));
  EXPECT_THAT(text, HasSubstr("\n  Gather: has timers in processing time\n"));
}

// Batch: no processing time passes, and the window's end is the end of it.
TEST_F(ProcessingTimersTest, InBatchModeTimersFireAtTheEndOfTheirWindowInTheOrderOfTheirDelays) {
  const std::vector<TimestampedValue<Keyed>> orders{{{"a", {"add", 3'000}}, At(1)}, {{"a", {"add", 3'000}}, At(2)},
                                                    {{"b", {"add", 1'000}}, At(3)}, {{"c", {"add", 2'000}}, At(4)},
                                                    {{"c", {"clear", 0}}, At(4)},   {{"a", {"add", 1'000}}, At(11)}};
  seen_ = Collect(pipeline_ | "Orders" >> Create(orders) | "Window" >> kFixedWindow | "Fn" >> ParDo(Gather{}));
  RunOptions options;
  options.threads = 1;
  ASSERT_EQ(pipeline_.Run(options).status, OkStatus());
  std::vector<std::string> notes = seen_->values();
  ASSERT_EQ(notes.size(), 7U);
  EXPECT_EQ(notes[0], "flush b 1");
  EXPECT_EQ(notes[1], "flush a 2");
  std::sort(notes.begin() + 2, notes.begin() + 5);
  EXPECT_THAT(notes,
              ElementsAre("flush b 1", "flush a 2", "rest a 0", "rest b 0", "rest c 1", "flush a 1", "rest a 0"));
}

TEST_F(ProcessingTimersTest, InBatchModeALoopingTimerFiresOnce) {
  seen_ =
      Collect(pipeline_ | "Orders" >> Create(std::vector<Keyed>{{"a", {"add", 1}}}) | "Fn" >> ParDo(Beat{.delay = 1}));
  ASSERT_EQ(pipeline_.Run(RunOptions{}).status, OkStatus());
  EXPECT_THAT(seen_->values(), ElementsAre("beat a"));
}

}  // namespace
}  // namespace millrace::testing
