// text::Read, json_lines::Read and csv::Read against the obvious whole-file reading, however files are cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/io/csv.h"
#include "millrace/io/json_lines.h"
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
using testing::KeptLetters;
using testing::TemporaryFolder;
using ::testing::UnorderedElementsAre;

struct Reading {
  Status status;
  std::vector<std::string> bad;  // JSON of BadRecords, sorted
};

// Runs a read and gives the values, sorted.
template <class T, class X>
std::vector<testing::Collected<T>> ReadAll(const X& read, RunOptions options, Reading* reading) {
  Pipeline pipeline;
  auto seen = Collect(pipeline | "In" >> read);
  auto letters = std::make_shared<KeptLetters>();
  options.dead_letters = letters;
  reading->status = pipeline.Run(options).status;
  reading->bad = letters->sorted();
  return std::move(seen->elements);
}

template <class T, class X>
std::vector<T> Values(const X& read, const RunOptions& options = {}) {
  Reading reading;
  std::vector<T> values;
  for (auto& element : ReadAll<T>(read, options, &reading)) values.push_back(std::move(element.value));
  EXPECT_EQ(reading.status, OkStatus());
  EXPECT_THAT(reading.bad, ElementsAre());
  std::sort(values.begin(), values.end());
  return values;
}

template <class X>
Status FailureOf(const X& read) {
  Pipeline pipeline;
  Collect(pipeline | "In" >> read);
  return pipeline.Run().status;
}

TEST(TextReadTest, LinesEndInLfCrlfOrWithTheFile) {
  TemporaryFolder folder;
  folder.Write("a.txt", "one\n\ntwo\r\nth\rree\r\n\r\nlast\r");
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("a.txt"))),
              ElementsAre("", "", "last\r", "one", "th\rree", "two"));
  folder.Write("b.txt", "\xEF\xBB\xBFone\ntwo\n");
  folder.Write("c.txt", "");
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("b.txt"))), ElementsAre("one", "two"));
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("c.txt"))), ElementsAre());
  folder.Write("d.txt", "\xEF\xBB\xBF");
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("d.txt"))), ElementsAre());
}

std::string RandomText(base::Random& random) {
  std::string text;
  const std::int64_t lines = random.Between(0, 40);
  for (std::int64_t i = 0; i < lines; ++i) {
    text.append(static_cast<std::size_t>(random.Chance(0.2) ? 0 : random.Between(0, 30)),
                static_cast<char>('a' + i % 26));
    text += random.Chance(0.2) ? "\r\n" : "\n";
  }
  if (random.Chance(0.5)) text += "the end";
  return text;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end == std::string::npos ? end : end - at);
    if (end != std::string::npos && line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
    at = end == std::string::npos ? text.size() : end + 1;
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(TextReadTest, EveryLineIsReadOnceHoweverTheFileIsCut) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  TemporaryFolder folder;
  for (std::int64_t round = 0; round < base::TestRounds(150, 3000); ++round) {
    const std::string content = RandomText(random);
    folder.Write("a.txt", content);
    RunOptions options;
    options.bundle_elements = random.Between(1, 7);
    options.threads = static_cast<int>(random.Between(1, 4));
    options.streaming = random.Chance(0.5);
    const std::int64_t split = random.Between(1, 100);
    ASSERT_EQ(Values<std::string>(text::Read(folder.Path("a.txt")).SplitBytes(split), options), LinesOf(content))
        << "round " << round << ", split " << split << ", bundle " << options.bundle_elements;
  }
}

TEST(TextReadTest, LargeFilesCrossTheReadersBuffer) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  TemporaryFolder folder;
  std::string content;
  while (content.size() < 3'000'000) {
    content.append(
        static_cast<std::size_t>(random.Chance(0.001) ? random.Between(200'000, 600'000) : random.Between(0, 90)), 'x');
    content += random.Chance(0.5) ? "\n" : "\r\n";
  }
  folder.Write("a.txt", content);
  for (const std::int64_t split : {100'000, 777'777, 50'000'000}) {
    RunOptions options;
    options.threads = 3;
    EXPECT_EQ(Values<std::string>(text::Read(folder.Path("a.txt")).SplitBytes(split), options), LinesOf(content))
        << split;
  }
}

TEST(TextReadTest, ALineBeyondTheLimitIsABadRecord) {
  TemporaryFolder folder;
  const std::string exact(100, 'e');
  const std::string longer(101, 'l');
  const std::string huge(2'000'000, 'h');
  folder.Write("a.txt", "first\n" + longer + "\r\n" + exact + "\r\n" + huge + "\nend\n" + huge);
  for (const std::int64_t split : {100'000, 1'000'000'000}) {
    Reading reading;
    std::vector<std::string> values;
    for (auto& e :
         ReadAll<std::string>(text::Read(folder.Path("a.txt")).MaxRecordBytes(100).SplitBytes(split), {}, &reading)) {
      values.push_back(e.value);
    }
    EXPECT_EQ(reading.status, OkStatus());
    EXPECT_THAT(values, UnorderedElementsAre("first", exact, "end"));
    ASSERT_EQ(reading.bad.size(), 3U);
    EXPECT_THAT(reading.bad[0],
                AllOf(HasSubstr("a.txt\",\"position\":2,"), HasSubstr("longer than 100 bytes"), HasSubstr(longer)));
    EXPECT_THAT(reading.bad[1], AllOf(HasSubstr("\"position\":4,"), HasSubstr(std::string(65536, 'h') + "\"")));
    EXPECT_THAT(reading.bad[2], HasSubstr("\"position\":6,"));
  }
}

TEST(TextReadTest, WhatIsNoTextFailsClearly) {
  TemporaryFolder folder;
  folder.Write("a.gz", "\x1F\x8B\x08 and so on");
  EXPECT_THAT(
      FailureOf(text::Read(folder.Path("a.gz"))).ToString(),
      AllOf(HasSubstr("UNIMPLEMENTED: In: file"), HasSubstr("a.gz is compressed with gzip; decompress it first")));
  folder.Write("a.txt",
               "\xFF\xFE"
               "a");
  EXPECT_THAT(FailureOf(text::Read(folder.Path("a.txt"))).message(), HasSubstr("UTF-16"));
  EXPECT_THAT(FailureOf(text::Read(folder.Path("none*"))).ToString(),
              AllOf(HasSubstr("NOT_FOUND: In: no file matches"), HasSubstr("none*")));
  EXPECT_THAT(FailureOf(text::Read(folder.Path("a.txt")).SplitBytes(-1)).message(), HasSubstr("SplitBytes"));
}

TEST(TextReadTest, PatternsFoldersAndHiddenNames) {
  TemporaryFolder folder;
  folder.Write("in/a1.txt", "a1\n");
  folder.Write("in/a2.txt", "a2\n");
  folder.Write("in/deep/b.log", "b\n");
  folder.Write("in/.hidden", "hidden\n");
  folder.Write("in/_marker", "marker\n");
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("in/a?.txt"))), ElementsAre("a1", "a2"));
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("in"))), ElementsAre("a1", "a2", "b"));
  EXPECT_THAT(Values<std::string>(text::Read(folder.Path("in/d*"))), ElementsAre("b"));
}

struct Click {
  std::string user;
  std::int64_t page = 0;
  std::optional<double> weight;
  Timestamp at;
  auto operator<=>(const Click&) const = default;
};

TEST(JsonLinesReadTest, ReadsStructsWithEventTimes) {
  TemporaryFolder folder;
  folder.Write("a.jsonl",
               "{\"user\":\"ann\",\"page\":1,\"at\":\"2001-01-01T00:00:01Z\",\"other\":[1]}\r\n \n"
               "{\"weight\":0.5,\"user\":\"bob\",\"page\":2,\"at\":\"2001-01-01T00:00:02Z\"}");
  Reading reading;
  auto seen = ReadAll<Click>(json_lines::Read<Click>(folder.Path("a.jsonl")).WithEventTime(&Click::at), {}, &reading);
  ASSERT_EQ(reading.status, OkStatus());
  EXPECT_THAT(reading.bad, ElementsAre());
  ASSERT_EQ(seen.size(), 2U);
  for (const auto& element : seen) EXPECT_EQ(element.timestamp, element.value.at);
  const Timestamp first = *Timestamp::Parse("2001-01-01T00:00:01Z");
  EXPECT_EQ(seen[0].value, (Click{"ann", 1, std::nullopt, first}));
  EXPECT_EQ(seen[1].value, (Click{"bob", 2, 0.5, first + std::chrono::seconds(1)}));
}

TEST(JsonLinesReadTest, BadLinesAreBadRecordsHoweverTheFileIsCut) {
  TemporaryFolder folder;
  std::string content;
  for (int i = 1; i <= 300; ++i) {
    content += i % 50 == 0 ? "{\"user\":" + std::to_string(i) + "}\n"
                           : "{\"user\":\"u\",\"page\":" + std::to_string(i) + ",\"at\":\"2001-01-01\"}\n";
  }
  folder.Write("a.jsonl", content);
  for (const std::int64_t split : {10, 100, 1000, 100'000}) {
    for (const int threads : {1, 3}) {
      RunOptions options;
      options.threads = threads;
      Reading reading;
      EXPECT_EQ(
          ReadAll<Click>(json_lines::Read<Click>(folder.Path("a.jsonl")).SplitBytes(split), options, &reading).size(),
          294U);
      ASSERT_EQ(reading.status, OkStatus());
      ASSERT_EQ(reading.bad.size(), 6U);
      EXPECT_THAT(reading.bad[0],
                  AllOf(HasSubstr("a.jsonl\",\"position\":100,"), HasSubstr("user"), HasSubstr("{\\\"user\\\":100}")));
      EXPECT_THAT(reading.bad[5], HasSubstr("\"position\":50,"));
    }
  }
}

struct Stop {
  std::string name;
  std::int32_t line = 0;
  std::optional<std::string> note;
  auto operator<=>(const Stop&) const = default;
};

TEST(CsvReadTest, QuotedCellsMayHoldLineEnds) {
  TemporaryFolder folder;
  folder.Write("a.csv", "line,name,unused,note\r\n1,\"a\nb\",x,\r\n\n2,\"say \"\"hi\"\"\",y,\"n,\"\n3,c,z,\"\"");
  const std::vector<Stop> expected{{"a\nb", 1, std::nullopt}, {"c", 3, ""}, {"say \"hi\"", 2, "n,"}};
  for (std::int64_t bundle = 1; bundle <= 7; ++bundle) {
    RunOptions options;
    options.bundle_elements = bundle;
    options.threads = 2;
    EXPECT_EQ(Values<Stop>(csv::Read<Stop>(folder.Path("a.csv")), options), expected);
  }
}

TEST(CsvReadTest, WithoutNewlinesInCellsAFileCanBeCutAnywhere) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  TemporaryFolder folder;
  for (std::int64_t round = 0; round < base::TestRounds(60, 1000); ++round) {
    std::vector<Stop> stops(static_cast<std::size_t>(random.Between(0, 30)));
    for (Stop& stop : stops) {
      stop.name.append(static_cast<std::size_t>(random.Between(0, 9)), random.Chance(0.5) ? '"' : ';');
      stop.line = static_cast<std::int32_t>(random.Between(-5, 5));
      if (random.Chance(0.5)) stop.note = "n,";
    }
    folder.Write("a.csv", csv::Write(stops, {.delimiter = ';'}));
    std::sort(stops.begin(), stops.end());
    RunOptions options;
    options.bundle_elements = random.Between(1, 7);
    options.threads = static_cast<int>(random.Between(1, 4));
    const auto read = csv::Read<Stop>(folder.Path("a.csv")).Delimiter(';');
    ASSERT_EQ(Values<Stop>(read, options), stops) << round;
    ASSERT_EQ(Values<Stop>(read.WithoutNewlinesInCells().SplitBytes(random.Between(1, 90)), options), stops) << round;
  }
}

TEST(CsvReadTest, BadRowsAreBadRecords) {
  TemporaryFolder folder;
  folder.Write("a.csv", "name,line,note\na,1,\n\nb,many,\n\"c\"d,3,\ne,5\nf,6,ok\n");
  for (const bool cut : {false, true}) {
    auto read = csv::Read<Stop>(folder.Path("a.csv"));
    if (cut) read = read.WithoutNewlinesInCells().SplitBytes(7);
    Reading reading;
    auto seen = ReadAll<Stop>(read, {}, &reading);
    ASSERT_EQ(reading.status, OkStatus());
    EXPECT_EQ(seen.size(), 2U);
    ASSERT_EQ(reading.bad.size(), 3U);
    EXPECT_THAT(reading.bad[0], AllOf(HasSubstr("a.csv\",\"position\":4,"), HasSubstr("line 4"), HasSubstr("many"),
                                      HasSubstr("\"record\":\"b,many,\"")));
    EXPECT_THAT(reading.bad[1], AllOf(HasSubstr("\"position\":5,"), HasSubstr("\"record\":\"\\\"c\\\"d,3,\"")));
    EXPECT_THAT(reading.bad[2], AllOf(HasSubstr("\"position\":6,"), HasSubstr("it has 2 cells, the header has 3"),
                                      HasSubstr("\"record\":\"e,5\"")));
  }
}

TEST(CsvReadTest, ALineEndInACellBreaksThePromise) {
  TemporaryFolder folder;
  folder.Write("a.csv", "name,line,note\n\"a\nb\",1,\nc,2,\n");
  Reading reading;
  auto seen = ReadAll<Stop>(csv::Read<Stop>(folder.Path("a.csv")).WithoutNewlinesInCells(), {}, &reading);
  ASSERT_EQ(reading.status, OkStatus());
  ASSERT_EQ(seen.size(), 2U);  // what follows is a sound row for whoever looks at lines
  EXPECT_EQ(seen[0].value.name, "b\"");
  EXPECT_EQ(seen[1].value.name, "c");
  ASSERT_EQ(reading.bad.size(), 1U);
  EXPECT_THAT(reading.bad[0], AllOf(HasSubstr("\"position\":2,"), HasSubstr("quotes do not match within the line")));
}

TEST(CsvReadTest, AHeaderThatDoesNotFitNamesFileAndField) {
  TemporaryFolder folder;
  folder.Write("a.csv", "name,note\na,b\n");
  for (const bool cut : {false, true}) {
    auto read = csv::Read<Stop>(folder.Path("a.csv"));
    EXPECT_THAT(FailureOf(cut ? read.WithoutNewlinesInCells() : read).ToString(),
                AllOf(HasSubstr("INVALID_ARGUMENT: In: file "), HasSubstr("a.csv: CSV: field \"line\" has no column")));
  }
}

}  // namespace
}  // namespace millrace
