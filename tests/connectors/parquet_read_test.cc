// parquet::Read against what was written, in batches of all sizes, with damaged and unfitting files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "columnar/database.h"
#include "millrace/io/parquet.h"
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

struct Trip {
  Timestamp at;
  std::string from;
  std::int32_t delay = 0;
  std::int64_t row = 0;
  auto operator<=>(const Trip&) const = default;
};

class ParquetReadTest : public ::testing::Test {
 protected:
  /// Runs SQL in an empty database; writes files by COPY.
  void Sql(const std::string& sql) {
    auto database = columnar::Database::Open({});
    ASSERT_EQ(database.status(), OkStatus());
    auto connection = database->Connect();
    ASSERT_EQ(connection.status(), OkStatus());
    ASSERT_EQ(connection->Execute(sql), OkStatus());
  }
  /// `count` trips, one a second from `first_second` on, in row groups of 2048.
  void WriteTrips(const std::string& name, int count, int first_second) {
    Sql("COPY (SELECT to_timestamp(" + std::to_string(first_second) +
        " + i)::TIMESTAMP AS at, 'A' || (i % 7) AS \"from\", (i % 100)::INTEGER AS delay, 'unused' AS other FROM "
        "range(" +
        std::to_string(count) + ") t(i)) TO '" + folder_.Path(name) + "' (FORMAT parquet, ROW_GROUP_SIZE 2048)");
  }
  std::vector<Trip> ReadTrips(const std::string& pattern, const RunOptions& options) {
    Pipeline pipeline;
    auto seen =
        Collect(pipeline | "Trips" >> parquet::Read<Trip>(pattern).WithEventTime(&Trip::at).WithRowNumber(&Trip::row));
    const PipelineResult result = pipeline.Run(options);
    EXPECT_EQ(result.status, OkStatus());
    for (const auto& element : seen->elements) EXPECT_EQ(element.timestamp, element.value.at);
    std::vector<Trip> trips = seen->values();
    std::sort(trips.begin(), trips.end());
    return trips;
  }
  Status FailureOf(const std::string& pattern) {
    Pipeline pipeline;
    Collect(pipeline | "Trips" >> parquet::Read<Trip>(pattern).WithRowNumber(&Trip::row));
    return pipeline.Run().status;
  }
  static std::vector<Trip> Expected(int count, int first_second) {
    std::vector<Trip> trips;
    for (int i = 0; i < count; ++i) {
      trips.push_back({Timestamp::FromSeconds(first_second + i), "A" + std::to_string(i % 7), i % 100, i});
    }
    return trips;
  }

  TemporaryFolder folder_;
};

TEST_F(ParquetReadTest, ReadsColumnsEventTimesAndRowNumbersWithAnyBundleAndThreads) {
  WriteTrips("trips.parquet", 5000, 100);
  for (const bool streaming : {false, true}) {
    for (const int threads : {1, 2, 3, 4}) {
      RunOptions options;
      options.streaming = streaming;
      options.threads = threads;
      EXPECT_EQ(ReadTrips(folder_.Path("trips.parquet"), options), Expected(5000, 100)) << threads;
    }
  }
  WriteTrips("few.parquet", 40, 7);
  for (std::int64_t bundle = 1; bundle <= 7; ++bundle) {
    RunOptions options;
    options.bundle_elements = bundle;
    EXPECT_EQ(ReadTrips(folder_.Path("trips.parquet"), options), Expected(5000, 100)) << bundle;
    EXPECT_EQ(ReadTrips(folder_.Path("few.parquet"), options), Expected(40, 7)) << bundle;
  }
}

TEST_F(ParquetReadTest, RestrictionsAreRowGroupsInTheOrderOfTime) {
  WriteTrips("b.parquet", 5000, 0);
  WriteTrips("a.parquet", 2048, 3000);
  auto parts = detail::SplitParquet(folder_.Path("*.parquet"),
                                    detail::SchemaWithout(SchemaOf<Trip>(), FieldOf(&Trip::row)), "at");
  ASSERT_EQ(parts.status(), OkStatus());
  std::vector<std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t>> got;
  for (const Restriction& part : *parts) {
    got.emplace_back(part.partition.substr(part.partition.rfind('/') + 1), part.from, part.to,
                     part.least_event_time.micros() / 1'000'000);
  }
  EXPECT_THAT(got, ElementsAre(std::tuple("b.parquet", 0, 2048, 0), std::tuple("b.parquet", 2048, 4096, 2048),
                               std::tuple("a.parquet", 0, 2048, 3000), std::tuple("b.parquet", 4096, 5000, 4096)));
}

TEST_F(ParquetReadTest, NoElementIsOlderThanItsRowGroupSays) {
  for (const std::string type : {"TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMPTZ"}) {
    for (const std::string first : {"2001-01-01 00:00:00.000001999", "1960-01-01 00:00:00.000001001", "2001-01-01"}) {
      Sql("COPY (SELECT '" + first + "'::" + type + " AS at, 'x' AS \"from\", 1 AS delay) TO '" +
          folder_.Path("one.parquet") + "' (FORMAT parquet)");
      auto parts = detail::SplitParquet(folder_.Path("one.parquet"),
                                        detail::SchemaWithout(SchemaOf<Trip>(), FieldOf(&Trip::row)), "at");
      ASSERT_EQ(parts.status(), OkStatus());
      const std::vector<Trip> trips = ReadTrips(folder_.Path("one.parquet"), {});
      ASSERT_EQ(parts->size(), 1U);
      ASSERT_EQ(trips.size(), 1U);
      EXPECT_LE((*parts)[0].least_event_time, trips[0].at) << type << " " << first;
      EXPECT_GE((*parts)[0].least_event_time + std::chrono::milliseconds(1), trips[0].at) << type << " " << first;
    }
  }
}

TEST_F(ParquetReadTest, WindowsCloseWhileTheFileIsStillRead) {
  WriteTrips("trips.parquet", 8192, 0);
  Pipeline pipeline;
  auto trips =
      pipeline |
      "Trips" >> parquet::Read<Trip>(folder_.Path("trips.parquet")).WithEventTime(&Trip::at).WithRowNumber(&Trip::row);
  std::vector<std::string> order;  // one thread
  trips | "Watch" >> ParDo([&order](const Trip& trip, Output<std::int64_t>) {
            if (trip.row % 2048 == 0) order.push_back("row " + std::to_string(trip.row));
          });
  trips | "Window" >> WindowInto(FixedWindows{std::chrono::seconds(2048)}) |
      "Seconds" >> Map([](const Trip& trip) { return trip.row; }) |
      "Count" >> CombineGlobally(Count{}).WithoutDefaults() |
      "WatchCounts" >> ParDo([&order](const std::int64_t& n, BoundedWindow window, Output<std::int64_t>) {
        order.push_back("window " + std::to_string(window.start.micros() / 1'000'000) + ": " + std::to_string(n));
      });
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  // The least time of the next row group is the end of the window before it.
  EXPECT_THAT(order, ElementsAre("row 0", "window 0: 2048", "row 2048", "window 2048: 2048", "row 4096",
                                 "window 4096: 2048", "row 6144", "window 6144: 2048"));
}

TEST_F(ParquetReadTest, AFolderMeansItsParquetFiles) {
  WriteTrips("trips.parquet", 3, 5);
  WriteTrips(".unfinished.parquet", 9, 5);
  folder_.Write("notes.txt", "nothing");
  EXPECT_EQ(ReadTrips(folder_.path(), {}), Expected(3, 5));
}

TEST_F(ParquetReadTest, RowsThatDoNotFitAreBadRecords) {
  Sql("COPY (SELECT CASE WHEN i = 3 THEN NULL ELSE to_timestamp(i)::TIMESTAMP END AS at, 'x' AS \"from\", "
      "CASE WHEN i = 3 THEN -5000000000 WHEN i = 3000 THEN 5000000000 ELSE i END AS delay FROM range(4000) t(i)) TO '" +
      folder_.Path("bad.parquet") + "' (FORMAT parquet, ROW_GROUP_SIZE 2048)");
  for (const std::int64_t bundle : {1, 100000}) {
    Pipeline pipeline;
    auto seen =
        Collect(pipeline | "Trips" >> parquet::Read<Trip>(folder_.Path("bad.parquet")).WithRowNumber(&Trip::row));
    auto letters = std::make_shared<testing::KeptLetters>();
    RunOptions options;
    options.bundle_elements = bundle;
    options.dead_letters = letters;
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());
    ASSERT_EQ(seen->elements.size(), 3998U);
    for (const auto& element : seen->elements) EXPECT_EQ(element.value.row, element.value.delay);
    const std::vector<std::string> bad = letters->sorted();
    ASSERT_EQ(bad.size(), 2U);
    EXPECT_THAT(bad[0], AllOf(HasSubstr("bad.parquet\",\"position\":3,\"field\":\"at\""), HasSubstr("it is NULL"),
                              HasSubstr("; field delay: "), HasSubstr("out of the range of int32")));
    EXPECT_THAT(bad[1], AllOf(HasSubstr("bad.parquet\",\"position\":3000,\"field\":\"delay\""),
                              HasSubstr("out of the range of int32")));
  }
}

TEST_F(ParquetReadTest, FailuresNameFileAndColumn) {
  EXPECT_THAT(FailureOf(folder_.Path("none.parquet")).ToString(),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr("Trips"), HasSubstr("none.parquet")));
  folder_.Write("text.parquet", "this is no Parquet file, although it is called one");
  EXPECT_THAT(FailureOf(folder_.Path("text.parquet")).ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("text.parquet")));
  Sql("COPY (SELECT to_timestamp(1)::TIMESTAMP AS at, 'x' AS \"from\") TO '" + folder_.Path("missing.parquet") +
      "' (FORMAT parquet)");
  EXPECT_THAT(FailureOf(folder_.Path("missing.parquet")).ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("missing.parquet"), HasSubstr("column delay is missing")));
  Sql("COPY (SELECT to_timestamp(1)::TIMESTAMP AS at, 'x' AS \"from\", 'late' AS delay) TO '" +
      folder_.Path("type.parquet") + "' (FORMAT parquet)");
  EXPECT_THAT(
      FailureOf(folder_.Path("type.parquet")).ToString(),
      AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("type.parquet"), HasSubstr("delay"), HasSubstr("VARCHAR")));
}

}  // namespace
}  // namespace millrace
