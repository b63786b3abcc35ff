// How rows and progress look, and how jobs may be written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/progress_line.h"
#include "cli/row_writer.h"
#include "millrace/millrace.h"
#include "millrace/runner/main.h"

namespace millrace::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<RowColumn> kColumns = {{.name = "name"},
                                         {.name = "n", .kind = CellKind::kLiteral, .is_number = true},
                                         {.name = "at", .kind = CellKind::kTime}};
const std::vector<std::vector<RowCell>> kRows = {{{"Zürich", false}, {"-7", false}, {"2001-01-01T00:00:00.5Z", false}},
                                                 {{"a \"b\", c\nd", false}, {"NaN", false}, {"", true}},
                                                 {{"", false}, {"", true}, {"+inf", false}}};

std::string Printed(std::string_view format) {
  std::ostringstream out;
  auto writer = MakeRowWriter(format, kColumns, out);
  for (const auto& row : kRows) (*writer)->Write(row);
  (*writer)->Finish();
  return out.str();
}

TEST(RowWriterTest, Table) {
  EXPECT_EQ(Printed("table"),
            "name          n  at\n"
            "----------  ---  ---------------------\n"
            "Zürich       -7  2001-01-01 00:00:00.5\n"
            "a \"b\", c d  NaN\n"
            "                 +inf\n"
            "(3 rows)\n");
}

TEST(RowWriterTest, Json) {
  EXPECT_EQ(Printed("json"),
            "{\"name\":\"Zürich\",\"n\":-7,\"at\":\"2001-01-01T00:00:00.5Z\"}\n"
            "{\"name\":\"a \\\"b\\\", c\\nd\",\"n\":\"NaN\",\"at\":null}\n"
            "{\"name\":\"\",\"n\":null,\"at\":\"+inf\"}\n");
}

TEST(RowWriterTest, Csv) {
  EXPECT_EQ(Printed("csv"),
            "name,n,at\n"
            "Zürich,-7,2001-01-01T00:00:00.5Z\n"
            "\"a \"\"b\"\", c\nd\",NaN,\n"
            "\"\",,+inf\n");
}

TEST(RowWriterTest, ALongTableIsPrintedAsItComes) {
  std::ostringstream out;
  auto writer = MakeRowWriter("table", {{.name = "n", .is_number = true}}, out);
  for (int i = 0; i < 10'000; ++i) (*writer)->Write({{std::to_string(i), false}});
  EXPECT_THAT(out.str(), StartsWith("   n\n----\n   0\n   1\n"));
  (*writer)->Write({{"123456789", false}});
  (*writer)->Finish();
  EXPECT_THAT(out.str(), HasSubstr("\n9999\n123456789\n(10,001 rows)\n"));
}

TEST(RowWriterTest, GroupsDigits) {
  EXPECT_EQ(GroupedDigits(0), "0");
  EXPECT_EQ(GroupedDigits(-123), "-123");
  EXPECT_EQ(GroupedDigits(-1234), "-1,234");
  EXPECT_EQ(GroupedDigits(1234567), "1,234,567");
}

Progress At(double elapsed_s, std::int64_t elements) {
  return {.elements_read = elements, .watermark = Timestamp::FromSeconds(978'307'200), .elapsed_s = elapsed_s};
}

TEST(ProgressLineTest, ElsewhereALineEveryFiveSeconds) {
  std::ostringstream out;
  ProgressLine line(out, false);
  for (int i = 1; i <= 55; ++i) line.Show(At(0.2 * i, 1000 * i));
  EXPECT_EQ(out.str(),
            "25,000 read, 5,000 per second, watermark 2001-01-01T00:00:00Z, 0:05\n"
            "50,000 read, 5,000 per second, watermark 2001-01-01T00:00:00Z, 0:10\n");
}

TEST(ProgressLineTest, AShortRunShowsNothingElsewhere) {
  std::ostringstream out;
  ProgressLine line(out, false);
  line.Show(At(0.4, 10));
  Progress last = At(0.9, 20);
  last.done = true;
  line.Show(last);
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressLineTest, OnATerminalOneLineIsRedrawnAndRemoved) {
  std::ostringstream out;
  ProgressLine line(out, true);
  line.Show(At(0.5, 1000));
  EXPECT_EQ(out.str(),
            "\r\x1b[K[=====               ] 1,000 read, 2,000 per second, watermark 2001-01-01T00:00:00Z, 0:00");
  Progress last = At(1, 2000);
  last.done = true;
  line.Show(last);
  EXPECT_THAT(out.str(), ::testing::EndsWith("\r\x1b[K"));
}

TEST(ProgressLineTest, WhereTheEndIsKnownItSaysHowMuchIsRead) {
  Progress progress = At(5, 1000);
  progress.fraction = 0.456;
  std::ostringstream terminal;
  ProgressLine(terminal, true).Show(progress);
  EXPECT_EQ(terminal.str(),
            "\r\x1b[K[=========           ] 45 %, 1,000 read, 200 per second, watermark 2001-01-01T00:00:00Z, 0:05");
  std::ostringstream elsewhere;
  ProgressLine(elsewhere, false).Show(progress);
  EXPECT_EQ(elsewhere.str(), "45 %, 1,000 read, 200 per second, watermark 2001-01-01T00:00:00Z, 0:05\n");
}

int RunJob(Job job, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "job");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return Main(static_cast<int>(argv.size()), argv.data(), std::move(job));
}

struct SizeOptions {
  std::int64_t size = 1;
};
void BuildPlain(Pipeline& pipeline) { pipeline | "One" >> Create(std::vector<std::int64_t>{1}); }
Status BuildRefused(Pipeline&, const SizeOptions& options) {
  return options.size > 0 ? OkStatus() : InvalidArgumentError("the size must be greater than 0");
}

TEST(JobTest, MayBeAFunctionOrALambda) {
  EXPECT_EQ(RunJob(BuildPlain, {"run"}), 0);
  std::int64_t size = 0;
  std::int32_t threads = 0;
  const auto build = [&](Pipeline& pipeline, const SizeOptions& options, const PipelineOptions& all) {
    size = options.size;
    threads = all.threads;
    BuildPlain(pipeline);
  };
  EXPECT_EQ(RunJob(build, {"run", "--size=7", "--threads=2"}), 0);
  EXPECT_EQ(size, 7);
  EXPECT_EQ(threads, 2);
  EXPECT_EQ(RunJob([&](Pipeline&, const PipelineOptions& all) { threads = all.threads; }, {"describe", "--threads=5"}),
            0);
  EXPECT_EQ(threads, 5);
}

TEST(JobTest, MayRefuse) {
  EXPECT_EQ(RunJob(BuildRefused, {"run"}), 0);
  EXPECT_EQ(RunJob(BuildRefused, {"run", "--size=0"}), 1);
  EXPECT_EQ(RunJob([](Pipeline&) { throw std::runtime_error("no"); }, {"run"}), 1);
}

}  // namespace
}  // namespace millrace::cli
