// Side inputs in time: an element waits until the side input is complete for the window that its own maps to.
#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;

/// Goes to the main input or to a side input.
struct Item {
  bool side = false;
  std::string name;
  std::int64_t value = 0;
};

struct Price {
  void ProcessElement(const Item& item, BoundedWindow window,
                      SideInput<"prices", std::map<std::string, std::int64_t>> prices, Output<std::string> out) const {
    const auto found = prices->find(item.name);
    out.Emit(item.name + " " + WindowText(window) + " " +
             (found == prices->end() ? "none" : std::to_string(found->second)));
  }
};

class SideInputsTest : public ::testing::Test {
 protected:
  void Main(const std::string& name, std::int64_t at) { stream_.Add({false, name, 0}, At(at)); }
  void Side(const std::string& name, std::int64_t value, std::int64_t at) { stream_.Add({true, name, value}, At(at)); }
  void Watermark(std::int64_t at) { stream_.AdvanceWatermarkTo(At(at)); }
  void Expect(std::vector<std::string> texts, std::source_location where = std::source_location::current()) {
    stream_.Then([this, texts = std::move(texts), where] {
      const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "expected here");
      EXPECT_THAT(Take(), ::testing::UnorderedElementsAreArray(texts));
    });
  }
  std::vector<std::string> Take() {
    std::vector<std::string> texts;
    for (const auto& text : seen_->Take()) texts.push_back(text.value);
    return texts;
  }
  void Play(const WindowInto& main, const WindowInto& side) {
    auto all = pipeline_ | "Script" >> stream_;
    auto prices =
        all | "Sides" >> Filter([](const Item& item) { return item.side; }) |
        "Pairs" >> Map([](const Item& item) { return KV<std::string, std::int64_t>{item.name, item.value}; }) |
        "SideWindow" >> side;
    auto texts = all | "Mains" >> Filter([](const Item& item) { return !item.side; }) | "MainWindow" >> main |
                 "Price" >> ParDo(Price{}).WithSideInput("prices", AsMap(prices));
    seen_ = Collect(texts);
    result_ = pipeline_.Run(stream_.Options());
    ASSERT_EQ(result_.status, OkStatus());
  }

  TestStream<Item> stream_;
  Pipeline pipeline_;
  PipelineResult result_;
  std::shared_ptr<Collection<std::string>> seen_;
};

TEST_F(SideInputsTest, AnElementWaitsForItsWindowOfTheSideInput) {
  Main("x", 1);
  Main("y", 11);
  Side("x", 100, 2);
  Expect({});
  Side("x", 200, 12);
  Side("y", 300, 13);
  Watermark(10);
  Expect({"x [0,10) 100"});
  Watermark(20);
  Expect({"y [10,20) 300"});
  Main("z", 25);
  Watermark(30);  // a window without side elements is empty once it is past
  Expect({"z [20,30) none"});
  Play(WindowInto(FixedWindows{seconds(10)}), WindowInto(FixedWindows{seconds(10)}));
}

TEST_F(SideInputsTest, AWindowMapsToTheOneThatHoldsItsLastTimestamp) {
  Side("x", 100, 2);
  Side("x", 200, 32);
  Main("x", 4);
  Main("x", 27);
  Watermark(20);
  Expect({});
  Watermark(30);
  Expect({"x [0,10) 100", "x [20,30) 100"});
  Play(WindowInto(FixedWindows{seconds(10)}), WindowInto(FixedWindows{seconds(30)}));
}

// Beam's SlidingWindows: the earliest window that contains the end of the main input's window.
TEST_F(SideInputsTest, OfSlidingWindowsTheEarliestIsTaken) {
  Side("x", 100, 1);   // [-10,10), [0,20)
  Side("y", 200, 12);  // [0,20), [10,30)
  Side("z", 300, 22);  // [10,30), [20,40)
  Main("x", 13);
  Main("y", 13);
  Main("z", 13);
  Watermark(20);  // [10,20) maps to [0,20), which is complete
  Expect({"x [10,20) 100", "y [10,20) 200", "z [10,20) none"});
  Play(WindowInto(FixedWindows{seconds(10)}), WindowInto(SlidingWindows{seconds(20), seconds(10)}));
}

TEST_F(SideInputsTest, AGlobalSideInputIsCompleteBeforeItsReadersBegin) {
  auto prices = pipeline_ | "Prices" >> Create(std::vector<KV<std::string, std::int64_t>>{{"x", 7}});
  Main("x", 1);
  Expect({"x [0,10) 7"});  // though the watermark of the script has not moved
  auto texts = pipeline_ | "Script" >> stream_ | "MainWindow" >> WindowInto(FixedWindows{seconds(10)}) |
               "Price" >> ParDo(Price{}).WithSideInput("prices", AsMap(prices));
  seen_ = Collect(texts);
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
}

TEST_F(SideInputsTest, WhatComesLateForASideInputIsDroppedAndCounted) {
  Side("x", 100, 2);
  Main("x", 1);
  Watermark(10);
  Expect({"x [0,10) 100"});
  Side("y", 200, 3);
  Watermark(11);
  Main("x", 4);
  Expect({"x [0,10) 100"});
  Main("y", 4);
  Expect({"y [0,10) none"});
  Play(WindowInto(FixedWindows{seconds(10)}), WindowInto(FixedWindows{seconds(10)}));
  std::int64_t late = 0;
  for (const auto& [label, step] : result_.steps) late += step.late_dropped;
  EXPECT_EQ(late, 1);
}

TEST_F(SideInputsTest, ALaterPaneOfAKeyReplacesItsEarlierOne) {
  auto all = pipeline_ | "Script" >> stream_.AddElements({{{true, "x", 1}, At(1)}})
                                         .AddElements({{{true, "x", 2}, At(2)}})
                                         .AddElements({{{true, "y", 5}, At(3)}})
                                         .AddElements({{{false, "x", 0}, At(4)}})
                                         .AddElements({{{false, "y", 0}, At(4)}})
                                         .AdvanceWatermarkTo(At(10));
  auto sums =
      all | "Sides" >> Filter([](const Item& item) { return item.side; }) |
      "Pairs" >> Map([](const Item& item) { return KV<std::string, std::int64_t>{item.name, item.value}; }) |
      "SideWindow" >>
          WindowInto(FixedWindows{seconds(10)}).Triggering(AfterWatermark{.early = AfterCount{1}}).Accumulating() |
      "Sum" >> CombinePerKey(Sum{});
  auto texts = all | "Mains" >> Filter([](const Item& item) { return !item.side; }) |
               "MainWindow" >> WindowInto(FixedWindows{seconds(10)}) |
               "Price" >> ParDo(Price{}).WithSideInput("prices", AsMap(sums));
  seen_ = Collect(texts);
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
  EXPECT_THAT(Take(), ::testing::UnorderedElementsAre("x [0,10) 3", "y [0,10) 5"));
}

// The watermark waits for elements that wait, so that what is computed from them is not late.
TEST_F(SideInputsTest, WhatIsComputedFromWaitingElementsIsNotLate) {
  Side("x", 1, 12);
  Main("x", 3);
  Main("x", 4);
  Watermark(12);  // the main window [0,10) is past, the side window [0,30) is not
  Watermark(30);
  auto all = pipeline_ | "Script" >> stream_;
  auto prices = all | "Sides" >> Filter([](const Item& item) { return item.side; }) |
                "Pairs" >> Map([](const Item& item) { return KV<std::string, std::int64_t>{item.name, item.value}; }) |
                "SideWindow" >> WindowInto(FixedWindows{seconds(30)});
  auto counts = all | "Mains" >> Filter([](const Item& item) { return !item.side; }) |
                "MainWindow" >> WindowInto(FixedWindows{seconds(10)}) |
                "Price" >> ParDo(Price{}).WithSideInput("prices", AsMap(prices)) | "Count" >> Count::PerElement();
  auto seen = Collect(counts);
  const PipelineResult result = pipeline_.Run(stream_.Options());
  ASSERT_EQ(result.status, OkStatus());
  ASSERT_EQ(seen->elements.size(), 1U);
  EXPECT_EQ(seen->elements[0].value, (KV<std::string, std::int64_t>{"x [0,10) 1", 2}));
  EXPECT_EQ(seen->elements[0].pane.timing, PaneInfo::Timing::kOnTime);
}

}  // namespace
}  // namespace millrace::testing
