// Values of every kind through a DuckDB table and back, and what does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "columnar/database.h"
#include "millrace/core/schema.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {

// Not in an unnamed namespace: a type without linkage cannot be the value of a reflected std::optional under clang.
enum class Color : std::uint16_t { kRed = 1, kBlue = 700 };

struct Inner {
  std::int32_t number = 0;
  std::optional<std::string> note;
  friend bool operator==(const Inner&, const Inner&) = default;
};

struct Everything {
  bool flag = false;
  std::int8_t tiny = 0;
  std::int16_t small = 0;
  std::int32_t medium = 0;
  std::int64_t big = 0;
  std::uint8_t utiny = 0;
  std::uint32_t umedium = 0;
  std::uint64_t ubig = 0;
  float real = 0;
  double precise = 0;
  std::string text;
  std::vector<std::byte> raw;
  Timestamp at;
  Duration took{};
  Color color = Color::kRed;
  std::optional<std::int64_t> maybe;
  std::vector<std::string> tags;
  std::vector<std::vector<std::int32_t>> nested;
  Inner inner;
  std::optional<Inner> maybe_inner;
  std::vector<Inner> inners;
  std::map<std::string, std::int64_t> counts;
  friend bool operator==(const Everything&, const Everything&) = default;
};

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Everything Sample(int i) {
  Everything e;
  e.flag = i % 2 == 1;
  e.tiny = static_cast<std::int8_t>(-i % 100);
  e.small = static_cast<std::int16_t>(i);
  e.medium = -i * 1000;
  e.big = i * 1'000'000'000'000;
  e.utiny = static_cast<std::uint8_t>(i % 256);
  e.umedium = 4'000'000'000U + static_cast<std::uint32_t>(i);
  e.ubig = ~std::uint64_t{0} - static_cast<std::uint64_t>(i);
  e.real = static_cast<float>(i) / 4;
  e.precise = i / 3.0;
  e.text = i % 3 == 0 ? "" : std::string(static_cast<std::size_t>(i % 30), 'x') + "é";
  e.raw.assign(static_cast<std::size_t>(i % 20), std::byte{0xFF});
  e.at = i == 5   ? Timestamp::Min()
         : i == 6 ? Timestamp::Max()
                  : Timestamp::FromMicros(i * std::int64_t{1'000'003} - 50);
  e.took = Duration(i * 7);
  e.color = i % 2 == 0 ? Color::kBlue : Color::kRed;
  if (i % 4 != 0) e.maybe = i;
  for (int t = 0; t < i % 5; ++t) e.tags.push_back("tag " + std::to_string(t) + " of a row " + std::to_string(i));
  if (i % 3 == 1) e.nested = {{1, 2}, {}, {i}};
  e.inner = {i, i % 2 == 0 ? std::optional<std::string>() : "note"};
  if (i % 7 == 0) e.maybe_inner = Inner{-i, "a longer note of more than 12 bytes"};
  if (i % 6 == 2) e.inners = {{1, {}}, {2, "b"}};
  if (i % 4 == 3) e.counts = {{"a", i}, {"b", -i}};
  return e;
}

Connection Memory() { return *Database::Open({})->Connect(); }

std::string CreateTable(const Schema& schema) {
  std::string sql;
  for (const Field& field : schema.fields()) {
    sql += (sql.empty() ? "CREATE TABLE t (" : ", ") + QuoteIdentifier(field.name) + " " + *SqlType(*field.type);
  }
  return sql + ")";
}

std::vector<ColumnSource> SourcesOf(const Schema& schema, const void* rows, std::size_t stride) {
  std::vector<ColumnSource> sources;
  for (const Field& field : schema.fields()) {
    sources.push_back({.base = rows, .stride = stride, .offset = field.offset});
  }
  return sources;
}

TEST(ColumnarTypesTest, EveryKindComesBack) {
  const Schema& schema = SchemaOf<Everything>();
  Connection connection = Memory();
  ASSERT_EQ(connection.Execute(CreateTable(schema)), OkStatus());
  std::vector<Everything> written;
  for (int i = 0; i < 5000; ++i) written.push_back(Sample(i));
  {
    StatusOr<Appender> appender = connection.Append("", "t", ColumnsOf(schema));
    ASSERT_TRUE(appender.ok()) << appender.status();
    ASSERT_EQ(appender->Append(SourcesOf(schema, written.data(), sizeof(Everything)), written.size()), OkStatus());
    ASSERT_EQ(appender->Flush(), OkStatus());
  }
  StatusOr<Result> result = connection.Query("SELECT * FROM t");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->BindStruct(schema), OkStatus());
  std::vector<Everything> read(written.size(), Sample(3));  // old content must be overwritten
  std::vector<FieldIssue> issues;
  while (*result->Next()) {
    result->DecodeRows(0, result->rows(), read.data() + result->first_row(), sizeof(Everything), &issues);
  }
  EXPECT_TRUE(issues.empty());
  for (std::size_t i = 0; i < read.size(); ++i) ASSERT_TRUE(read[i] == written[i]) << "row " << i;
}

template <class T>
struct Outcome {
  T value{};
  std::string problem;
};

// The single value of a query, or why it does not fit.
template <class T>
Outcome<T> ReadOne(const std::string& sql) {
  Outcome<T> outcome;
  Connection connection = Memory();
  StatusOr<Result> result = connection.Query(sql);
  if (!result.ok()) return {.problem = result.status().message()};
  Status status = result->Bind(0, TypeOf<T>());
  if (!status.ok()) return {.problem = status.message()};
  EXPECT_TRUE(*result->Next());
  std::vector<FieldIssue> issues;
  result->Decode(0, 0, 1, &outcome.value, sizeof(T), &issues);
  if (!issues.empty()) outcome.problem = issues[0].ToString();
  return outcome;
}

TEST(ColumnarTypesTest, NumbersAreWidenedAndCheckedWhenNarrowed) {
  EXPECT_EQ(ReadOne<std::int64_t>("SELECT 7::TINYINT AS v").value, 7);
  EXPECT_EQ(ReadOne<std::int64_t>("SELECT sum(x) FROM (VALUES (1),(2)) t(x)").value, 3);  // HUGEINT
  EXPECT_EQ(ReadOne<std::int16_t>("SELECT (-3)::BIGINT AS v").value, -3);
  EXPECT_EQ(ReadOne<std::int16_t>("SELECT 70000 AS v").problem,
            "row 0, field v: the value is out of the range of int16");
  EXPECT_THAT(ReadOne<std::uint8_t>("SELECT -1 AS v").problem, HasSubstr("out of the range of uint8"));
  EXPECT_THAT(ReadOne<std::int64_t>("SELECT 170141183460469231731687303715884105727 AS v").problem,
              HasSubstr("out of the range of int64"));
  EXPECT_DOUBLE_EQ(ReadOne<double>("SELECT 12.345::DECIMAL(10,3)").value, 12.345);
  EXPECT_DOUBLE_EQ(ReadOne<double>("SELECT -12.345::DECIMAL(30,3)").value, -12.345);
  EXPECT_EQ(ReadOne<double>("SELECT 5::BIGINT").value, 5.0);
  EXPECT_THAT(ReadOne<float>("SELECT 1e300::DOUBLE AS v").problem, HasSubstr("out of the range of float"));
}

TEST(ColumnarTypesTest, TimesOfEveryUnitAreMicroseconds) {
  const Timestamp expected = Timestamp::FromSeconds(978'307'200);
  EXPECT_EQ(ReadOne<Timestamp>("SELECT TIMESTAMP '2001-01-01'").value, expected);
  EXPECT_EQ(ReadOne<Timestamp>("SELECT DATE '2001-01-01'").value, expected);
  EXPECT_EQ(ReadOne<Timestamp>("SELECT TIMESTAMP_S '2001-01-01'").value, expected);
  EXPECT_EQ(ReadOne<Timestamp>("SELECT TIMESTAMP_MS '2001-01-01'").value, expected);
  EXPECT_EQ(ReadOne<Timestamp>("SELECT TIMESTAMP_NS '1969-12-31 23:59:59.999999999'").value, Timestamp::FromMicros(-1));
  EXPECT_EQ(ReadOne<Timestamp>("SELECT TIMESTAMPTZ '2001-01-01 02:00:00+02'").value, expected);
  EXPECT_EQ(ReadOne<Timestamp>("SELECT 'infinity'::DATE").value, Timestamp::Max());
  EXPECT_EQ(ReadOne<Timestamp>("SELECT '-infinity'::TIMESTAMP").value, Timestamp::Min());
  EXPECT_EQ(ReadOne<Duration>("SELECT INTERVAL '1 day 1 second'").value, std::chrono::seconds(86'401));
  EXPECT_THAT(ReadOne<Duration>("SELECT INTERVAL '1 month' AS v").problem, HasSubstr("no fixed length"));
}

TEST(ColumnarTypesTest, WhatCannotFitIsToldWithBothTypes) {
  EXPECT_THAT(ReadOne<std::int64_t>("SELECT 'x' AS v").problem,
              HasSubstr("column v has type VARCHAR and cannot be read into a int64"));
  EXPECT_THAT(ReadOne<std::int64_t>("SELECT NULL::BIGINT AS v").problem, HasSubstr("std::optional"));
  EXPECT_EQ(ReadOne<std::optional<std::int64_t>>("SELECT NULL::BIGINT AS v").problem, "");
  EXPECT_THAT(ReadOne<std::vector<std::int8_t>>("SELECT [1, 500] AS v").problem, HasSubstr("row 0, field v[]: "));
  EXPECT_THAT(ReadOne<Inner>("SELECT {'number': 1} AS v").problem, HasSubstr("column v.note is missing"));
  EXPECT_EQ(ReadOne<std::string>("SELECT 'b'::ENUM('a','b')").value, "b");
  EXPECT_THAT(ReadOne<std::vector<std::int32_t>>("SELECT [1,2,3]::INTEGER[3]").value, ElementsAre(1, 2, 3));
}

TEST(ColumnarTypesTest, IssuesOfOptionalsNameTheirRows) {
  Connection connection = Memory();
  Result result = *connection.Query("SELECT CASE WHEN range % 2 = 0 THEN range END AS v FROM range(134)");
  ASSERT_EQ(result.Bind(0, TypeOf<std::optional<std::int8_t>>()), OkStatus());
  ASSERT_TRUE(*result.Next());
  std::vector<std::optional<std::int8_t>> values(134, 99);
  std::vector<FieldIssue> issues;
  result.Decode(0, 0, values.size(), values.data(), sizeof(values[0]), &issues);
  ASSERT_EQ(issues.size(), 3U);
  EXPECT_EQ(issues[0].row, 128U);
  EXPECT_EQ(issues[2].row, 132U);
  EXPECT_EQ(values[126], 126);
  EXPECT_EQ(values[127], std::nullopt);
}

TEST(ColumnarTypesTest, AnyValueHasAText) {
  Connection connection = Memory();
  StatusOr<Result> result = connection.Query(
      "SELECT 1::HUGEINT, 1.50::DECIMAL(9,2), -1.5::DECIMAL(4,1), TIMESTAMPTZ '2001-01-01 00:00:00+00', [1, NULL], "
      "{'a': 1, 'b': 'x'}, MAP {'k': 2}, '\\xAA'::BLOB, 'b'::ENUM('a','b'), DATE '2001-02-03', NULL::INTEGER, "
      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID, 0.1::DOUBLE, INTERVAL '1 hour', TIME '01:02:03'");
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_TRUE(*result->Next());
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < result->columns().size(); ++i) texts.push_back(result->Text(i, 0).value_or("-"));
  EXPECT_THAT(texts, ElementsAre("1", "1.50", "-1.5", "2001-01-01 00:00:00+00", "[1, NULL]", "{'a': 1, 'b': x}",
                                 "{k=2}", "\\xAA", "b", "2001-02-03", "-", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                                 "0.1", "01:00:00", "01:02:03"));
}

TEST(ColumnarTypesTest, BadValuesAreRefusedByTheAppender) {
  Connection connection = Memory();
  ASSERT_EQ(connection.Execute("CREATE TABLE t (v VARCHAR)"), OkStatus());
  std::vector<std::string> rows = {"fine", "\xFF\xFE"};
  StatusOr<Appender> appender = connection.Append("", "t", {{"v", &TypeOf<std::string>()}});
  ASSERT_TRUE(appender.ok());
  Status status = appender->Append({{.base = rows.data(), .stride = sizeof(std::string)}}, 2);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("column v"));
  EXPECT_THAT(status.message(), HasSubstr("row 1: a text is not valid UTF-8"));
  EXPECT_THAT(connection.Append("", "t", {{"v", &TypeOf<std::int64_t>()}}).status().message(),
              HasSubstr("a value of type int64 cannot be written into a column of type VARCHAR"));
}

}  // namespace
}  // namespace millrace::columnar
