// State comes back as it was written, also when its struct has gained fields since.
#include "model/state_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/detail/state_coder.h"
#include "model/schema_samples.h"

namespace millrace::detail {
namespace {

using ::testing::HasSubstr;

template <class T>
std::string Written(const T& value) {
  std::string bytes;
  AppendState(value, &bytes);
  return bytes;
}

template <class T>
T ReadBack(const T& value) {
  const std::string bytes = Written(value);
  std::string_view rest = bytes;
  T read{};
  EXPECT_TRUE(ReadState(&rest, &read));
  EXPECT_TRUE(rest.empty());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string_view cut(bytes.data(), size);
    T ignored{};
    EXPECT_FALSE(ReadState(&cut, &ignored) && cut.empty() && size < bytes.size() && Written(ignored) == bytes) << size;
  }
  return read;
}

enum class Colour : std::uint8_t { kRed, kGreen };
struct Nothing {};
struct Inner {
  std::int32_t a = 1;
  std::optional<std::string> b;
  friend bool operator==(const Inner&, const Inner&) = default;
};
struct Before {
  std::int64_t id = 0;
  std::vector<Inner> inner;
  std::map<std::string, double> weights;
  Colour colour = Colour::kRed;
  bool flag = false;
  Timestamp at;
  std::vector<std::byte> blob;
};
struct InnerAfter {
  std::string note = "none";
  std::int32_t a = 1;
  std::optional<std::string> b;
  double rate = 0.5;
};
struct After {
  std::int64_t id = 0;
  std::int64_t added = 77;
  std::vector<InnerAfter> inner;
  std::map<std::string, double> weights;
  Colour colour = Colour::kRed;
  bool flag = false;
  Timestamp at;
  std::vector<std::byte> blob;
  std::vector<std::string> tags = {"new"};
};

TEST(StateCoderTest, EveryKindComesBack) {
  EXPECT_EQ(ReadBack<std::int64_t>(-5), -5);
  EXPECT_EQ(ReadBack<std::string>(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(ReadBack(std::vector<std::string>{"x", "", "yz"}), (std::vector<std::string>{"x", "", "yz"}));
  EXPECT_EQ(ReadBack(std::vector<Nothing>(3)).size(), 3U);
  using Pair = std::pair<std::int32_t, std::string>;
  EXPECT_EQ(ReadBack(Pair{3, "c"}), (Pair{3, "c"}));
  using Choice = std::variant<std::int64_t, std::string>;
  EXPECT_EQ(ReadBack(Choice{"text"}), Choice{"text"});
  EXPECT_EQ(ReadBack(Choice{std::int64_t{4}}), Choice{std::int64_t{4}});
  using Three = std::tuple<bool, std::optional<Inner>, std::map<std::int32_t, std::string>>;
  const Three three{true, Inner{2, "b"}, {{1, "one"}}};
  EXPECT_EQ(ReadBack(three), three);
  ExactSum sum;
  for (const double part : {1e300, 1.0, -1e300, 1e-30}) sum += part;
  EXPECT_EQ(ReadBack(sum).Round(), sum.Round());
  EXPECT_EQ(ReadBack(sum).parts(), sum.parts());
}

TEST(StateCoderTest, WhatCannotBeReadBackIsNotCodable) {
  EXPECT_FALSE(StateCodable<std::string_view>());
  EXPECT_FALSE(StateCodable<const char*>());
  EXPECT_FALSE((StateCodable<std::pair<int, std::vector<std::string_view>>>()));
  EXPECT_FALSE(StateCodable<std::set<int>>());
  EXPECT_TRUE(StateCodable<Before>());
}

TEST(StateLayoutTest, LayoutsNameFieldsAndKinds) {
  EXPECT_EQ(StateLayout<Inner>(), R"({"a":int32,"b":optional<string>})");
  EXPECT_EQ((StateLayout<std::tuple<ExactSum, std::int64_t>>()), "(exact_sum,int64)");
  EXPECT_EQ((StateLayout<std::variant<Inner, bool>>()), R"([{"a":int32,"b":optional<string>},bool])");
  for (const std::string& text : {StateLayout<Before>(), StateLayout<std::variant<Inner, bool>>()}) {
    EXPECT_TRUE(model::ParseStateLayout(text).ok()) << text;
  }
}

TEST(StateLayoutTest, KeyedLayoutsAreTakenApart) {
  const std::string layout = KeyedLayout<std::pair<std::string, Inner>>("paned", StateLayout<Before>());
  const KeyedLayoutParts parts = PartsOfKeyedLayout(layout);
  EXPECT_EQ(parts.kind, "paned");
  EXPECT_EQ(parts.key, (StateLayout<std::pair<std::string, Inner>>()));
  EXPECT_EQ(parts.value, StateLayout<Before>());
  ASSERT_EQ(parts.fields.size(), 7U);
  EXPECT_EQ(parts.fields[1], (std::pair<std::string, std::string>("inner", StateLayout<std::vector<Inner>>())));
  EXPECT_EQ(PartsOfKeyedLayout("int64").key, "");
}

TEST(StateLayoutTest, TextsThatAreNoLayoutAreRefused) {
  for (const char* text : {"", "{", "{\"a\"}", "{\"a\":}", "list<", "list<int64", "int64,", "(int64", "{a:int64}"}) {
    EXPECT_FALSE(model::ParseStateLayout(text).ok()) << text;
  }
  EXPECT_FALSE(model::ParseStateLayout(std::string(100'000, '(')).ok());
}

TEST(StateLayoutTest, NewFieldsHaveTheirDefaults) {
  const Before before{.id = 5,
                      .inner = {{.a = 2, .b = "x"}, {.a = 3, .b = {}}},
                      .weights = {{"w", 0.25}},
                      .colour = Colour::kGreen,
                      .flag = true,
                      .at = Timestamp::FromSeconds(9),
                      .blob = {std::byte{1}, std::byte{255}}};
  StateDecoder<After> decoder;
  std::string why;
  ASSERT_TRUE(decoder.Open(StateLayout<Before>(), &why)) << why;
  EXPECT_EQ(LayoutProblem(StateLayout<Before>(), StateLayout<After>()), "");
  const std::string bytes = Written(before);
  std::string_view rest = bytes;
  After after;
  ASSERT_TRUE(decoder.Read(&rest, &after));
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(after.id, 5);
  EXPECT_EQ(after.added, 77);
  ASSERT_EQ(after.inner.size(), 2U);
  EXPECT_EQ(after.inner[0].note, "none");
  EXPECT_EQ(after.inner[0].b, "x");
  EXPECT_EQ(after.inner[1].rate, 0.5);
  EXPECT_EQ(after.weights.at("w"), 0.25);
  EXPECT_EQ(after.colour, Colour::kGreen);
  EXPECT_TRUE(after.flag);
  EXPECT_EQ(after.at, before.at);
  EXPECT_EQ(after.blob, before.blob);
  EXPECT_EQ(after.tags, std::vector<std::string>{"new"});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string_view cut(bytes.data(), size);
    After ignored;
    EXPECT_FALSE(decoder.Read(&cut, &ignored)) << size;
  }
}

TEST(StateLayoutTest, WhatWouldBeLostIsRefusedByName) {
  StateDecoder<Before> decoder;
  std::string why;
  EXPECT_FALSE(decoder.Open(StateLayout<After>(), &why));
  EXPECT_THAT(why, HasSubstr("field added is no longer there"));
  EXPECT_THAT(LayoutProblem(StateLayout<After>(), StateLayout<Before>()), HasSubstr("field added"));
  EXPECT_THAT(LayoutProblem(R"({"in":{"a":int32}})", R"({"in":{"a":int64}})"), HasSubstr("field in.a has changed"));
  EXPECT_THAT(LayoutProblem(R"(keyed<{"a":int32},int64>)", R"(keyed<{"a":int32,"b":bool},int64>)"),
              HasSubstr("the key"));
  EXPECT_EQ(LayoutProblem(R"(keyed<int64,{"a":bool}>)", R"(keyed<int64,{"b":bool,"a":bool}>)"), "");
  EXPECT_THAT(LayoutProblem("(int64,bool)", "(int64)"), HasSubstr("parts"));
}

TEST(StateLayoutTest, TheReaderByLayoutReadsWhatTheCompiledOneWrote) {
  StateDecoder<After> evolved;
  std::string why;
  ASSERT_TRUE(evolved.Open(StateLayout<Before>(), &why));
  base::Random random(base::TestSeed());
  for (int round = 0; round < 2'000; ++round) {
    std::string noise(random.Below(40), '\0');
    for (char& byte : noise) byte = static_cast<char>(random.Below(4) == 0 ? random.Next() : random.Below(3));
    std::string_view one = noise;
    std::string_view other = noise;
    Before before;
    After after;
    const bool read = ReadState(&one, &before);
    ASSERT_EQ(evolved.Read(&other, &after), read);
    if (read) {
      EXPECT_EQ(one.size(), other.size());
    }
  }
}

}  // namespace
}  // namespace millrace::detail
