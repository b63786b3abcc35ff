// The whole text of `describe` for a pipeline that has every kind of transform.
#include "model/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "millrace/millrace.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

struct Click {
  std::string id;
  std::string user;
  Timestamp at;
};

struct Endless {
  using Element = Click;
  static constexpr bool kUnbounded = true;
  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker&, WatermarkEstimator&, SourceOutput<Element>&) {
    return ProcessContinuation::Stop();
  }
};

struct Bots {
  using Self = Bots;
  using Limits = std::map<std::string, std::int64_t>;
  void OnForget(const std::string&, State<"seen", std::int64_t> seen) const { seen.Clear(); }
  void ProcessElement(const KV<std::string, Click>& e, PaneInfo, SideInput<"limits", Limits>,
                      State<"seen", std::int64_t>, Timer<"forget", &Self::OnForget>, Output<Click> kept) const {
    kept.Emit(e.value);
  }
};

void Drop(const Click&, Output<std::unique_ptr<int>>) {}

// CLICK stands for the coder of a Click.
constexpr const char* kText = R"(Limits: Read CreateSource, bounded
  records that cannot be read: dead letters "Limits"
  gives KV<string, int64>, coder kv<string_utf8, varint>
Clicks: Read Endless, unbounded
  watermark: the greatest event time less 10m, per partition, when streaming
  records that cannot be read: dead letters "Clicks"
  gives Click, coder CLICK
Times: WithTimestamps
  from "Clicks"
  gives Click, coder CLICK
Dedupe: Deduplicate
  from "Times"
  state: an entry per id
  horizon: 1d of event time
  gives Click, coder CLICK
ByUser: WithKeys
  from "Dedupe"
  gives KV<string, Click>, coder kv<string_utf8, CLICK>
Bots: ParDo Bots
  from "ByUser"
  state: seen, per key and window
  timers: forget, in event time, per key and window
  windows: GlobalWindows, kept to the end
  side input: limits from "Limits", GlobalWindows
  gives Click, coder CLICK
  gives FailedElement, coder row{element: row<KV>, error: string}
Keep failed: DeadLetters "clicks"
  from "Bots"
Some: Filter
  from "Bots"
  captures values: runs on the native runner only
  gives Click, coder CLICK
All: Flatten
  from "Bots"
  from "Some"
  gives Click, coder CLICK
Spread: Reshuffle
  from "All"
  gives Click, coder CLICK
Drop: ParDo a function
  from "Spread"
  gives std::unique_ptr<int, std::default_delete<int> >, no coder: stays in the process
Minutes: WindowInto
  from "Spread"
  windows: SlidingWindows(2m every 1m), AfterWatermark(early AfterProcessingTime(5s), late AfterCount(1)), accumulating, allowed lateness 10m
  gives Click, coder CLICK
Again: WithKeys
  from "Minutes"
  gives KV<string, Click>, coder kv<string_utf8, CLICK>
Count: CombinePerKey Count
  from "Again"
  state: an accumulator per key and window, kept until 10m after the window's end
  windows: SlidingWindows(2m every 1m), AfterWatermark(early AfterProcessingTime(5s), late AfterCount(1)), accumulating, allowed lateness 10m
  gives KV<string, int64>, coder kv<string_utf8, varint>
View(clicks): View "clicks"
  from "Count"
  key user: string
  value clicks: int64
Total: CombineGlobally Count
  from "Minutes"
  state: an accumulator per window, kept until 10m after the window's end
  windows: SlidingWindows(2m every 1m), AfterWatermark(early AfterProcessingTime(5s), late AfterCount(1)), accumulating, allowed lateness 10m
  gives int64, coder varint
Not certifiable, since streaming and batch may differ:
  Bots: depends on the order of elements
  Bots: reads PaneInfo
)";

TEST(DescribeTest, EveryTransform) {
  Pipeline pipeline;
  auto limits = pipeline | "Limits" >> Create(std::vector<KV<std::string, std::int64_t>>{});
  auto clicks = pipeline | "Clicks" >> Read(Endless{}).MaxDisorder(10min);
  auto [kept, failed] = clicks | "Times" >> WithTimestamps(&Click::at) |
                        "Dedupe" >> Deduplicate(&Click::id).Within(24h) | "ByUser" >> WithKeys(&Click::user) |
                        "Bots" >> ParDo(Bots{}).WithSideInput("limits", AsMap(limits)).OnError();
  failed | "Keep failed" >> DeadLetters("clicks");
  std::int64_t least = 1;  // a captured variable: this lambda cannot be shipped
  auto some = kept | "Some" >> Filter([least](const Click& click) { return std::ssize(click.user) > least; });
  auto all = Flatten(kept, some).As("All") | "Spread" >> Reshuffle();
  all | "Drop" >> ParDo<Drop>();
  auto windowed =
      all | "Minutes" >> WindowInto(SlidingWindows{2min, 1min})
                             .Triggering(AfterWatermark{.early = AfterProcessingTime{5s}, .late = AfterCount{1}})
                             .AllowedLateness(10min)
                             .Accumulating();
  auto counts = windowed | "Again" >> WithKeys(&Click::user) | "Count" >> CombinePerKey(Count{});
  counts | View("clicks").Key("user").Value("clicks");
  windowed | "Total" >> CombineGlobally(Count{}).WithoutDefaults();
  std::string text = pipeline.Describe();
  const std::string click = "row{id: string, user: string, at: timestamp}";
  for (std::size_t at = text.find(click); at != std::string::npos; at = text.find(click, at)) {
    text.replace(at, click.size(), "CLICK");
  }
  EXPECT_EQ(text, kText);
}

}  // namespace
}  // namespace millrace
