#include "millrace/core/coder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/test_settings.h"
#include "model/schema_samples.h"

namespace millrace {
namespace {

using model::Address;
using model::Color;
using model::Everything;
using testing::HasSubstr;

using Bytes = std::vector<std::byte>;
using namespace std::string_literals;

Bytes BytesOf(std::string_view text) {
  Bytes bytes;
  for (char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

/// Both ways.
template <class T>
void ExpectCoded(const T& value, const std::string& bytes) {
  EXPECT_EQ(Encode(value), bytes);
  StatusOr<T> decoded = Decode<T>(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, value);
}

template <class T>
std::string ErrorOf(const std::string& bytes) {
  StatusOr<T> result = Decode<T>(bytes);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kDataLoss);
  return result.status().message();
}

// The facts below (bytes and the value they mean, nested context) are those of Beam's standard_coders.yaml.

TEST(BeamCoders, BytesAndText) {
  ExpectCoded(BytesOf("abc"),
              "\x03"
              "abc"s);
  ExpectCoded(BytesOf("ab\0c"s),
              "\x04"
              "ab\0c"s);
  ExpectCoded("abc"s,
              "\x03"
              "abc"s);
  ExpectCoded("\u00ff"s, "\x02\xc3\xbf"s);
  ExpectCoded("\u5149\u7ebf"s, "\x06\xe5\x85\x89\xe7\xba\xbf"s);
  ExpectCoded(std::string(200, 'x'), "\xc8\x01" + std::string(200, 'x'));
}

TEST(BeamCoders, BoolAndVarint) {
  ExpectCoded(false, "\0"s);
  ExpectCoded(true, "\x01"s);
  ExpectCoded(std::int64_t{0}, "\0"s);
  ExpectCoded(std::int64_t{1}, "\x01"s);
  ExpectCoded(std::int64_t{10}, "\n"s);
  ExpectCoded(std::int64_t{200}, "\xc8\x01"s);
  ExpectCoded(std::int64_t{1000}, "\xe8\x07"s);
  ExpectCoded(std::int64_t{9001}, "\xa9\x46"s);
  ExpectCoded(std::int64_t{-1}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s);
  ExpectCoded(std::int32_t{-1}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s);
  ExpectCoded(std::uint8_t{200}, "\xc8\x01"s);
  ExpectCoded(Color::kBlue, "\x02"s);
}

TEST(BeamCoders, Double) {
  ExpectCoded(0.0, "\0\0\0\0\0\0\0\0"s);
  ExpectCoded(0.1, "\x3f\xb9\x99\x99\x99\x99\x99\x9a"s);
  ExpectCoded(-0.1, "\xbf\xb9\x99\x99\x99\x99\x99\x9a"s);
  ExpectCoded(4.9e-324, "\0\0\0\0\0\0\0\x01"s);
  ExpectCoded(1.390671161567e-309, "\0\x01\0\0\0\0\0\0"s);
  ExpectCoded(1.7976931348623157e308, "\x7f\xef\xff\xff\xff\xff\xff\xff"s);
  ExpectCoded(std::numeric_limits<double>::infinity(), "\x7f\xf0\0\0\0\0\0\0"s);
  ExpectCoded(-std::numeric_limits<double>::infinity(), "\xff\xf0\0\0\0\0\0\0"s);
  EXPECT_EQ(Encode(-0.0), "\x80\0\0\0\0\0\0\0"s);
  EXPECT_TRUE(std::signbit(*Decode<double>("\x80\0\0\0\0\0\0\0"s)));
  EXPECT_EQ(Encode(std::numeric_limits<double>::quiet_NaN()), "\x7f\xf8\0\0\0\0\0\0"s);
}

TEST(BeamCoders, KvAndIterable) {
  ExpectCoded(KV<Bytes, std::int64_t>{BytesOf("abc"), 0},
              "\x03"
              "abc\0"s);
  ExpectCoded(KV<Bytes, std::int64_t>{BytesOf("ab\0c"s), 10},
              "\x04"
              "ab\0c\n"s);
  ExpectCoded(KV<Bytes, Bytes>{BytesOf("ab\0c"s), BytesOf("de\0f"s)},
              "\x04"
              "ab\0c\x04"
              "de\0f"s);
  ExpectCoded(KV<Bytes, bool>{BytesOf("abc"), true},
              "\x03"
              "abc\x01"s);
  ExpectCoded(std::vector<std::int64_t>{}, "\0\0\0\0"s);
  ExpectCoded(std::vector<std::int64_t>{1, 10, 200, 1000}, "\0\0\0\x04\x01\n\xc8\x01\xe8\x07"s);
  ExpectCoded(std::vector<Bytes>{BytesOf("ab\0c"s), BytesOf("de\0f"s)},
              "\0\0\0\x02\x04"
              "ab\0c\x04"
              "de\0f"s);
  // Of a length that the writer did not know: decoded only.
  EXPECT_EQ(*Decode<std::vector<Bytes>>("\xff\xff\xff\xff\0"s), std::vector<Bytes>{});
  EXPECT_EQ(*Decode<std::vector<Bytes>>("\xff\xff\xff\xff\x02\x04"
                                        "ab\0c\x04"
                                        "de\0f\0"s),
            (std::vector<Bytes>{BytesOf("ab\0c"s), BytesOf("de\0f"s)}));
}

TEST(BeamCoders, IntervalWindow) {
  struct Example {
    const char* name;
    std::int64_t end_ms, span_ms;
    std::string bytes;
  };
  const Example examples[] = {
      {"hour", 1454293425000, 3600000, "\x80\0\x01\x52\x9a\xa4\x9b\x68\x80\xdd\xdb\x01"s},
      {"month", 1456881825000, 2592000000, "\x80\0\x01\x53\x34\xec\x74\xe8\x80\x90\xfb\xd3\x09"s},
      {"first", -9223372036854410, 365, "\x7f\xdf\x3b\x64\x5a\x1c\xad\x76\xed\x02"s},
      {"last", 9223372036854775, 0, "\x80\x20\xc4\x9b\xa5\xe3\x53\xf7\0"s},
  };
  for (const Example& example : examples) {
    SCOPED_TRACE(example.name);
    const Timestamp end = Timestamp::FromMillis(example.end_ms);
    const Timestamp start = Timestamp::FromMillis(example.end_ms - example.span_ms);
    std::string bytes;
    EncodeIntervalWindow(start, end, &bytes);
    EXPECT_EQ(bytes, example.bytes);
    std::string_view in = example.bytes;
    Timestamp decoded_start, decoded_end;
    ASSERT_EQ(DecodeIntervalWindow(&in, &decoded_start, &decoded_end), OkStatus());
    EXPECT_EQ(decoded_start, start);
    EXPECT_EQ(decoded_end, end);
    EXPECT_TRUE(in.empty());
  }
  std::string instant;
  EncodeInstant(Timestamp::FromMillis(-400000), &instant);  // the time of one of the windowed values
  EXPECT_EQ(instant, "\x7f\xff\xff\xff\xff\xf9\xe5\x80"s);
  Timestamp start, end;
  for (const std::string& bad :
       {"\x80\0\0"s, "\x80\0\0\0\0\0\0\0"s, "\xff\0\0\0\0\0\0\0\0"s, "\x7f\xdf\x3b\x64\x5a\x1c\xad\x76\xee\x02"s}) {
    std::string_view in = bad;
    EXPECT_EQ(DecodeIntervalWindow(&in, &start, &end).code(), StatusCode::kDataLoss);
    EXPECT_EQ(in, bad);
  }
}

struct Plain {
  std::string str;
  std::int32_t i32 = 0;
  double f64 = 0;
  std::vector<std::string> arr;
  friend bool operator==(const Plain&, const Plain&) = default;
};
struct Nullable {
  std::optional<std::string> str;
  std::optional<std::int32_t> i32;
  std::optional<double> f64;
  friend bool operator==(const Nullable&, const Nullable&) = default;
};
struct WithBytes {
  bool f_bool = false;
  std::optional<Bytes> f_bytes;
  friend bool operator==(const WithBytes&, const WithBytes&) = default;
};
struct WithMap {
  std::map<std::string, std::optional<std::int64_t>> f_map;
  friend bool operator==(const WithMap&, const WithMap&) = default;
};

TEST(BeamCoders, Row) {
  ExpectCoded(Plain{"foo", 9001, 0.1, {"foo", "bar", "baz"}},
              "\x04\0\x03"
              "foo\xa9\x46\x3f\xb9\x99\x99\x99\x99\x99\x9a\0\0\0\x03\x03"
              "foo\x03"
              "bar\x03"
              "baz"s);
  ExpectCoded(Nullable{}, "\x03\x01\x07"s);
  ExpectCoded(Nullable{"foo", 9001, std::nullopt},
              "\x03\x01\x04\x03"
              "foo\xa9\x46"s);
  ExpectCoded(Nullable{"foo", 9001, 0.1},
              "\x03\0\x03"
              "foo\xa9\x46\x3f\xb9\x99\x99\x99\x99\x99\x9a"s);
  ExpectCoded(WithBytes{true, std::nullopt}, "\x02\x01\x02\x01"s);
  ExpectCoded(WithBytes{false, BytesOf("ab\0c"s)},
              "\x02\0\0\x04"
              "ab\0c"s);
  ExpectCoded(WithMap{}, "\x01\0\0\0\0\0"s);
  // Beam's own example has the entries in the other order, which is free.
  EXPECT_EQ(*Decode<WithMap>("\x01\0\0\0\0\x02\x03"
                             "foo\x01\xa9"
                             "F\x03"
                             "bar\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f"s),
            (WithMap{{{"foo", 9001}, {"bar", std::numeric_limits<std::int64_t>::max()}}}));
  ExpectCoded(WithMap{{{"null!", std::nullopt}, {"is", std::nullopt}}}, "\x01\0\0\0\0\x02\x02is\0\x05null!\0"s);
}

// What Beam's file has no example of; the layouts are in docs/formats/coders.md.
TEST(Coders, FieldsOfOtherKinds) {
  struct Small {
    std::int8_t int8 = -1;
    std::int16_t int16 = -2;
    std::int32_t int32 = -1;
    std::uint8_t uint8 = 200;
    std::uint16_t uint16 = 300;
    float real = 1.5;
    Color color = Color::kBlue;
    auto operator<=>(const Small&) const = default;
  };
  ExpectCoded(Small{}, "\x07\0\xff\xff\xfe\xff\xff\xff\xff\x0f\0\xc8\xac\x02\x3f\xc0\0\0\0\x02"s);
  struct Times {
    Timestamp at;
    Duration span{};
    auto operator<=>(const Times&) const = default;
  };
  // beam:logical_type:micros_instant:v1 is a row of seconds and micros.
  ExpectCoded(Times{Timestamp::FromMicros(9'001'000'200), Duration(10)}, "\x02\0\x02\0\xa9\x46\xc8\x01\n"s);
  ExpectCoded(Times{Timestamp::FromMicros(-1), Duration(0)},
              "\x02\0\x02\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xbf\x84\x3d\0"s);
  ExpectCoded(std::optional<std::int64_t>{}, "\0"s);
  ExpectCoded(std::optional<std::int64_t>{200}, "\x01\xc8\x01"s);
  for (Timestamp time : {Timestamp::Min(), Timestamp::Max()}) EXPECT_EQ(*Decode<Timestamp>(Encode(time)), time);
}

TEST(Coders, ARowOfFewerFieldsHasNullsBehind) {
  EXPECT_EQ(*Decode<Nullable>("\x01\0\x03"
                              "foo"s),
            (Nullable{"foo", std::nullopt, std::nullopt}));
  EXPECT_EQ(
      ErrorOf<Plain>("\x01\0\x03"
                     "foo"s),
      "encoded value: field \"i32\": it is null or missing; make the field a std::optional if it may be (byte 6)");
  EXPECT_EQ(ErrorOf<Nullable>("\x04\0\x03"
                              "foo"s),
            "encoded value: a row has 4 fields, Nullable has 3 (byte 1)");
}

TEST(Coders, MistakesNameFieldAndOffset) {
  EXPECT_EQ(ErrorOf<bool>("\x02"s), "encoded value: a boolean is neither 0 nor 1 (byte 0)");
  EXPECT_EQ(ErrorOf<std::int64_t>("\xff"s), "encoded value: a varint is cut off or too long (byte 0)");
  EXPECT_EQ(ErrorOf<std::int8_t>("\xc8\x01"s), "encoded value: the number 200 is out of range (byte 2)");
  EXPECT_EQ(ErrorOf<std::string>("\x05"
                                 "abc"s),
            "encoded value: 5 bytes are needed, 3 are left (byte 1)");
  EXPECT_EQ(ErrorOf<std::vector<std::int64_t>>("\x7f\xff\xff\xff"s),
            "encoded value: a list of 2147483647 elements does not fit into what is left (byte 4)");
  EXPECT_EQ(ErrorOf<Plain>("\x04\0\x03"
                           "foo\xa9\x46\x3f\xb9\x99\x99\x99\x99\x99\x9a\0\0\0\x02\x03"
                           "foo\x09"
                           "b"s),
            "encoded value: field \"arr[1]\": 9 bytes are needed, 1 are left (byte 25)");
  EXPECT_EQ(ErrorOf<std::int64_t>("\x01\x02"s), "1 bytes are left over behind the value");
}

TEST(Coders, MapsAreWrittenInTheOrderOfTheirKeys) {
  std::unordered_map<std::string, std::int64_t> forwards, backwards;
  for (int i = 0; i < 100; ++i) forwards[std::to_string(i)] = i;
  for (int i = 99; i >= 0; --i) backwards[std::to_string(i)] = i;
  const std::map<std::string, std::int64_t> ordered(forwards.begin(), forwards.end());
  EXPECT_EQ(Encode(forwards), Encode(backwards));
  EXPECT_EQ(Encode(forwards), Encode(ordered));
}

TEST(Coders, DeterministicAreAllButFloatingNumbers) {
  std::string why;
  EXPECT_TRUE(IsDeterministic(TypeOf<std::string>()));
  EXPECT_TRUE((IsDeterministic(TypeOf<std::unordered_map<std::string, Address>>())));
  EXPECT_FALSE(IsDeterministic(TypeOf<KV<std::string, std::vector<Plain>>>(), &why));
  EXPECT_THAT(why, HasSubstr("field \"value.f64\" is a double"));
  EXPECT_FALSE(IsDeterministic(TypeOf<float>(), &why));
}

TEST(Coders, UrnsAndDescriptions) {
  EXPECT_EQ(Coder<std::int32_t>::Urn(), "beam:coder:varint:v1");
  EXPECT_EQ(Coder<Color>::Urn(), "beam:coder:varint:v1");
  EXPECT_EQ(DescribeCoder(TypeOf<KV<std::string, std::vector<Address>>>()),
            "beam:coder:kv:v1<beam:coder:string_utf8:v1, beam:coder:iterable:v1<beam:coder:row:v1{street: string, "
            "number: optional<int32>}>>");
  EXPECT_EQ(DescribeCoder(TypeOf<std::optional<Timestamp>>()),
            "beam:coder:nullable:v1<millrace:coder:field:v1<timestamp>>");
}

TEST(Coders, RandomValuesComeBackAndStandBehindEachOther) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = base::TestRounds(2000, 100000); round > 0; --round) {
    const Everything first = random.Make<Everything>();
    const auto second = random.Make<KV<std::vector<Address>, std::optional<std::int16_t>>>();
    std::string bytes;
    Coder<Everything>::Encode(first, &bytes);
    Coder<std::remove_const_t<decltype(second)>>::Encode(second, &bytes);
    std::string_view in = bytes;
    Everything first_back;
    std::remove_const_t<decltype(second)> second_back;
    ASSERT_EQ(Coder<Everything>::Decode(&in, &first_back), OkStatus());
    ASSERT_EQ(Coder<std::remove_const_t<decltype(second)>>::Decode(&in, &second_back), OkStatus());
    ASSERT_EQ(first_back, first);
    ASSERT_EQ(second_back, second);
    ASSERT_TRUE(in.empty());
  }
}

TEST(Coders, DamagedBytesAreAnErrorAndNeverACrash) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = base::TestRounds(200, 5000); round > 0; --round) {
    const std::string bytes = Encode(random.Make<Everything>());
    for (int cut = 0; cut < 10; ++cut) {  // a copy of that very size, so that AddressSanitizer sees a read behind it
      const std::vector<char> part(bytes.begin(),
                                   bytes.begin() + static_cast<std::ptrdiff_t>(random.Below(bytes.size())));
      StatusOr<Everything> result = Decode<Everything>({part.data(), part.size()});
      ASSERT_FALSE(result.ok());
      EXPECT_THAT(result.status().message(), HasSubstr("(byte "));
    }
    for (int flip = 0; flip < 20; ++flip) {
      std::vector<char> damaged(bytes.begin(), bytes.end());
      const std::size_t at = random.Below(damaged.size());
      damaged[at] = static_cast<char>(damaged[at] ^ 1 << random.Below(8));
      StatusOr<Everything> result = Decode<Everything>({damaged.data(), damaged.size()});
      if (!result.ok()) continue;
      const std::string again = Encode(*result);
      StatusOr<Everything> twice = Decode<Everything>(again);
      ASSERT_TRUE(twice.ok()) << twice.status();
      EXPECT_EQ(Encode(*twice), again);
    }
  }
}

}  // namespace
}  // namespace millrace
