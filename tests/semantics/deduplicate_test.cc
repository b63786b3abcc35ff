// Deduplicate within a horizon of event time, and TestStream itself.
#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DeduplicateTest : public ::testing::Test {
 protected:
  void In(const std::string& id, std::int64_t at) { stream_.Add(id, At(at)); }
  void Watermark(std::int64_t at) { stream_.AdvanceWatermarkTo(At(at)); }
  void Expect(std::vector<std::string> ids, std::source_location where = std::source_location::current()) {
    stream_.Then([this, ids = std::move(ids), where] {
      const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "expected here");
      std::vector<std::string> seen;
      for (const auto& id : seen_->Take()) seen.push_back(id.value);
      EXPECT_EQ(seen, ids);
    });
  }
  void Play(Duration horizon) {
    auto unique = pipeline_ | "Script" >> stream_ |
                  "Dedupe" >> Deduplicate([](const std::string& id) { return id; }).Within(horizon);
    seen_ = Collect(unique);
    result_ = pipeline_.Run(stream_.Options());
    ASSERT_EQ(result_.status, OkStatus());
  }
  TestStream<std::string> stream_;
  Pipeline pipeline_;
  PipelineResult result_;
  std::shared_ptr<Collection<std::string>> seen_;
};

TEST_F(DeduplicateTest, ADuplicateWithinTheHorizonIsDropped) {
  In("x", 100);
  Expect({"x"});
  In("x", 100);
  In("y", 50);
  In("x", 40);  // another time, the same id
  Expect({"y"});
  Watermark(110);  // not beyond 100 s + 10 s
  In("x", 100);
  Expect({});
  stream_.AdvanceWatermarkTo(At(110) + Duration(1));
  In("x", 100);
  Expect({"x"});
  Play(seconds(10));
  EXPECT_EQ(result_.Counter("duplicates"), 3);
}

// An id whose horizon the watermark has passed when it comes is not remembered, so each copy passes: it is too late to
// tell. What follows drops it by its allowed lateness, which should not exceed the horizon.
TEST_F(DeduplicateTest, IdsBeyondTheHorizonPass) {
  Watermark(1000);
  In("x", 100);
  In("x", 100);
  Expect({"x", "x"});
  In("y", 995);
  In("y", 995);
  Expect({"y"});
  Play(seconds(10));
}

TEST_F(DeduplicateTest, WhatIsForgottenDoesNotDependOnSweeps) {
  // Many small steps sweep the table often, one large step once; both forget the same.
  In("x", 100);
  In("z", 104);
  for (std::int64_t at = 101; at <= 110; ++at) Watermark(at);
  stream_.AdvanceWatermarkTo(At(110) + Duration(1));
  In("z", 104);
  In("x", 100);
  Expect({"x", "z", "x"});
  Play(seconds(10));
}

TEST(TestStreamTest, IsRefusedOutsideItsOwnOptions) {
  Pipeline pipeline;
  TestStream<std::string> stream;
  stream.Add("x", At(1));
  Collect(pipeline | "Script" >> stream);
  RunOptions options = stream.Options();
  options.threads = 2;
  EXPECT_THAT(pipeline.Run(options).status.message(), HasSubstr("one thread only"));
  options.threads = 1;
  options.streaming = false;
  EXPECT_THAT(pipeline.Run(options).status.message(), HasSubstr("streaming mode"));
}

TEST(TestStreamTest, InfinityIsTheLastEvent) {
  Pipeline pipeline;
  TestStream<std::string> stream;
  stream.AdvanceWatermarkToInfinity().Add("x", At(1));
  Collect(pipeline | "Script" >> stream);
  EXPECT_THAT(pipeline.Run(stream.Options()).status.message(), HasSubstr("event 0 of the TestStream"));
}

TEST(TestStreamTest, EventsHappenInOrder) {
  Pipeline pipeline;
  TestStream<std::int64_t> stream;
  std::vector<std::string> log;
  std::shared_ptr<Collection<std::int64_t>> seen;
  std::vector<TimestampedValue<std::int64_t>> many;
  for (std::int64_t i = 0; i < 2000; ++i) many.push_back({i, At(i)});
  stream.Then([&] { log.push_back("start " + std::to_string(seen->size())); })
      .AddElements(many)
      .Then([&] { log.push_back("added " + std::to_string(seen->size())); })
      .AdvanceProcessingTime(seconds(3))
      .Then([&] { log.push_back("now " + stream.clock()().ToString()); });
  seen = Collect(pipeline | "Script" >> stream);
  RunOptions options = stream.Options();
  options.bundle_elements = 1;  // an event is never split
  ASSERT_EQ(pipeline.Run(options).status, OkStatus());
  EXPECT_THAT(log, ElementsAre("start 0", "added 2000", "now 1970-01-01T00:00:03Z"));
}

}  // namespace
}  // namespace millrace::testing
