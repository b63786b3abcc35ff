// How transforms are applied and what labels they get, in every spelling.
#include "millrace/detail/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/millrace.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A user's composites: no base class.
struct Double {
  PCollection<std::int64_t> Expand(const PCollection<std::int64_t>& in) const {
    return in | "Twice" >> Map([](const std::int64_t& n) { return 2 * n; });
  }
};
template <class T>
struct Largest {
  auto Expand(const PCollection<T>& in) const { return in | "Max" >> CombineGlobally(Max{}); }
};
struct Parts {
  auto Expand(const PCollection<std::int64_t>& in) const {
    auto even = in | "Even" >> Filter([](const std::int64_t& n) { return n % 2 == 0; });
    auto text = in | "Text" >> Map([](const std::int64_t& n) { return std::to_string(n); });
    return std::tuple(even, text);
  }
};
struct FourTimes {
  auto Expand(const PCollection<std::int64_t>& in) const {
    return in.Apply("First", Double{}) | Named("Second", Double{});
  }
};
struct Numbers {
  std::vector<std::int64_t> numbers;
  auto Expand(Pipeline& pipeline) const { return pipeline | "Values" >> Create(numbers) | Named("Doubled", Double{}); }
};
struct Store {
  void Expand(const PCollection<std::int64_t>& in) const {
    in | "Pair" >> WithKeys([](const std::int64_t& n) { return n; }) | View("numbers");
  }
};

class GraphTest : public ::testing::Test {
 protected:
  PCollection<std::int64_t> Input() { return pipeline_ | "In" >> Create(std::vector<std::int64_t>{1, 2}); }
  // Without the dead letters of the read.
  std::vector<std::string> Labels() const {
    std::vector<std::string> labels;
    for (const detail::Transform& transform : pipeline_.graph().transforms()) {
      if (std::holds_alternative<detail::DeadLettersPayload>(transform.payload)) continue;
      labels.push_back(transform.label);
    }
    return labels;
  }
  Pipeline pipeline_;
};

TEST_F(GraphTest, ALabelBeforeATransform) {
  Input() | "Positive" >> Filter([](const std::int64_t& n) { return n > 0; });
  const std::string name = "Named at run time";
  Input() | name >> Filter([](const std::int64_t& n) { return n > 0; });
  EXPECT_THAT(Labels(), ElementsAre("In", "Positive", "In_2", "Named at run time"));
}

TEST_F(GraphTest, WithoutALabelTheTransformNamesItself) {
  auto in = Input();
  in | Map([](const std::int64_t& n) { return n; }) | Map([](const std::int64_t& n) { return n; });
  in | Double{};
  in | CombineGlobally(Sum{});
  EXPECT_THAT(Labels(), ElementsAre("In", "Map", "Map_2", "Double/Twice", "CombineGlobally"));
  EXPECT_THAT(pipeline_.graph().mistakes(), IsEmpty());
}

TEST_F(GraphTest, ACompositeInEachSpelling) {
  auto in = Input();
  auto a = in | Double{};
  auto b = in | Named("EU", Double{});
  auto c = in.Apply("US", Double{});
  const Largest<std::int64_t> largest;
  auto d = in | Named("Largest of all", largest);
  static_assert(std::is_same_v<decltype(a), PCollection<std::int64_t>>);
  static_assert(std::is_same_v<decltype(b), decltype(c)>);
  static_assert(std::is_same_v<decltype(d), PCollection<std::int64_t>>);
  EXPECT_THAT(Labels(), ElementsAre("In", "Double/Twice", "EU/Twice", "US/Twice", "Largest of all/Max"));
}

TEST_F(GraphTest, ACompositeOfComposites) {
  Input() | Named("Four", FourTimes{});
  EXPECT_THAT(Labels(), ElementsAre("In", "Four/First/Twice", "Four/Second/Twice"));
}

TEST_F(GraphTest, ACompositeGivesATuple) {
  auto [even, text] = Input() | Named("Parts", Parts{});
  static_assert(std::is_same_v<decltype(even), PCollection<std::int64_t>>);
  static_assert(std::is_same_v<decltype(text), PCollection<std::string>>);
  EXPECT_THAT(Labels(), ElementsAre("In", "Parts/Even", "Parts/Text"));
}

TEST_F(GraphTest, ACompositeAtTheRoot) {
  auto a = pipeline_ | Named("A", Numbers{{1}});
  auto b = pipeline_.Apply("B", Numbers{{2}});
  auto c = pipeline_ | Numbers{{3}};
  static_assert(std::is_same_v<decltype(a), PCollection<std::int64_t>>);
  static_assert(std::is_same_v<decltype(b), decltype(c)>);
  EXPECT_THAT(Labels(), ElementsAre("A/Values", "A/Doubled/Twice", "B/Values", "B/Doubled/Twice", "Numbers/Values",
                                    "Numbers/Doubled/Twice"));
}

TEST_F(GraphTest, ACompositeThatGivesNothing) {
  Input() | Named("Store", Store{});
  EXPECT_THAT(Labels(), ElementsAre("In", "Store/Pair", "Store/View(numbers)"));
}

TEST_F(GraphTest, ALabelMayRepeatInAnotherComposite) {
  auto in = Input();
  in | Named("A", Double{});
  in | Named("B", Double{});
  EXPECT_THAT(pipeline_.graph().mistakes(), IsEmpty());
  in | Named("A", Double{});
  EXPECT_THAT(pipeline_.graph().mistakes(), ElementsAre("A: this label is used twice; state is found by its label, so "
                                                        "give each transform one of its own"));
}

TEST_F(GraphTest, ALabelCountsOnlyIfEveryLevelHasOne) {
  auto in = Input();
  in | Double{};
  in | Named("Labelled", Double{});
  const auto& transforms = pipeline_.graph().transforms();
  EXPECT_FALSE(transforms[transforms.size() - 2].label_given);
  EXPECT_TRUE(transforms.back().label_given);
}

TEST_F(GraphTest, OutputsInheritWindowing) {
  auto windowed = Input() | "Hours" >> WindowInto(FixedWindows{std::chrono::hours(1)});
  auto mapped = windowed | "Map" >> Map([](const std::int64_t& n) { return n; });
  EXPECT_EQ(mapped.windowing().window_fn, WindowFn(FixedWindows{std::chrono::hours(1)}));
}

}  // namespace
}  // namespace millrace
