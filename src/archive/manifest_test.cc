#include "archive/manifest.h"

#include <gtest/gtest.h>

#include <string>

#include "archive/digest.h"
#include "base/random.h"
#include "base/test_settings.h"

namespace millrace::archive {
namespace {

ArchivedRange Range(std::int32_t partition, std::int64_t from, std::int64_t to) {
  return {.path = "day=2026-11-26/partition-" + std::to_string(partition) + "-" + std::to_string(from) + "-" +
                  std::to_string(to) + "-1.parquet",
          .partition = partition,
          .from = from,
          .to = to,
          .count = to - from,
          .bytes = 100,
          .digest = DigestOf("content"),
          .least_event_time = Timestamp::FromSeconds(10),
          .greatest_event_time = Timestamp::FromSeconds(20),
          .least_publish_time = Timestamp::FromSeconds(30),
          .greatest_publish_time = Timestamp::FromSeconds(40)};
}

Manifest Sample() {
  Manifest manifest{.topic = "flights",
                    .partitions = 3,
                    .attempt = 7,
                    .sequence = 12,
                    .written_by = "pid 1, \"a test\"",
                    .written_at = Timestamp::FromSeconds(1'700'000'000),
                    .ranges = {},
                    .superseded = {{.path = "day=2026-11-26/old.parquet", .at = Timestamp::FromSeconds(5)}}};
  manifest.Add(Range(2, 5, 9));
  manifest.Add(Range(0, 100, 200));
  manifest.Add(Range(0, 0, 100));
  ArchivedRange closed = Range(0, 200, 203);
  closed.count = 1;
  closed.controls = {{.offset = 200, .publish_time = Timestamp::FromSeconds(41), .time = Timestamp::FromSeconds(42)},
                     {.offset = 202, .publish_time = Timestamp::FromSeconds(43), .time = Timestamp::Max()}};
  manifest.Add(closed);
  return manifest;
}

std::string Written(const Manifest& manifest) {
  const StatusOr<std::string> bytes = WriteManifest(manifest);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

// The bytes with another body and a digest that fits it.
std::string WithBody(const std::string& body) { return "millrace-archive 1 " + DigestOf(body) + "\n" + body; }
std::string BodyOf(const std::string& bytes) { return bytes.substr(bytes.find('\n') + 1); }

TEST(Manifest, ReadsWhatItWrites) {
  const Manifest manifest = Sample();
  const StatusOr<Manifest> read = ParseManifest(Written(manifest));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manifest);
}

// The format: whoever changes this breaks the archives there are.
TEST(Manifest, TextIsPinned) {
  Manifest manifest{.topic = "t",
                    .partitions = 1,
                    .attempt = 1,
                    .sequence = 2,
                    .written_by = "me",
                    .written_at = Timestamp::FromSeconds(0),
                    .ranges = {},
                    .superseded = {}};
  manifest.Add({.partition = 0,
                .from = 0,
                .to = 1,
                .controls = {{.offset = 0, .publish_time = Timestamp::FromSeconds(1), .time = Timestamp::Max()}}});
  EXPECT_EQ(Written(manifest), "millrace-archive 1 " + DigestOf(BodyOf(Written(manifest))) +
                                   "\n"
                                   R"({"topic":"t","partitions":1,"attempt":1,"sequence":2,"written_by":"me",)"
                                   R"("written_at":"1970-01-01T00:00:00Z","ranges":1,"superseded":0})"
                                   "\n"
                                   R"({"path":"","partition":0,"from":0,"to":1,"count":0,"bytes":0,"digest":"",)"
                                   R"("least_event_time":null,"greatest_event_time":null,"least_publish_time":null,)"
                                   R"("greatest_publish_time":null,)"
                                   R"("controls":[{"offset":0,"publish_time":"1970-01-01T00:00:01Z","time":"+inf"}]})"
                                   "\n");
  EXPECT_EQ(DigestOf(""), "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing, from its specification
}

TEST(Manifest, FindsRangesByOffset) {
  const Manifest manifest = Sample();
  EXPECT_EQ(manifest.Find(0, 0)->from, 0);
  EXPECT_EQ(manifest.Find(0, 99)->from, 0);
  EXPECT_EQ(manifest.Find(0, 100)->from, 100);
  EXPECT_EQ(manifest.Find(0, 202)->from, 200);
  EXPECT_EQ(manifest.Find(0, 203), nullptr);
  EXPECT_EQ(manifest.Find(1, 0), nullptr);
  EXPECT_EQ(manifest.Find(2, 4), nullptr);
  EXPECT_EQ(manifest.Find(2, 8)->from, 5);
  EXPECT_EQ(manifest.BoundsOf(0), (std::pair<std::int64_t, std::int64_t>(0, 203)));
  EXPECT_EQ(manifest.BoundsOf(1), std::nullopt);
  EXPECT_EQ(manifest.Cut(), (std::vector<std::int64_t>{203, 0, 9}));
  const ArchivedRange& closed = *manifest.Find(0, 200);
  EXPECT_EQ(closed.RowOf(200), 0);
  EXPECT_EQ(closed.RowOf(201), 0);
  EXPECT_EQ(closed.RowOf(202), 1);
}

// Any change of any byte is found, and so is any cut.
TEST(Manifest, DamageIsFound) {
  const std::string bytes = Written(Sample());
  base::Random random(base::TestSeed());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << random.Below(8)));
    const StatusOr<Manifest> read = ParseManifest(damaged);
    ASSERT_FALSE(read.ok()) << "byte " << i << " MILLRACE_TEST_SEED=" << base::TestSeed();
    const bool is_said =
        read.status().code() == StatusCode::kDataLoss || read.status().code() == StatusCode::kUnimplemented;
    EXPECT_TRUE(is_said) << read.status();
    EXPECT_EQ(read.status().message().find("line "), 0U) << read.status();
    ASSERT_FALSE(ParseManifest(bytes.substr(0, i)).ok()) << "cut at " << i;
  }
}

TEST(Manifest, AnotherFormatIsRefused) {
  std::string bytes = Written(Sample());
  bytes[std::string("millrace-archive ").size()] = '2';
  EXPECT_EQ(ParseManifest(bytes).status().code(), StatusCode::kUnimplemented);
}

TEST(Manifest, UnknownMembersAreIgnored) {
  std::string body = BodyOf(Written(Sample()));
  body.insert(1, R"("colour":"blue",)");
  EXPECT_TRUE(ParseManifest(WithBody(body)).ok()) << ParseManifest(WithBody(body)).status();
}

struct Mistake {
  const char* what;
  void (*make)(Manifest&);
};

TEST(Manifest, RulesOfTheFormat) {
  const Mistake mistakes[] = {
      {"a hole", [](Manifest& m) { m.ranges.erase(m.ranges.begin() + 1); }},
      {"an overlap",
       [](Manifest& m) {
         m.ranges[1].from = 99;
         m.ranges[1].count = 101;
       }},
      {"named twice", [](Manifest& m) { m.ranges[1].path = m.ranges[0].path; }},
      {"named twice", [](Manifest& m) { m.superseded[0].path = m.ranges[0].path; }},
      {"out of order", [](Manifest& m) { std::swap(m.ranges[0], m.ranges[3]); }},
      {"no such partition", [](Manifest& m) { m.ranges[3].partition = 3; }},
      {"partitions must be positive", [](Manifest& m) { m.partitions = 0; }},
      {"empty or negative", [](Manifest& m) { m.ranges[0].from = -1; }},
      {"as many as its offsets", [](Manifest& m) { m.ranges[0].count = 99; }},
      {"count does not fit", [](Manifest& m) { m.ranges[0].count = 101; }},
      {"only then", [](Manifest& m) { m.ranges[0].path = ""; }},
      {"hexadecimal", [](Manifest& m) { m.ranges[0].digest = "12"; }},
      {"size in bytes", [](Manifest& m) { m.ranges[0].bytes = 0; }},
      {"it has times", [](Manifest& m) { m.ranges[0].least_event_time.reset(); }},
      {"greater than", [](Manifest& m) { m.ranges[0].least_event_time = Timestamp::FromSeconds(21); }},
      {"control record", [](Manifest& m) { std::swap(m.ranges[2].controls[0], m.ranges[2].controls[1]); }},
  };
  for (const Mistake& mistake : mistakes) {
    Manifest manifest = Sample();
    mistake.make(manifest);
    const StatusOr<std::string> written = WriteManifest(manifest);
    ASSERT_FALSE(written.ok()) << mistake.what;
    EXPECT_NE(written.status().message().find(mistake.what), std::string::npos) << written.status();
  }
}

TEST(Manifest, LinesMustBeThere) {
  const std::string body = BodyOf(Written(Sample()));
  EXPECT_FALSE(ParseManifest(WithBody(body + "{}\n")).ok());
  const std::string shorter = body.substr(0, body.rfind('\n', body.size() - 2) + 1);
  const StatusOr<Manifest> read = ParseManifest(WithBody(shorter));
  EXPECT_NE(read.status().message().find("line 7 is missing"), std::string::npos) << read.status();
}

}  // namespace
}  // namespace millrace::archive
