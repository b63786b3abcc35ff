#include "log/reinjected.h"

#include <gtest/gtest.h>

namespace millrace::log {
namespace {

LogRecord RecordFor(const std::string& origin, const std::string& generation) {
  LogRecord record{.partition = 1, .offset = 300};
  record.attributes = {{kOriginAttribute, origin}, {kGenerationAttribute, generation}};
  return record;
}

TEST(Reinjected, OneOfBothCounts) {
  EXPECT_TRUE(CountsIn(LogRecord{}, "clicks", 3, 0));
  const LogRecord record = RecordFor("clicks/1/100", "3");
  EXPECT_TRUE(CountsIn(record, "clicks", 3, 0));
  EXPECT_FALSE(CountsIn(record, "clicks", 4, 0));
  EXPECT_FALSE(CountsIn(record, "clicks", 0, 0));
  // Results whose reading began behind the first one.
  EXPECT_TRUE(CountsIn(record, "clicks", 4, 101));
  EXPECT_FALSE(CountsIn(record, "clicks", 4, 100));
  EXPECT_TRUE(CountsIn(record, "clicks", 0, 250));
}

TEST(Reinjected, WhatIsNoneIsAnOrdinaryRecord) {
  EXPECT_TRUE(CountsIn(RecordFor("other/1/100", "3"), "clicks", 4, 0));
  EXPECT_TRUE(CountsIn(RecordFor("clicks/0/100", "3"), "clicks", 4, 0));
  EXPECT_TRUE(CountsIn(RecordFor("somewhere", "3"), "clicks", 4, 0));
  LogRecord half{.partition = 1};
  half.attributes = {{kOriginAttribute, "clicks/1/100"}};
  EXPECT_TRUE(CountsIn(half, "clicks", 4, 0));
}

// A chain of which a reader meets the end: the first link that it meets counts, and no other.
TEST(Reinjected, EachNamesTheOneBeforeIt) {
  std::map<std::string, std::string> attributes = {{"a", "b"}};
  AddOrigin({.topic = "clicks", .partition = 1, .offset = 100}, 3, &attributes);
  const LogRecord second{.partition = 1, .offset = 170, .attributes = attributes};
  AddOrigin({.topic = "clicks", .partition = 1, .offset = 170}, 5, &attributes);
  EXPECT_EQ(attributes, (std::map<std::string, std::string>{
                            {"a", "b"}, {kOriginAttribute, "clicks/1/170"}, {kGenerationAttribute, "5"}}));
  const LogRecord third{.partition = 1, .offset = 200, .attributes = attributes};
  for (const std::int64_t began : {0, 100, 101, 170, 171, 200}) {
    int counted = began <= 100 ? 1 : 0;
    if (began <= second.offset && CountsIn(second, "clicks", 9, began)) ++counted;
    if (began <= third.offset && CountsIn(third, "clicks", 9, began)) ++counted;
    EXPECT_EQ(counted, 1) << began;
  }
}

}  // namespace
}  // namespace millrace::log
