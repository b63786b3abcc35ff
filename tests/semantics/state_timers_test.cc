// State and event-time timers, as in Beam (https://beam.apache.org/documentation/programming-guide/#state-and-timers).
// A note that a DoFn takes is "<what> <key> <seconds>".
#include <functional>

#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// A command to the DoFn under test, for a key.
struct Order {
  std::string what;
  std::int64_t at = 0;  // seconds
};
using Keyed = KV<std::string, Order>;

std::string Note(const std::string& what, const std::string& key, Timestamp at) {
  return what + " " + key + " " + std::to_string(at.micros() / 1'000'000);
}

/// Sets and clears a timer as it is told.
struct Alarm {
  using Self = Alarm;
  void OnRing(const std::string& key, Timestamp at, State<"rings", std::int64_t> rings, Output<std::string> out) const {
    rings.Write(rings.Read() + 1);
    out.Emit(Note("ring" + std::to_string(rings.Read()), key, at));
  }
  void ProcessElement(const Keyed& e, State<"rings", std::int64_t>, Timer<"ring", &Self::OnRing> ring,
                      Output<std::string>) const {
    if (e.value.what == "set") ring.Set(At(e.value.at));
    if (e.value.what == "clear") ring.Clear();
    if (e.value.what == "both") {
      ring.Set(At(e.value.at));
      ring.Clear();
    }
  }
};

/// Sums per key and window; tells the sum when the window expires.
struct SumUntilExpiry {
  void ProcessElement(const Keyed& e, CombiningState<"sum", SumFn<std::int64_t>> sum, Output<std::string>) const {
    sum.Add(e.value.at);
  }
  void OnWindowExpiration(const std::string& key, Timestamp at, BoundedWindow window,
                          CombiningState<"sum", SumFn<std::int64_t>> sum, Output<std::string> out) const {
    EXPECT_EQ(at, window.max_timestamp());
    out.Emit(key + " " + WindowText(window) + " " + std::to_string(sum.Read()));
  }
};

/// A timer some seconds after each element, and what happens at the window's end.
struct Ticker {
  using Self = Ticker;
  void OnTick(const std::string& key, Timestamp at, Output<std::string> out) const { out.Emit(Note("tick", key, at)); }
  void ProcessElement(const Keyed& e, Timestamp at, Timer<"tick", &Self::OnTick> tick, Output<std::string>) const {
    tick.Set(at + seconds(e.value.at));
  }
  void OnWindowExpiration(const std::string& key, Timestamp at, Output<std::string> out) const {
    out.Emit(Note("expired", key, at));
  }
};

/// Sets its timer again from the handler until it has rung often enough: Beam's looping timer.
struct Loop {
  using Self = Loop;
  void OnBeat(const std::string& key, Timestamp at, State<"beats", std::int64_t> beats, TimerNamed<"beat"> beat,
              Output<std::string> out) const {
    out.Emit(Note("beat", key, at));
    beats.Write(beats.Read() + 1);
    if (beats.Read() < 3) beat.Set(at + seconds(10));
  }
  void ProcessElement(const Keyed& e, State<"beats", std::int64_t>, Timer<"beat", &Self::OnBeat> beat,
                      Output<std::string>) const {
    beat.Set(At(e.value.at));
  }
};

class StateTimersTest : public ::testing::Test {
 protected:
  void In(const std::string& key, const std::string& what, std::int64_t at, std::int64_t event_seconds) {
    stream_.Add({key, {what, at}}, At(event_seconds));
  }
  void Watermark(std::int64_t at) { stream_.AdvanceWatermarkTo(At(at)); }
  void Expect(std::vector<std::string> notes, std::source_location where = std::source_location::current()) {
    stream_.Then([this, notes = std::move(notes), where] {
      const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "the notes expected here");
      EXPECT_EQ(TakeNotes(), notes);
    });
  }
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
    auto notes = pipeline_ | "Script" >> stream_ | "Window" >> windowing | "Fn" >> ParDo(fn);
    seen_ = Collect(notes);
    result_ = pipeline_.Run(stream_.Options());
    return result_.status;
  }

  TestStream<Keyed> stream_;
  Pipeline pipeline_;
  PipelineResult result_;
  std::vector<Timestamp> times_;
  std::shared_ptr<Collection<std::string>> seen_;
};

const WindowInto kGlobal = WindowInto(GlobalWindows{});
const WindowInto kFixed = WindowInto(FixedWindows{seconds(10)});

TEST_F(StateTimersTest, ATimerFiresWhenTheWatermarkHasReachedItsTime) {
  In("a", "set", 20, 1);
  stream_.AdvanceWatermarkTo(At(20) - Duration(1));
  Expect({});
  Watermark(20);
  Expect({"ring1 a 20"});
  Watermark(100);
  Expect({});
  ASSERT_EQ(Play(Alarm{}, kGlobal), OkStatus());
  EXPECT_THAT(times_, ElementsAre(At(20)));  // what a timer emits has the timer's time
}

TEST_F(StateTimersTest, ATimerOfThePastFiresAtOnce) {
  Watermark(50);
  Expect({});
  In("a", "set", 20, 60);
  Expect({"ring1 a 20"});
  In("a", "set", 50, 60);
  Expect({"ring2 a 50"});
  ASSERT_EQ(Play(Alarm{}, kGlobal), OkStatus());
}

TEST_F(StateTimersTest, ATimerIsMovedAndCleared) {
  In("a", "set", 20, 1);
  In("a", "set", 30, 1);  // later
  In("b", "set", 40, 1);
  In("b", "set", 25, 1);  // earlier
  In("c", "set", 22, 1);
  In("c", "clear", 0, 1);
  In("d", "both", 22, 1);
  Watermark(24);
  Expect({});
  Watermark(29);
  Expect({"ring1 b 25"});
  Watermark(100);
  Expect({"ring1 a 30"});
  In("c", "set", 100, 1);
  Expect({"ring1 c 100"});
  ASSERT_EQ(Play(Alarm{}, kGlobal), OkStatus());
}

TEST_F(StateTimersTest, TimersFireInTheOrderOfTheirTimes) {
  In("a", "set", 30, 1);
  In("b", "set", 10, 1);
  In("c", "set", 20, 1);
  Watermark(100);
  Expect({"ring1 b 10", "ring1 c 20", "ring1 a 30"});
  ASSERT_EQ(Play(Alarm{}, kGlobal), OkStatus());
}

TEST_F(StateTimersTest, AHandlerSetsItsOwnTimerAgain) {
  In("a", "set", 5, 1);
  Watermark(16);
  Expect({"beat a 5", "beat a 15"});
  Watermark(100);
  Expect({"beat a 25"});
  ASSERT_EQ(Play(Loop{}, kGlobal), OkStatus());
}

TEST_F(StateTimersTest, StateAndTimersBelongToOneKeyAndWindow) {
  In("a", "set", 5, 1);
  In("a", "set", 15, 11);
  In("b", "set", 5, 2);
  Watermark(4);
  Expect({});
  Watermark(30);
  stream_.Then(
      [this] { EXPECT_THAT(TakeNotes(), ::testing::UnorderedElementsAre("ring1 a 5", "ring1 b 5", "ring1 a 15")); });
  ASSERT_EQ(Play(Alarm{}, kFixed), OkStatus());
}

TEST_F(StateTimersTest, ATimerBeyondItsWindowsExpiryIsRefused) {
  In("a", "set", 16, 1);
  const Status status = Play(Alarm{}, kFixed.AllowedLateness(seconds(5)).Accumulating());
  EXPECT_EQ(status.code(), StatusCode::kUnknown);
  EXPECT_THAT(status.message(), HasSubstr("Fn: failed 4 times"));
  EXPECT_THAT(status.message(), HasSubstr("expires at 1970-01-01T00:00:14.999999Z"));
  EXPECT_THAT(status.message(), HasSubstr("OnWindowExpiration"));
}

TEST_F(StateTimersTest, ATimerAtItsWindowsExpiryFiresBeforeIt) {
  In("a", "", 8, 1);
  Watermark(100);
  Expect({"tick a 9", "expired a 9"});
  ASSERT_EQ(Play(Ticker{}, kFixed), OkStatus());
}

TEST_F(StateTimersTest, WindowsExpireAfterTheAllowedLateness) {
  In("a", "", 1, 1);
  In("a", "", 10, 11);
  Watermark(12);
  In("a", "", 2, 2);  // late, but not too late
  stream_.AdvanceWatermarkTo(At(15) - Duration(1));
  In("a", "", 4, 9);
  Expect({});
  Watermark(15);
  Expect({"a [0,10) 7"});
  In("a", "", 8, 9);  // too late
  In("b", "", 8, 9);
  Watermark(1000);
  Expect({"a [10,20) 10"});
  ASSERT_EQ(Play(SumUntilExpiry{}, kFixed.AllowedLateness(seconds(5)).Accumulating()), OkStatus());
  EXPECT_EQ(result_.steps.at("Fn").late_dropped, 2);
}

TEST_F(StateTimersTest, TheGlobalWindowExpiresAtTheEndOfTime) {
  In("a", "", 1, 1);
  In("b", "", 2, 100);
  Watermark(1'000'000);
  Expect({});
  ASSERT_EQ(Play(SumUntilExpiry{},
                 kGlobal.AllowedLateness(std::chrono::days(30)).Accumulating().Triggering(Repeatedly{AfterCount{1}})),
            OkStatus());
  EXPECT_THAT(TakeNotes(), UnorderedElementsAre("a global 1", "b global 2"));
}

TEST_F(StateTimersTest, AnElementOfSeveralWindowsHasStateInEach) {
  In("a", "", 1, 7);
  In("a", "", 2, 12);
  Watermark(1000);
  Expect({"a [0,10) 1", "a [5,15) 3", "a [10,20) 2"});
  ASSERT_EQ(Play(SumUntilExpiry{}, WindowInto(SlidingWindows{seconds(10), seconds(5)})), OkStatus());
}

/// Fails on some elements after it has written state, set a timer and emitted.
struct Moody {
  using Self = Moody;
  void OnDue(const std::string& key, Timestamp at, Output<std::string> out) const { out.Emit(Note("due", key, at)); }
  void ProcessElement(const Keyed& e, State<"n", std::int64_t> n, Timer<"due", &Self::OnDue> due,
                      Output<std::string> out) const {
    n.Write(n.Read() + e.value.at);
    due.Set(At(e.value.at));
    out.Emit(Note("n" + std::to_string(n.Read()), e.key, At(0)));
    if (e.value.what == "fail") throw std::runtime_error("moody");
  }
};

TEST_F(StateTimersTest, AFailedElementLeavesNoStateNoTimerAndNoOutput) {
  In("a", "", 5, 1);
  In("a", "fail", 7, 1);
  In("b", "fail", 9, 1);
  In("a", "", 10, 1);
  Expect({"n5 a 0", "n15 a 0"});
  Watermark(100);
  Expect({"due a 10"});
  auto [notes, failed] = pipeline_ | "Script" >> stream_ | "Fn" >> ParDo(Moody{}).OnError();
  seen_ = Collect(notes);
  auto failures = Collect(failed, "Failures");
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
  EXPECT_EQ(failures->elements.size(), 2U);
}

}  // namespace
}  // namespace millrace::testing
