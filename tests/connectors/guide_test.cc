// The code of docs/guide/connectors.md runs here; the last test compares the two texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "millrace/io/csv.h"
#include "millrace/io/generator.h"
#include "millrace/io/json_lines.h"
#include "millrace/io/parquet.h"
#include "millrace/io/text.h"
#include "millrace/millrace.h"
#include "millrace/testing/collect.h"
#include "temporary_folder.h"

namespace millrace {
namespace {

using testing::Collect;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

struct Flight {
  Timestamp date = {};
  std::int16_t delay = 0;
  std::string origin;
  std::int64_t row = 0;  // no column: set by the source
};

struct Click {
  std::string user;
  std::optional<std::string> page = {};
  Timestamp at = {};
};

class GuideTest : public ::testing::Test {
 protected:
  void RunOk(int threads = 1) {
    RunOptions options;
    options.threads = threads;
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());
  }
  testing::TemporaryFolder files;
  std::string folder = files.path();
  Pipeline pipeline;
};

TEST_F(GuideTest, Parquet) {
  struct Column {
    Timestamp date = {};
    std::int32_t delay = 0;
    std::string origin, unused;
  };
  Pipeline before;
  before |
      "In" >> Create(std::vector<Column>{{Timestamp::FromSeconds(1), 5, "JFK", ""},
                                         {Timestamp::FromSeconds(2), 99, "SFO", ""}}) |
      "Out" >> parquet::Write(folder + "/flights");
  ASSERT_EQ(before.Run().status, OkStatus());
  auto flights =
      pipeline |
      "Flights" >>
          parquet::Read<Flight>(folder + "/flights*.parquet").WithEventTime(&Flight::date).WithRowNumber(&Flight::row);
  flights | "Late" >> Filter([](const Flight& flight) { return flight.delay > 15; }) |
      "Write" >> parquet::Write(folder + "/late");
  auto seen = Collect(flights | "Rows" >> Map([](const Flight& flight) { return flight.row; }));
  RunOk();
  EXPECT_THAT(seen->values(), UnorderedElementsAre(0, 1));
  EXPECT_THAT(files.Names(), ElementsAre("flights-00000-of-00001.parquet", "late-00000-of-00001.parquet"));
}

TEST_F(GuideTest, Texts) {
  files.Write("server.log", "GET /a\nPOST /b\n");
  auto lines = pipeline | "Lines" >> text::Read(folder + "/*.log");
  lines | "Posts" >> Filter([](const std::string& line) { return line.starts_with("POST"); }) |
      "Write" >> text::Write(folder + "/posts").Suffix(".txt").Overwrite();
  RunOk();
  EXPECT_EQ(files.Read("posts-00000-of-00001.txt"), "POST /b\n");
}

TEST_F(GuideTest, JsonAndCsv) {
  files.Write("clicks/a.jsonl", "{\"user\":\"ann\",\"at\":\"2001-01-01T00:00:00Z\"}\n");
  auto clicks = pipeline | "Clicks" >> json_lines::Read<Click>(folder + "/clicks").WithEventTime(&Click::at);
  clicks | "Write" >> csv::Write(folder + "/clicks").Delimiter(';');
  RunOk();
  EXPECT_EQ(files.Read("clicks-00000-of-00001.csv"), "user;page;at\nann;;2001-01-01T00:00:00Z\n");
  pipeline = Pipeline();
  auto again =
      pipeline |
      "Again" >>
          csv::Read<Click>(folder + "/clicks-*.csv").Delimiter(';').WithoutNewlinesInCells().WithEventTime(&Click::at);
  again | "Json" >> json_lines::Write(folder + "/again");
  RunOk();
  EXPECT_EQ(files.Read("again-00000-of-00001.jsonl"),
            "{\"user\":\"ann\",\"page\":null,\"at\":\"2001-01-01T00:00:00Z\"}\n");
}

TEST_F(GuideTest, Generator) {
  auto ticks = pipeline | "Ticks" >> Generate(generator::Sequence{.count = 1000,
                                                                  .rate_per_s = 20'000,
                                                                  .event_time_start = Timestamp::FromSeconds(0),
                                                                  .event_time_step = 10ms,
                                                                  .disorder = 2s,
                                                                  .partitions = 4});
  auto seen = Collect(ticks | "Count" >> CombineGlobally(Count{}));
  RunOk();
  EXPECT_THAT(seen->values(), ElementsAre(1000));
}

// A file's lines without white space at both ends, from which comments may stay.
std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/" + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    const std::size_t begin = line.find_first_not_of(' ');
    lines.push_back(begin == std::string::npos ? "" : line.substr(begin));
  }
  return lines;
}

TEST(GuideTextTest, EveryLineOfCodeInTheGuideIsRunHere) {
  const std::vector<std::string> code = LinesOf("tests/connectors/guide_test.cc");
  bool in_code = false;
  int checked = 0;
  for (const std::string& line : LinesOf("docs/guide/connectors.md")) {
    if (line.starts_with("```")) {
      in_code = line == "```cpp";
    } else if (in_code && !line.empty()) {
      EXPECT_THAT(code, ::testing::Contains(line));
      ++checked;
    }
  }
  EXPECT_GT(checked, 30);
}

}  // namespace
}  // namespace millrace
