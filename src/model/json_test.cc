#include "millrace/core/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/test_settings.h"
#include "model/schema_samples.h"

namespace millrace {
namespace {

using model::Address;
using model::Color;
using model::Everything;
using testing::ElementsAre;
using testing::HasSubstr;

struct Flight {
  std::int64_t id = 0;
  std::string at;
  std::int32_t delay = 0;
  std::optional<std::string> origin;

  friend bool operator==(const Flight&, const Flight&) = default;
};

template <class T>
T Parsed(std::string_view text) {
  StatusOr<T> result = json::Parse<T>(text);
  EXPECT_TRUE(result.ok()) << text << "\n" << result.status();
  return result.ok() ? *result : T{};
}

template <class T>
std::string ErrorOf(std::string_view text) {
  StatusOr<T> result = json::Parse<T>(text);
  EXPECT_FALSE(result.ok()) << text;
  EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
  return result.status().message();
}

TEST(Json, ReadsAFlatObjectInAnyOrder) {
  const Flight flight{7, "2001-01-01", -5, "SFO"};
  EXPECT_EQ(Parsed<Flight>(R"({"id":7,"at":"2001-01-01","delay":-5,"origin":"SFO"})"), flight);
  EXPECT_EQ(Parsed<Flight>(" { \"origin\" : \"SFO\" ,\n\"delay\":-5,\t\"at\":\"2001-01-01\",\r\n\"id\":7 } "), flight);
  EXPECT_EQ(Parsed<Flight>(R"({"\u0069d":7,"at":"2001-01-01","delay":-5,"origin":"S\u0046O"})"), flight);
}

TEST(Json, MembersThatTheStructDoesNotHaveAreCheckedAndIgnored) {
  EXPECT_EQ(Parsed<Flight>(R"({"x":{"y":[1,-2.5e3,true,false,null,"\n",{}]},"id":1,"at":"","idx":"","delay":2})"),
            (Flight{1, "", 2, std::nullopt}));
  EXPECT_EQ(ErrorOf<Flight>(R"({"x":[1,{"y":tru}],"id":1,"at":"","delay":2})"),
            "JSON: expected a value, found 't' (byte 13)");
  const std::string deep(300, '[');
  EXPECT_THAT(ErrorOf<Flight>("{\"x\":" + deep), HasSubstr("nested more than 256 deep"));
}

TEST(Json, AMissingFieldIsAnErrorUnlessItIsOptional) {
  EXPECT_EQ(Parsed<Flight>(R"({"id":1,"at":"a","delay":2})").origin, std::nullopt);
  EXPECT_EQ(ErrorOf<Flight>(R"({"id":1,"at":"a"})"),
            "JSON: field \"delay\": it is missing; make the field a std::optional if it may be (byte 17)");
  EXPECT_EQ(ErrorOf<Flight>(R"({"id":1,"at":null,"delay":2})"),
            "JSON: field \"at\": expected a string, found null (byte 13)");
  Flight reused{1, "x", 2, "old"};
  EXPECT_TRUE(json::ParseInto(R"({"id":1,"at":"a","delay":2})", &reused).ok());
  EXPECT_EQ(reused.origin, std::nullopt);
}

TEST(Json, MistakesNamePathAndOffset) {
  EXPECT_EQ(ErrorOf<Flight>(R"({"id":1.5})"),
            "JSON: field \"id\": 1.5 is no integer; make the field a double if fractions are meant (byte 6)");
  EXPECT_THAT(ErrorOf<Flight>(R"({"id":1e3})"), HasSubstr("1e3 is no integer"));
  EXPECT_EQ(ErrorOf<Flight>(R"({"id":"7"})"), "JSON: field \"id\": expected an integer, found a string (byte 6)");
  EXPECT_EQ(ErrorOf<Flight>(R"({"id":1,"id":2})"), "JSON: field \"id\": it occurs twice (byte 13)");
  EXPECT_EQ(ErrorOf<Flight>(R"([])"), "JSON: expected an object, found an array (byte 0)");
  EXPECT_EQ(ErrorOf<Flight>(""), "JSON: expected an object, found the end of the text (byte 0)");
  EXPECT_EQ(ErrorOf<int>("1 2"), "JSON: more text follows the value (byte 2)");
  EXPECT_EQ(ErrorOf<int>("01"), "JSON: a number begins with a zero that it does not need (byte 1)");
  EXPECT_EQ(ErrorOf<int>("-"), "JSON: expected a digit, found the end of the text (byte 1)");
  EXPECT_EQ(ErrorOf<std::vector<int>>("[1,]"), "JSON: field \"[1]\": expected an integer, found ']' (byte 3)");
  EXPECT_EQ(ErrorOf<std::vector<int>>("[1 2]"), "JSON: expected a comma or ], found a number (byte 3)");
  using Nested = std::map<std::string, std::vector<Address>>;
  EXPECT_EQ(ErrorOf<Nested>(R"({"a":[],"b":[{"street":"x"},{"street":3}]})"),
            "JSON: field \"[\"b\"][1].street\": expected a string, found a number (byte 38)");
  EXPECT_EQ(ErrorOf<Nested>(R"({"a":[],"a":[]})"), "JSON: the map has the key \"a\" twice (byte 12)");
}

TEST(Json, IntegersMustFit) {
  EXPECT_EQ(Parsed<std::int8_t>("-128"), -128);
  EXPECT_EQ(ErrorOf<std::int8_t>("128"), "JSON: 128 is out of the range -128 to 127 (byte 0)");
  EXPECT_EQ(Parsed<std::int32_t>("2147483647"), 2147483647);
  EXPECT_THAT(ErrorOf<std::int32_t>("2147483648"), HasSubstr("out of the range"));
  EXPECT_EQ(Parsed<std::int64_t>("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_THAT(ErrorOf<std::int64_t>("9223372036854775808"), HasSubstr("out of the range"));
  EXPECT_EQ(Parsed<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(json::Parse<std::uint32_t>("-1").ok());
  EXPECT_EQ(Parsed<std::int32_t>("-0"), 0);
}

TEST(Json, FloatingNumbers) {
  EXPECT_EQ(Parsed<double>("0.1"), 0.1);
  EXPECT_EQ(Parsed<double>("-1E-2"), -0.01);
  EXPECT_EQ(Parsed<double>("1e-400"), 0.0);
  EXPECT_EQ(Parsed<double>("4.9e-324"), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(ErrorOf<double>("1e400"), "JSON: 1e400 is out of the range of a double (byte 0)");
  EXPECT_EQ(ErrorOf<float>("1e39"), "JSON: 1e39 is out of the range of a float (byte 0)");
  EXPECT_TRUE(std::isnan(Parsed<double>("\"NaN\"")));
  EXPECT_EQ(Parsed<float>("\"-Infinity\""), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(ErrorOf<double>("\"1.5\""), "JSON: expected a number, found a string (byte 0)");
  EXPECT_FALSE(json::Parse<double>("NaN").ok());
  EXPECT_FALSE(json::Parse<double>("1.").ok());
  EXPECT_FALSE(json::Parse<double>(".5").ok());
  EXPECT_FALSE(json::Parse<double>("0x10").ok());
  EXPECT_FALSE(json::Parse<double>("+1").ok());
  EXPECT_EQ(json::Write(0.1), "0.1");
  EXPECT_EQ(json::Write(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(json::Write(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

TEST(Json, Strings) {
  EXPECT_EQ(Parsed<std::string>(R"("\"\\\/\b\f\n\r\t\u20AC\ud83c\udf0a")"), "\"\\/\b\f\n\r\t\u20ac\U0001F30A");
  EXPECT_EQ(Parsed<std::string>("\"0123456789abcdef\u00fcxyz\""), "0123456789abcdef\u00fcxyz");
  EXPECT_EQ(Parsed<std::string>(R"("a\u0000b")"), std::string("a\0b", 3));
  EXPECT_EQ(ErrorOf<std::string>("\"abc"), "JSON: the text ends within a string (byte 4)");
  EXPECT_EQ(ErrorOf<std::string>("\"a\nb\""), "JSON: a control character stands unescaped in a string (byte 2)");
  EXPECT_EQ(ErrorOf<std::string>(R"("\x41")"), "JSON: a backslash is followed by no escape of JSON (byte 1)");
  EXPECT_THAT(ErrorOf<std::string>(R"("\ud83c")"), HasSubstr("surrogate"));
  EXPECT_THAT(ErrorOf<std::string>(R"("\udf0a")"), HasSubstr("surrogate"));
  EXPECT_THAT(ErrorOf<std::string>(R"("\ud83c\u0041")"), HasSubstr("surrogate"));
  EXPECT_THAT(ErrorOf<std::string>(R"("\u00g0")"), HasSubstr("hexadecimal"));
  // Stray, overlong, surrogate, too high, cut off.
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff"}) {
    EXPECT_EQ(ErrorOf<std::string>("\"abcdefghij" + std::string(bad) + "\""),
              "JSON: the string is not valid UTF-8 (byte 11)");
  }
  EXPECT_EQ(json::Write(std::string("a\"\\\n\x01/\u20ac\xff.")), "\"a\\\"\\\\\\n\\u0001/\u20ac\xEF\xBF\xBD.\"");
}

TEST(Json, TimesEnumsBytes) {
  EXPECT_EQ(Parsed<Timestamp>("\"2001-01-01T12:30:00.25Z\"").ToString(), "2001-01-01T12:30:00.25Z");
  EXPECT_EQ(json::Write(Timestamp::FromMillis(250)), "\"1970-01-01T00:00:00.25Z\"");
  EXPECT_EQ(ErrorOf<Timestamp>("978352200"), "JSON: expected a string, found a number (byte 0)");
  EXPECT_THAT(ErrorOf<Timestamp>("\"yesterday\""), HasSubstr("yesterday"));
  EXPECT_EQ(Parsed<Duration>("\"1h30m\""), std::chrono::minutes(90));
  EXPECT_EQ(json::Write(Duration(1500)), "\"1ms500us\"");
  EXPECT_EQ(Parsed<Color>("2"), Color::kBlue);
  EXPECT_EQ(ErrorOf<Color>("256"), "JSON: 256 is out of the range 0 to 255 (byte 0)");
  EXPECT_EQ(json::Write(Color::kGreen), "1");

  using Bytes = std::vector<std::byte>;
  // The vectors of RFC 4648.
  const std::map<std::string, std::string> vectors{{"", ""},
                                                   {"f", "Zg=="},
                                                   {"fo", "Zm8="},
                                                   {"foo", "Zm9v"},
                                                   {"foob", "Zm9vYg=="},
                                                   {"fooba", "Zm9vYmE="},
                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : vectors) {
    Bytes bytes;
    for (char c : text) bytes.push_back(static_cast<std::byte>(c));
    EXPECT_EQ(json::Write(bytes), "\"" + encoded + "\"");
    EXPECT_EQ(Parsed<Bytes>("\"" + encoded + "\""), bytes);
  }
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Z===", "Zm9v=", "Zm 9", "Zm9_"}) {
    EXPECT_THAT(ErrorOf<Bytes>("\"" + std::string(bad) + "\""), HasSubstr("expected padded base64"));
  }
}

TEST(Json, MapsHaveTheirKeysAsNames) {
  EXPECT_EQ(json::Write(std::map<std::int32_t, bool>{{-1, true}, {5, false}}), R"({"-1":true,"5":false})");
  EXPECT_EQ((Parsed<std::map<std::int32_t, bool>>(R"({ "-1" : true })")), (std::map<std::int32_t, bool>{{-1, true}}));
  EXPECT_EQ((ErrorOf<std::map<std::int32_t, bool>>(R"({"x":true})")),
            "JSON: bad key: expected an integer, found x (byte 1)");
  using ByAddress = std::map<Address, int>;
  const ByAddress by_address{{{"a", std::nullopt}, 1}, {{"b", 2}, 3}};
  const std::string text =
      R"([{"key":{"street":"a","number":null},"value":1},{"key":{"street":"b","number":2},"value":3}])";
  EXPECT_EQ(json::Write(by_address), text);
  EXPECT_EQ(Parsed<ByAddress>(text), by_address);
  EXPECT_EQ(ErrorOf<ByAddress>(R"([{"key":{"street":1}}])"),
            "JSON: field \"[0].key.street\": expected a string, found a number (byte 18)");
}

TEST(Json, AStringViewIsWrittenAndNeverRead) {
  struct Tag {
    std::string_view name;
  };
  EXPECT_EQ(json::Write(Tag{"x"}), R"({"name":"x"})");
  EXPECT_THAT(ErrorOf<Tag>(R"({"name":"x"})"), HasSubstr("field \"name\": a std::string_view cannot be read into"));
}

TEST(Json, RandomValuesComeBack) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  Everything reused;
  for (std::int64_t round = base::TestRounds(2000, 100000); round > 0; --round) {
    const Everything value = random.Make<Everything>();
    const std::string text = json::Write(value);
    ASSERT_EQ(json::ParseInto(text, &reused), OkStatus()) << text;
    ASSERT_EQ(reused, value) << text;
  }
}

TEST(Json, DamagedTextIsAnErrorAndNeverACrash) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = base::TestRounds(200, 5000); round > 0; --round) {
    const std::string text = json::Write(random.Make<Everything>());
    for (int cut = 0; cut < 10; ++cut) {  // a copy of that very size, so that AddressSanitizer sees a read behind it
      const std::vector<char> part(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(random.Below(text.size())));
      EXPECT_FALSE(json::Parse<Everything>({part.data(), part.size()}).ok());
    }
    for (int flip = 0; flip < 20; ++flip) {
      std::vector<char> damaged(text.begin(), text.end());
      damaged[random.Below(damaged.size())] = static_cast<char>(random.Below(256));
      StatusOr<Everything> result = json::Parse<Everything>({damaged.data(), damaged.size()});
      if (!result.ok()) continue;
      EXPECT_EQ(Parsed<Everything>(json::Write(*result)), *result);
    }
  }
}

}  // namespace
}  // namespace millrace
