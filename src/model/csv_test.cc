#include "millrace/core/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/test_settings.h"
#include "model/schema_samples.h"

namespace millrace {
namespace {

using model::Everything;
using testing::ElementsAre;
using testing::IsEmpty;

struct Flight {
  std::int32_t delay = 0;
  std::string origin;
  std::optional<std::string> note;

  friend bool operator==(const Flight&, const Flight&) = default;
};

/// The cells of all records, the bad ones as their error; the text comes in pieces of `piece` bytes.
std::vector<std::vector<std::string>> Split(std::string_view text, std::size_t piece = 1 << 20,
                                            csv::Options options = {}) {
  csv::Splitter splitter(options);
  std::vector<std::vector<std::string>> records;
  csv::Record record;
  std::size_t at = 0;
  bool closed = false;
  while (true) {
    StatusOr<bool> more = splitter.Next(&record);
    if (!more.ok()) {
      records.push_back({more.status().message()});
    } else if (*more) {
      std::vector<std::string>& cells = records.emplace_back();
      for (const csv::Cell& cell : record.cells) cells.emplace_back(cell.text);
    } else if (at < text.size()) {
      splitter.Append(text.substr(at, piece));
      at += piece;
    } else if (!closed) {
      splitter.Close();
      closed = true;
    } else {
      return records;
    }
  }
}

TEST(CsvSplitter, Records) {
  using Rows = std::vector<std::vector<std::string>>;
  EXPECT_THAT(Split(""), IsEmpty());
  EXPECT_EQ(Split("a,b\nc,d\n"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(Split("a,b\r\nc,d"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(Split(",\n,,"), (Rows{{"", ""}, {"", "", ""}}));
  EXPECT_EQ(Split("\"a\",\"b,\"\"x\"\"\nc\"\r\n\"\"\r\n"), (Rows{{"a", "b,\"x\"\nc"}, {""}}));
  EXPECT_EQ(Split("5\" pipe,a\rb\n"), (Rows{{"5\" pipe", "a\rb"}}));
  EXPECT_EQ(Split("\xEF\xBB\xBF"
                  "a,b\n"),
            (Rows{{"a", "b"}}));
  EXPECT_EQ(Split("a;b,c\n", 1 << 20, {.delimiter = ';'}), (Rows{{"a", "b,c"}}));
}

TEST(CsvSplitter, PiecesOfAnySizeGiveTheSameRecords) {
  const std::string text =
      "\xEF\xBB\xBFh1,h2\r\n\"a\"\"\r\n\",\"\"\r\n\r\n,\"x\"y\nok,1\n\"\"\"\"\"\",\"\"\n1,\r\n\"open";
  const auto whole = Split(text);
  ASSERT_EQ(whole.size(), 8U);
  EXPECT_THAT(whole[1], ElementsAre("a\"\r\n", ""));
  EXPECT_THAT(whole[3],
              ElementsAre("CSV: line 5: text follows a closing quote; double the quotes within a quoted cell"));
  EXPECT_THAT(whole[4], ElementsAre("ok", "1"));
  EXPECT_THAT(whole[5], ElementsAre("\"\"", ""));
  EXPECT_THAT(whole[6], ElementsAre("1", ""));
  EXPECT_THAT(whole[7], ElementsAre("CSV: line 9: a quoted cell is never closed"));
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    auto pieces = Split(text, piece);
    EXPECT_EQ(pieces, whole) << piece;
  }
}

TEST(CsvSplitter, ARecordHasAGreatestSize) {
  const std::string text = "a,b\n\"" + std::string(100, 'x') + "\n1,2\n";
  const auto records = Split(text, 10, {.record_bytes_max = 50});
  ASSERT_EQ(records.size(), 3U);
  EXPECT_THAT(records[1], ElementsAre("CSV: line 2: the record is longer than 50 bytes; is a quote never closed?"));
  EXPECT_THAT(records[2], ElementsAre("1", "2"));
}

TEST(Csv, ColumnsAreFoundByName) {
  const auto flights = csv::Parse<Flight>("origin,extra,delay\nSFO,x,-5\nJFK,,7\n\n\"a,\"\"b\",,0");
  ASSERT_TRUE(flights.ok()) << flights.status();
  EXPECT_THAT(*flights, ElementsAre(Flight{-5, "SFO", std::nullopt}, Flight{7, "JFK", std::nullopt},
                                    Flight{0, "a,\"b", std::nullopt}));
}

TEST(Csv, EmptyCellsAreNullUnlessQuoted) {
  const auto flights = csv::Parse<Flight>("delay,origin,note\n1,,\n2,\"\",\"\"\n3,x,y\n");
  ASSERT_TRUE(flights.ok()) << flights.status();
  EXPECT_THAT(*flights, ElementsAre(Flight{1, "", std::nullopt}, Flight{2, "", ""}, Flight{3, "x", "y"}));
  EXPECT_EQ(csv::Write(*flights), "delay,origin,note\n1,,\n2,,\"\"\n3,x,y\n");
}

TEST(Csv, OneColumnKeepsItsEmptyRows) {
  struct One {
    std::optional<std::string> text;
    bool operator==(const One&) const = default;
  };
  const std::vector<One> rows{{"a"}, {std::nullopt}, {""}, {std::nullopt}};
  const std::string text = csv::Write(rows);
  EXPECT_EQ(text, "text\na\n\n\"\"\n\n");
  EXPECT_EQ(*csv::Parse<One>(text), rows);
}

TEST(Csv, MistakesNameRowLineAndField) {
  auto error_of = [](std::string_view text) { return csv::Parse<Flight>(text).status().message(); };
  EXPECT_EQ(error_of("delay,origin\n1,\"a\nb\"\n2.5,x\n"),
            "CSV: row 2 (line 4): field \"delay\": expected an integer, found 2.5");
  EXPECT_EQ(error_of("delay,origin\n,x\n"), "CSV: row 1 (line 2): field \"delay\": expected an integer, found ");
  EXPECT_EQ(error_of("delay,origin\n3000000000,x\n"),
            "CSV: row 1 (line 2): field \"delay\": 3000000000 is out of the range -2147483648 to 2147483647");
  EXPECT_EQ(error_of("delay,origin\n1\n"), "CSV: row 1 (line 2): it has 1 cells, the header has 2");
  EXPECT_EQ(error_of("delay,origin\n1,\xff\n"),
            "CSV: row 1 (line 2): field \"origin\": the text is not valid UTF-8; convert the file");
  EXPECT_EQ(error_of("delay,origin\n1,\"a\"b\n"),
            "row 1: CSV: line 2: text follows a closing quote; double the quotes within a quoted cell");
  EXPECT_EQ(error_of("delay,origin\n1,\"a\n"), "row 1: CSV: line 2: a quoted cell is never closed");
  EXPECT_EQ(
      error_of("delay,from\n"),
      "CSV: field \"origin\" has no column (the header has delay, from); rename it, or make it a std::optional if "
      "it may be missing");
  EXPECT_EQ(error_of("delay,origin,delay\n"), "CSV: the header has the column \"delay\" twice");
  EXPECT_TRUE(csv::Parse<Flight>("").ok());
}

TEST(Csv, ReadingGoesOnBehindABadRow) {
  csv::Reader<Flight> reader;
  reader.Append("delay,origin\nx,a\n2,b\n1\n");
  reader.Append("3,\"c\"c\n4,d\n");
  reader.Close();
  std::vector<std::string> seen;
  std::vector<std::uint64_t> offsets;
  for (Flight flight;;) {
    StatusOr<bool> more = reader.Next(&flight);
    if (more.ok() && !*more) break;
    seen.push_back(std::to_string(reader.row()) + (more.ok() ? flight.origin : "!"));
    offsets.push_back(reader.offset());
  }
  EXPECT_THAT(seen, ElementsAre("1!", "2b", "3!", "4!", "5d"));
  EXPECT_THAT(offsets, ElementsAre(13U, 17U, 21U, 23U, 30U));
}

TEST(Csv, RandomRowsComeBackInPiecesOfAnySize) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = base::TestRounds(100, 5000); round > 0; --round) {
    std::vector<Everything> rows(random.Below(8));
    for (Everything& row : rows) row = random.Make<Everything>();
    const std::string text = csv::Write(rows);
    csv::Reader<Everything> reader;
    std::vector<Everything> back;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = 1 + random.Below(300);
      reader.Append(std::string_view(text).substr(at, piece));
      at += piece;
      if (at >= text.size()) reader.Close();
      Everything row;
      StatusOr<bool> more = reader.Next(&row);
      for (; more.ok() && *more; more = reader.Next(&row)) back.push_back(row);
      ASSERT_TRUE(more.ok()) << more.status();
    }
    ASSERT_EQ(back, rows);
  }
}

}  // namespace
}  // namespace millrace
