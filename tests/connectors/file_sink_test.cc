// The sinks that write files: what they write, as DuckDB reads it, and when it can be seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "columnar/database.h"
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

using ::testing::AllOf;
using testing::Collect;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

struct Row {
  std::int64_t id = 0;
  std::string name;
  double amount = 0;
  std::optional<std::int32_t> rank = {};
  bool open = false;
  Timestamp at = {};
  auto operator<=>(const Row&) const = default;
};

std::vector<Row> RandomRows(base::Random& random, std::int64_t count) {
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    Row row{.id = random.Between(-1'000'000, 1'000'000),
            .name = "",
            .amount = random.Unit() * 1e6,
            .rank = {},
            .open = random.Chance(0.5),
            .at = {}};
    const std::string alphabet = "ab,\"'; \tö\n";
    for (std::int64_t n = random.Between(1, 12); n > 0; --n) {
      const std::size_t at = random.Below(9);
      row.name += at == 7 ? "ö" : alphabet.substr(at == 8 ? 10 : at, 1);
    }
    if (random.Chance(0.7)) row.rank = static_cast<std::int32_t>(random.Between(-9, 9));
    row.at = Timestamp::FromMicros(random.Between(0, 4'000'000'000'000'000));
    rows.push_back(row);
  }
  return rows;
}

class FileSinkTest : public ::testing::Test {
 protected:
  template <class X>
  PipelineResult Write(const std::vector<Row>& rows, const X& sink, int threads) {
    Pipeline pipeline;
    pipeline | "In" >> Create(rows) | "Shuffle" >> Reshuffle() | "Out" >> sink;
    RunOptions options;
    options.threads = threads;
    return pipeline.Run(options);
  }
  template <class X>
  std::vector<Row> ReadBack(const X& read) {
    Pipeline pipeline;
    auto seen = Collect(pipeline | "In" >> read);
    EXPECT_EQ(pipeline.Run().status, OkStatus());
    std::vector<Row> rows = seen->values();
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  /// The rows as DuckDB reads them from a table function, each a line of text, sorted.
  std::vector<std::string> AsDuckdb(const std::string& from) {
    auto database = columnar::Database::Open({});
    auto connection = database->Connect();
    auto result = connection->Query(
        "SELECT concat_ws('|', id, name, amount::DOUBLE, coalesce(rank::VARCHAR, 'null'), \"open\"::BOOLEAN, "
        "epoch_us(\"at\"::TIMESTAMP)) "
        "AS line FROM " +
        from);
    EXPECT_EQ(result.status(), OkStatus());
    std::vector<std::string> lines;
    while (result.ok() && *result->Next()) {
      for (std::size_t row = 0; row < result->rows(); ++row) lines.push_back(*result->Text(0, row));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  TemporaryFolder folder_;
};

TEST_F(FileSinkTest, RoundTripsAndDuckdbReadsTheSame) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  std::vector<std::string> reference;
  std::vector<Row> rows = RandomRows(random, 3000);
  std::vector<Row> sorted = rows;
  std::sort(sorted.begin(), sorted.end());
  for (const int threads : {1, 2, 3, 4}) {
    const std::string prefix = folder_.Path("out" + std::to_string(threads) + "/rows");
    ASSERT_EQ(Write(rows, parquet::Write(prefix).RowGroupRows(2048), threads).status, OkStatus());
    ASSERT_EQ(Write(rows, csv::Write(prefix), threads).status, OkStatus());
    ASSERT_EQ(Write(rows, json_lines::Write(prefix), threads).status, OkStatus());
    EXPECT_EQ(ReadBack(parquet::Read<Row>(prefix + "*.parquet")), sorted);
    EXPECT_EQ(ReadBack(csv::Read<Row>(prefix + "*.csv")), sorted);
    EXPECT_EQ(ReadBack(json_lines::Read<Row>(prefix + "*.jsonl")), sorted);
    const std::vector<std::string> parquet = AsDuckdb("read_parquet('" + prefix + "*.parquet')");
    EXPECT_EQ(parquet.size(), rows.size());
    EXPECT_EQ(AsDuckdb("read_csv('" + prefix + "*.csv')"), parquet);
    EXPECT_EQ(AsDuckdb("read_json('" + prefix + "*.jsonl', format = 'newline_delimited')"), parquet);
    if (reference.empty()) reference = parquet;
    EXPECT_EQ(parquet, reference);
  }
}

TEST_F(FileSinkTest, OneShardPerWorkerAlsoAnEmptyOne) {
  Pipeline pipeline;
  pipeline | "In" >> Create(std::vector<std::string>{"b", "a"}) |
      "Out" >> text::Write(folder_.Path("words")).Suffix(".txt");
  RunOptions options;
  options.threads = 3;
  ASSERT_EQ(pipeline.Run(options).status, OkStatus());
  EXPECT_THAT(folder_.Names(),
              ElementsAre("words-00000-of-00003.txt", "words-00001-of-00003.txt", "words-00002-of-00003.txt"));
  std::string all;
  for (const std::string& name : folder_.Names()) all += folder_.Read(name);
  EXPECT_TRUE(all == "b\na\n" || all == "a\nb\n") << all;
  EXPECT_EQ(Write({}, parquet::Write(folder_.Path("none")), 2).status, OkStatus());
  EXPECT_THAT(ReadBack(parquet::Read<Row>(folder_.Path("none*"))), ElementsAre());
}

TEST_F(FileSinkTest, NothingIsSeenBeforeTheEnd) {
  Pipeline pipeline;
  std::vector<std::string> during;
  pipeline | "In" >> Generate({.count = 100'000}) | "Text" >> Map([&](const std::int64_t& n) {
                                                      if (n == 99'999) during = folder_.Names();  // one thread
                                                      return std::to_string(n);
                                                    }) |
      "Out" >> text::Write(folder_.Path("n"));
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(during, ElementsAre(".n-00000-of-00001.unfinished"));
  EXPECT_THAT(folder_.Names(), ElementsAre("n-00000-of-00001"));
}

TEST_F(FileSinkTest, AFailedRunLeavesNothing) {
  for (const int threads : {1, 3}) {
    Pipeline pipeline;
    auto texts = pipeline | "In" >> Generate({.count = 50'000, .partitions = 4}) |
                 "Text" >> Map([](const std::int64_t& n) {
                   if (n == 49'000) throw std::runtime_error("broken on purpose");
                   return std::to_string(n);
                 });
    texts | "Out" >> text::Write(folder_.Path("n"));
    texts | "Rows" >> Map([](const std::string& text) { return Row{.id = 1, .name = text}; }) |
        "Parquet" >> parquet::Write(folder_.Path("p"));
    RunOptions options;
    options.threads = threads;
    EXPECT_THAT(pipeline.Run(options).status.message(), HasSubstr("broken on purpose"));
    EXPECT_THAT(folder_.Names(), ElementsAre());
  }
}

TEST_F(FileSinkTest, ShardsOfAnEarlierRunAreRefusedOrReplacedAll) {
  const std::vector<Row> rows{Row{.id = 1, .name = "one"}};
  ASSERT_EQ(Write(rows, csv::Write(folder_.Path("r")), 3).status, OkStatus());
  EXPECT_THAT(Write(rows, csv::Write(folder_.Path("r")), 2).status.ToString(),
              AllOf(HasSubstr("ALREADY_EXISTS: Out: file "), HasSubstr("r-00000-of-00003.csv exists"),
                    HasSubstr(".Overwrite()")));
  EXPECT_EQ(folder_.Names().size(), 3U);
  folder_.Write("r-00000-of-00003.txt", "another suffix");
  folder_.Write("rest-00000-of-00003.csv", "another prefix");
  ASSERT_EQ(Write(rows, csv::Write(folder_.Path("r")).Overwrite(), 2).status, OkStatus());
  EXPECT_THAT(folder_.Names(), ElementsAre("r-00000-of-00002.csv", "r-00000-of-00003.txt", "r-00001-of-00002.csv",
                                           "rest-00000-of-00003.csv"));
  EXPECT_EQ(ReadBack(csv::Read<Row>(folder_.Path("r-*.csv"))), rows);
}

TEST_F(FileSinkTest, APipelineCanRunAgain) {
  Pipeline pipeline;
  pipeline | "In" >> Create(std::vector<std::string>{"a"}) | "Out" >> text::Write(folder_.Path("a")).Overwrite();
  for (const int threads : {2, 1}) {
    RunOptions options;
    options.threads = threads;
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());
  }
  EXPECT_THAT(folder_.Names(), ElementsAre("a-00000-of-00001"));
  EXPECT_EQ(folder_.Read("a-00000-of-00001"), "a\n");
}

TEST_F(FileSinkTest, MistakesAreNamed) {
  Pipeline endless;
  endless | "In" >> Generate({}) | "Text" >> Map([](const std::int64_t& n) { return std::to_string(n); }) |
      "Out" >> text::Write(folder_.Path("n"));
  RunOptions options;
  options.streaming = true;
  EXPECT_THAT(endless.Run(options).status.message(),
              AllOf(HasSubstr("Out: files are complete when their input has ended"), HasSubstr("unbounded")));
  Pipeline twice;
  auto words = twice | "In" >> Create(std::vector<std::string>{"a"});
  words | "One" >> text::Write(folder_.Path("w"));
  words | "Two" >> text::Write(folder_.Path("./w"));
  EXPECT_THAT(twice.Run().status.message(), AllOf(HasSubstr("Two: another write"), HasSubstr("a prefix of its own")));
  Pipeline folder;
  folder | "In" >> Create(std::vector<std::string>{"a"}) | "Out" >> text::Write(folder_.Path(""));
  EXPECT_THAT(folder.Run().status.message(), HasSubstr("has no name after its folder"));
  EXPECT_THAT(folder_.Names(), ElementsAre());
  Pipeline utf8;
  utf8 | "In" >> Create(std::vector<Row>{Row{.name = "\xFF"}}) | "Out" >> parquet::Write(folder_.Path("u"));
  EXPECT_THAT(utf8.Run().status.message(), AllOf(HasSubstr("Out: Parquet file "), HasSubstr("name")));
  EXPECT_THAT(folder_.Names(), ElementsAre());
}

}  // namespace
}  // namespace millrace
