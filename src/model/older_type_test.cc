#include "model/older_type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/coder.h"
#include "millrace/core/json.h"

namespace millrace::model {
namespace {

using testing::HasSubstr;

struct OldStop {
  std::string place;
  std::int32_t minutes = 0;
};
struct OldTrip {
  std::string id;
  std::vector<OldStop> stops;
  std::map<std::string, OldStop> by_name;
  std::optional<OldStop> last;
  OldStop first;
};

struct Stop {
  std::int64_t code = -1;
  std::string place;
  std::int32_t minutes = 0;
  std::string note = "none";
};
struct Trip {
  std::string id;
  std::vector<std::string> tags = {"new"};
  std::vector<Stop> stops;
  std::map<std::string, Stop> by_name;
  std::optional<Stop> last;
  Stop first;
  std::optional<double> price;
  bool paid = true;
};

template <class Old, class Now>
Status Readable() {
  return CheckReadable(TypeText(TypeOf<Old>()), TypeText(TypeOf<Now>()));
}

TEST(TypeText, NamesKindsAndFieldsAndNoClass) {
  EXPECT_EQ(TypeText(TypeOf<std::int64_t>()), "int64");
  EXPECT_EQ(TypeText(TypeOf<OldStop>()), "row(5:place=string;7:minutes=int32;)");
  EXPECT_EQ(TypeText(TypeOf<std::map<std::string, std::optional<double>>>()), "map<string,optional<double>>");
  EXPECT_EQ(TypeText(TypeOf<KV<std::string, OldStop>>()),
            "kv(3:key=string;5:value=row(5:place=string;7:minutes=int32;);)");
  EXPECT_EQ(TextFingerprint(TypeText(TypeOf<OldTrip>())), SchemaOf<OldTrip>().fingerprint());
}

TEST(OlderType, FieldsThatWereAddedGetTheirDefaults) {
  const OldTrip old{.id = "t",
                    .stops = {{"a", 1}, {"b", 2}},
                    .by_name = {{"x", {"c", 3}}},
                    .last = OldStop{"d", 4},
                    .first = {"e", 5}};
  const std::string bytes = Encode(old) + "rest";
  StatusOr<OlderType> older = OlderType::Make(TypeText(TypeOf<OldTrip>()), TypeOf<Trip>());
  ASSERT_TRUE(older.ok()) << older.status();
  EXPECT_FALSE(older->same());
  const OlderType moved = *std::move(older);
  Trip trip;
  std::string_view in = bytes;
  ASSERT_EQ(DecodeElement(moved.type(), &in, &trip), OkStatus());
  EXPECT_EQ(in, "rest");
  EXPECT_EQ(
      json::Write(trip),
      R"({"id":"t","tags":["new"],)"
      R"("stops":[{"code":-1,"place":"a","minutes":1,"note":"none"},{"code":-1,"place":"b","minutes":2,"note":"none"}],)"
      R"("by_name":{"x":{"code":-1,"place":"c","minutes":3,"note":"none"}},)"
      R"("last":{"code":-1,"place":"d","minutes":4,"note":"none"},)"
      R"("first":{"code":-1,"place":"e","minutes":5,"note":"none"},"price":null,"paid":true})");
}

TEST(OlderType, ReadsAValueOfAKeyedElement) {
  const std::string bytes = Encode(KV<std::string, OldStop>{"k", {"a", 1}});
  const StatusOr<OlderType> older =
      OlderType::Make(TypeText(TypeOf<KV<std::string, OldStop>>()), TypeOf<KV<std::string, Stop>>());
  ASSERT_TRUE(older.ok()) << older.status();
  KV<std::string, Stop> kv;
  std::string_view in = bytes;
  ASSERT_EQ(DecodeElement(older->type(), &in, &kv), OkStatus());
  EXPECT_EQ(kv.key, "k");
  EXPECT_EQ(kv.value.place, "a");
  EXPECT_EQ(kv.value.note, "none");
}

TEST(OlderType, TheSameTypeIsItself) {
  const StatusOr<OlderType> older = OlderType::Make(TypeText(TypeOf<Trip>()), TypeOf<Trip>());
  ASSERT_TRUE(older.ok()) << older.status();
  EXPECT_TRUE(older->same());
  EXPECT_EQ(&older->type(), &TypeOf<Trip>());
}

struct Renamed {
  std::string location;
  std::int32_t minutes = 0;
};
struct Wider {
  std::string place;
  std::int64_t minutes = 0;
};
struct Moved {
  std::int32_t minutes = 0;
  std::string place;
};
struct Nullable {
  std::string place;
  std::optional<std::int32_t> minutes;
};
enum class Small : std::uint8_t { kOne };
enum class Large : std::uint32_t { kOne };

TEST(CheckReadable, SaysWhatChanged) {
  EXPECT_EQ((Readable<OldStop, Stop>()), OkStatus());
  EXPECT_EQ((Readable<OldTrip, Trip>()), OkStatus());
  EXPECT_EQ((Readable<OldStop, Renamed>()), FailedPreconditionError("field \"place\" is gone"));
  EXPECT_EQ((Readable<Stop, OldStop>()), FailedPreconditionError("field \"code\" is gone"));
  EXPECT_EQ((Readable<OldStop, Wider>()), FailedPreconditionError("field \"minutes\" was int32 and is int64 now"));
  EXPECT_EQ((Readable<OldStop, Nullable>()),
            FailedPreconditionError("field \"minutes\" was int32 and is optional<int32> now"));
  EXPECT_EQ((Readable<OldStop, Moved>()), FailedPreconditionError("field \"minutes\" has moved before \"place\""));
  EXPECT_EQ((Readable<std::vector<OldStop>, std::vector<Wider>>()),
            FailedPreconditionError("field \"minutes\" was int32 and is int64 now"));
  EXPECT_EQ((Readable<std::int64_t, std::string>()), FailedPreconditionError("it was int64 and is string now"));
  EXPECT_EQ((Readable<Small, Large>()), FailedPreconditionError("it was enum<uint8> and is enum<uint32> now"));
  EXPECT_THAT(CheckReadable("map<row(1:a=bool;),bool>", "map<row(1:a=bool;1:b=bool;),bool>").message(),
              HasSubstr("it was map<row{a: bool}, bool> and is map<row{a: bool, b: bool}, bool> now"));
  EXPECT_THAT((Readable<KV<std::string, bool>, OldStop>()).message(), HasSubstr("it was kv{key: string, value: bool}"));
}

TEST(CheckReadable, RefusesWhatIsNoTypeText) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "list<";
  for (const std::string& text :
       {std::string(), std::string("int65"), std::string("row(3:ab=int64;)"), std::string("row(1:a=int64)"),
        std::string("list<int64"), std::string("map<int64>"), std::string("int64 "), std::string("row"),
        std::string("row(99999999999999999999:a=int64;)"), std::string("int64<int64>"), deep}) {
    EXPECT_EQ(CheckReadable(text, "int64").code(), StatusCode::kDataLoss) << text.substr(0, 50);
  }
}

}  // namespace
}  // namespace millrace::model
