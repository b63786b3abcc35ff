// Side inputs that change: readers see the newest pane that the side input's trigger has made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../semantics/pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

struct Item {
  bool side = false;
  std::string name;
  std::int64_t value = 0;
};
using Rate = KV<std::string, std::int64_t>;

std::string Listed(std::vector<Rate> rates) {
  std::sort(rates.begin(), rates.end(), [](const Rate& a, const Rate& b) { return a.value < b.value; });
  std::string text;
  for (const Rate& rate : rates) text += " " + rate.key + std::to_string(rate.value);
  return text;
}

struct AskOne {
  void ProcessElement(const Item& item, SideInput<"rates", Rate> rate, Output<std::string> out) const {
    out.Emit(item.name + Listed({*rate}));
  }
};
struct AskAll {
  void ProcessElement(const Item& item, SideInput<"rates", std::vector<Rate>> rates, Output<std::string> out) const {
    out.Emit(item.name + Listed(*rates));
  }
};
struct AskMap {
  void ProcessElement(const Item& item, SideInput<"rates", std::map<std::string, std::int64_t>> rates,
                      Output<std::string> out) const {
    std::vector<Rate> all;
    for (const auto& [key, value] : *rates) all.push_back({key, value});
    out.Emit(item.name + Listed(all));
  }
};

const WindowInto kGlobal{GlobalWindows{}};
const WindowInto kEach = WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1}});
const WindowInto kFixed{FixedWindows{seconds(10)}};

class SlowSideInputsTest : public ::testing::Test {
 protected:
  void Main(const std::string& name, std::int64_t at = 1) { stream_.Add({false, name, 0}, At(at)); }
  void Side(const std::string& name, std::int64_t value, std::int64_t at = 1) {
    stream_.Add({true, name, value}, At(at));
  }
  void Expect(std::vector<std::string> texts, std::source_location where = std::source_location::current()) {
    stream_.Then([this, texts = std::move(texts), where] {
      const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "expected here");
      std::vector<std::string> seen;
      for (const auto& text : seen_->Take()) seen.push_back(text.value);
      EXPECT_EQ(seen, texts);
    });
  }
  PCollection<Rate> Rates(const PCollection<Item>& all, const WindowInto& windowing) {
    return all | "Sides" >> Filter([](const Item& item) { return item.side; }) |
           "Rates" >> Map([](const Item& item) { return Rate{item.name, item.value}; }) | "SideWindow" >> windowing;
  }
  template <class Fn, class View>
  Status Ask(const PCollection<Item>& all, Fn fn, const View& view, const WindowInto& main = kGlobal) {
    seen_ = Collect(all | "Mains" >> Filter([](const Item& item) { return !item.side; }) | "MainWindow" >> main |
                    "Ask" >> ParDo(fn).WithSideInput("rates", view));
    result_ = pipeline_.Run(stream_.Options());
    return result_.status;
  }

  TestStream<Item> stream_;
  Pipeline pipeline_;
  PipelineResult result_;
  std::shared_ptr<Collection<std::string>> seen_;
};

TEST_F(SlowSideInputsTest, AReaderWaitsForTheFirstPaneAndThenSeesTheNewest) {
  Main("early");
  Expect({});
  Side("r", 1);
  Expect({"early r1"});
  Main("m");
  Main("n");
  Expect({"m r1", "n r1"});
  Side("r", 2);
  Side("r", 3);
  Main("m");
  Expect({"m r3"});
  auto all = pipeline_ | "Script" >> stream_;
  ASSERT_EQ(Ask(all, AskOne{}, AsSingleton(Rates(all, WindowInto(kEach).Discarding()))), OkStatus());
}

TEST_F(SlowSideInputsTest, ADiscardingPaneHasOnlyWhatIsNew) {
  Side("a", 1);
  Side("b", 2);
  Main("m");
  Side("c", 3);
  Main("n");  // the second pane is not full yet
  Side("d", 4);
  Main("o");
  Expect({"m a1 b2", "n a1 b2", "o c3 d4"});
  auto all = pipeline_ | "Script" >> stream_;
  const WindowInto twos = WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{2}}).Discarding();
  ASSERT_EQ(Ask(all, AskAll{}, AsIterable(Rates(all, twos))), OkStatus());
}

TEST_F(SlowSideInputsTest, AnAccumulatingPaneHasAll) {
  Side("a", 1);
  Main("m");
  Side("b", 2);
  Main("n");
  Expect({"m a1", "n a1 b2"});
  auto all = pipeline_ | "Script" >> stream_;
  ASSERT_EQ(Ask(all, AskAll{}, AsIterable(Rates(all, WindowInto(kEach).Accumulating()))), OkStatus());
}

// The usual table of newest values: an aggregation per key whose panes replace one another.
TEST_F(SlowSideInputsTest, AMapHasTheNewestPaneOfEachKey) {
  Side("a", 1);
  Side("b", 2);
  Main("m");
  Side("a", 7);
  Main("n");
  Expect({"m a1 b2", "n b2 a7"});
  auto all = pipeline_ | "Script" >> stream_;
  auto newest = Rates(all, WindowInto(kEach).Accumulating()) | "Max" >> CombinePerKey(Max{});
  ASSERT_EQ(Ask(all, AskMap{}, AsMap(newest)), OkStatus());
}

TEST_F(SlowSideInputsTest, AMapOfDiscardingPanesHasTheKeysOfTheLast) {
  Side("a", 1);
  Main("m");
  Side("b", 2);
  Main("n");
  Side("b", 3);
  Main("o");
  Expect({"m a1", "n b2", "o b3"});
  auto all = pipeline_ | "Script" >> stream_;
  ASSERT_EQ(Ask(all, AskMap{}, AsMap(Rates(all, WindowInto(kEach).Discarding()))), OkStatus());
}

TEST_F(SlowSideInputsTest, APaneMayFireByProcessingTime) {
  Side("a", 1);
  Main("m");
  Expect({});
  stream_.AdvanceProcessingTime(seconds(4));
  Side("b", 2);
  stream_.AdvanceProcessingTime(seconds(1));
  Expect({"m a1 b2"});
  Side("c", 3);
  Main("n");
  Expect({"n a1 b2"});
  stream_.AdvanceProcessingTime(seconds(5));
  Main("o");
  Expect({"o a1 b2 c3"});
  auto all = pipeline_ | "Script" >> stream_;
  const WindowInto delayed =
      WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterProcessingTime{seconds(5)}}).Accumulating();
  ASSERT_EQ(Ask(all, AskAll{}, AsIterable(Rates(all, delayed))), OkStatus());
}

// Windows map as before; each window's panes replace one another, also after its end.
TEST_F(SlowSideInputsTest, AWindowIsReadyWithItsFirstPaneAndChangesUntilItExpires) {
  Side("a", 1, 2);
  Main("m", 3);
  Main("n", 13);
  Expect({"m a1"});
  Side("b", 2, 4);
  Main("m", 5);
  Expect({"m a1 b2"});
  stream_.AdvanceWatermarkTo(At(20));
  Expect({"n"});  // nothing was in [10,20)
  Side("c", 3, 6);
  Main("m", 7);
  Expect({"m a1 b2 c3"});
  stream_.AdvanceWatermarkTo(At(40));
  Side("d", 4, 6);
  Main("m", 7);
  Expect({"m a1 b2 c3"});
  auto all = pipeline_ | "Script" >> stream_;
  const WindowInto side = WindowInto(kFixed)
                              .Triggering(AfterWatermark{.early = AfterCount{1}, .late = AfterCount{1}})
                              .AllowedLateness(seconds(30))
                              .Accumulating();
  ASSERT_EQ(Ask(all, AskAll{}, AsIterable(Rates(all, side)), kFixed), OkStatus());
  EXPECT_EQ(result_.steps.at("Ask/side input rates").late_dropped, 1);
}

TEST_F(SlowSideInputsTest, ASingletonOfAccumulatingPanesHasOneElementAllTheSame) {
  Side("a", 1);
  Side("a", 2);
  auto all = pipeline_ | "Script" >> stream_;
  EXPECT_THAT(Ask(all, AskOne{}, AsSingleton(Rates(all, WindowInto(kEach).Accumulating()))).message(),
              HasSubstr("AsSingleton allows one element per window and pane"));
}

TEST_F(SlowSideInputsTest, TheDescriptionSaysSo) {
  auto rates = pipeline_ | "Rates" >> Create(std::vector<Rate>{}) | "SideWindow" >> WindowInto(kEach).Discarding();
  pipeline_ | "Mains" >> Create(std::vector<Item>{}) |
      "Ask" >> ParDo(AskAll{}).WithSideInput("rates", AsIterable(rates));
  const std::string text = pipeline_.Describe();
  EXPECT_THAT(text, HasSubstr("    its newest pane: GlobalWindows, Repeatedly(AfterCount(1)), discarding"));
  EXPECT_THAT(text,
              HasSubstr("\n  Ask: which pane of the side input rates an element meets depends on when it comes\n"));
}

TEST_F(SlowSideInputsTest, InBatchModeThereIsOnePaneWithAll) {
  auto rates = pipeline_ | "Rates" >> Create(std::vector<Rate>{{"a", 1}, {"b", 2}, {"c", 3}}) |
               "SideWindow" >> WindowInto(kEach).Accumulating();
  auto mains = pipeline_ | "Mains" >> Create(std::vector<Item>{{false, "m", 0}, {false, "n", 0}});
  seen_ = Collect(mains | "Ask" >> ParDo(AskAll{}).WithSideInput("rates", AsIterable(rates)));
  RunOptions options;
  options.threads = 2;
  ASSERT_EQ(pipeline_.Run(options).status, OkStatus());
  EXPECT_THAT(seen_->values(), ::testing::UnorderedElementsAre("m a1 b2 c3", "n a1 b2 c3"));
}

}  // namespace
}  // namespace millrace::testing
