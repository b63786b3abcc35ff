#include "log/reinjected.h"

#include <gtest/gtest.h>

namespace millrace::log {
namespace {

LogRecord RecordFor(const std::string& origin, const std::string& generation) {
  LogRecord record;
  record.attributes = {{kOriginAttribute, origin}, {kGenerationAttribute, generation}};
  return record;
}

TEST(Reinjected, OneOfBothCounts) {
  EXPECT_TRUE(CountsIn(LogRecord{}, "clicks", 3, {}));
  const LogRecord record = RecordFor("clicks/1/100", "3");
  EXPECT_TRUE(CountsIn(record, "clicks", 3, {}));
  EXPECT_FALSE(CountsIn(record, "clicks", 4, {}));
  EXPECT_FALSE(CountsIn(record, "clicks", 0, {}));
  // A reader that begins behind the first one.
  EXPECT_TRUE(CountsIn(record, "clicks", 4, {0, 101}));
  EXPECT_FALSE(CountsIn(record, "clicks", 4, {0, 100}));
  EXPECT_FALSE(CountsIn(record, "clicks", 4, {500}));
}

TEST(Reinjected, WhatIsNoneIsAnOrdinaryRecord) {
  EXPECT_TRUE(CountsIn(RecordFor("other/1/100", "3"), "clicks", 4, {}));
  EXPECT_TRUE(CountsIn(RecordFor("somewhere", "3"), "clicks", 4, {}));
  LogRecord half;
  half.attributes = {{kOriginAttribute, "clicks/1/100"}};
  EXPECT_TRUE(CountsIn(half, "clicks", 4, {}));
}

TEST(Reinjected, OfOneThatStandsForAnotherTheFirstIsNamed) {
  std::map<std::string, std::string> attributes = {{"a", "b"}};
  AddOrigin({.topic = "clicks", .partition = 1, .offset = 100}, 3, &attributes);
  AddOrigin({.topic = "clicks", .partition = 1, .offset = 170}, 5, &attributes);
  EXPECT_EQ(attributes, (std::map<std::string, std::string>{
                            {"a", "b"}, {kOriginAttribute, "clicks/1/100"}, {kGenerationAttribute, "5"}}));
}

}  // namespace
}  // namespace millrace::log
