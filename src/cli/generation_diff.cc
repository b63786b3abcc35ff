#include "cli/generation_diff.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/generation_reader.h"
#include "cli/late_cells.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/sql_rows.h"
#include "cli/warehouse.h"
#include "columnar/view_columns.h"
#include "log/log_reader.h"

namespace millrace::cli {

namespace {

constexpr std::size_t kMemoryMib = 2048;
constexpr std::uint64_t kExpectationBytesMax = 1 << 20;
constexpr auto kEndingMax = std::chrono::seconds(60);
constexpr auto kEndingPause = std::chrono::milliseconds(50);

using columnar::QuoteIdentifier;
using columnar::QuoteLiteral;

// The statements of an SQL text: parts between semicolons that are neither in a text, a name or a comment.
std::vector<std::string> Statements(const std::string& text) {
  std::vector<std::string> statements(1);
  bool has_code = false;
  const auto skip = [&](std::size_t* at, std::string_view closing) {
    const std::size_t end = text.find(closing, *at + closing.size());
    const std::size_t behind = end == std::string::npos ? text.size() : end + closing.size();
    statements.back().append(text, *at, behind - *at);
    *at = behind - 1;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = std::string_view(text).substr(at);
    const bool is_comment = rest.starts_with("--") || rest.starts_with("/*");
    if (is_comment) {
      skip(&at, rest[0] == '-' ? "\n" : "*/");
      continue;
    }
    if (text[at] == ';') {
      if (!has_code) statements.pop_back();
      statements.emplace_back();
      has_code = false;
      continue;
    }
    has_code = has_code || std::isspace(static_cast<unsigned char>(text[at])) == 0;
    if (text[at] == '\'' || text[at] == '"') {
      skip(&at, std::string_view(&text[at], 1));
    } else {
      statements.back() += text[at];
    }
  }
  if (!has_code) statements.pop_back();
  return statements;
}

// A process that comes to its end while it is asked, as all do when their topic is closed, leaves files to be read.
template <class Read>
auto WhileItEnds(Read&& read) -> decltype(read()) {
  const auto until = std::chrono::steady_clock::now() + kEndingMax;
  while (true) {
    auto result = read();
    const bool has_gone = result.status().code() == StatusCode::kUnavailable;
    if (!has_gone || std::chrono::steady_clock::now() >= until) return result;
    std::this_thread::sleep_for(kEndingPause);
  }
}

StatusOr<Timestamp> WatermarkOf(const Invocation& invocation, std::uint64_t generation) {
  MILLRACE_ASSIGN_OR_RETURN(const GenerationReader reader, GenerationReader::Open(invocation, generation));
  MILLRACE_ASSIGN_OR_RETURN(const CommittedThrough through, reader.AwaitCommitted());
  return through.watermark;
}

// How many of the records before `end` the generation has not read, now that both are exported.
StatusOr<std::int64_t> ExportRead(const Invocation& invocation, std::uint64_t generation, const log::Cut& end,
                                  const std::vector<ViewDescriptor>& views, const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(path));
  MILLRACE_ASSIGN_OR_RETURN(const GenerationReader reader, GenerationReader::Open(invocation, generation));
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t unread, reader.AwaitRead(end));
  MILLRACE_RETURN_IF_ERROR(reader.AwaitCommitted().status());
  for (const ViewDescriptor& view : views) {
    MILLRACE_RETURN_IF_ERROR(reader.Export(view.name, path + "/" + view.name + ".parquet"));
  }
  MILLRACE_RETURN_IF_ERROR(reader.Export(kDeadLettersTable, path + "/" + kDeadLettersTable + ".parquet"));
  return unread;
}

// Where the topic ends now; empty where there is none.
StatusOr<log::Cut> EndOfTopic(const Invocation& invocation) {
  const auto reader =
      log::LogReader::Open(base::PosixFileSystem(), invocation.pipeline.data_dir + "/log", invocation.pipeline.topic);
  if (reader.status().code() == StatusCode::kNotFound) return log::Cut();
  MILLRACE_RETURN_IF_ERROR(reader.status());
  return (*reader)->End();
}

}  // namespace

GenerationDiff::GenerationDiff(GenerationDiff&& other) noexcept
    : folder_(std::exchange(other.folder_, {})),
      connection_(std::move(other.connection_)),
      days_(std::move(other.days_)),
      totals_(std::move(other.totals_)) {}

GenerationDiff::~GenerationDiff() {
  connection_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

StatusOr<GenerationDiff> GenerationDiff::Compare(const Invocation& invocation, const Pipeline& pipeline,
                                                 std::uint64_t old_generation, std::uint64_t new_generation) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  GenerationDiff diff(std::filesystem::absolute(data_dir).string() + "/compare-" + std::to_string(::getpid()));
  std::error_code ignored;
  std::filesystem::remove_all(diff.folder_, ignored);
  EventTimeRange range;
  Timestamp watermark = Timestamp::Max();
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ViewDescriptor> views, ViewsOfTopology(invocation, pipeline));
  const std::array<std::pair<const char*, std::uint64_t>, 2> sides = {
      {{"old", old_generation}, {"new", new_generation}}};
  for (const auto& [name, generation] : sides) {
    MILLRACE_ASSIGN_OR_RETURN(const Timestamp through,
                              WhileItEnds([&, number = generation] { return WatermarkOf(invocation, number); }));
    watermark = std::min(watermark, through);
    if (const BesideGeneration* beside = manifest.FindBeside(generation)) {
      if (beside->range.from) range.from = std::max(range.from.value_or(Timestamp::Min()), *beside->range.from);
      if (beside->range.to) range.to = std::min(range.to.value_or(Timestamp::Max()), *beside->range.to);
    }
  }
  // What lands from here on is late, in both, for every window that is compared. What landed before is in the cells of
  // a generation or among its late elements once it is read, not earlier.
  MILLRACE_ASSIGN_OR_RETURN(const log::Cut end, EndOfTopic(invocation));
  for (const auto& [name, generation] : sides) {
    const std::string path = diff.folder_ + "/" + name;
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t unread, WhileItEnds([&, number = generation] {
                                return ExportRead(invocation, number, end, views, path);
                              }));
    if (unread == 0) continue;
    std::cerr << invocation.program << ": generation " << generation << " has not read " << GroupedDigits(unread)
              << " records of the log yet, so cells may differ by late ones among these\n";
  }
  MILLRACE_ASSIGN_OR_RETURN(const columnar::Database database,
                            columnar::Database::Open({.path = diff.folder_ + "/compare.duckdb",
                                                      .threads = WarehouseThreads(invocation),
                                                      .memory_limit_mib = kMemoryMib}));
  MILLRACE_ASSIGN_OR_RETURN(diff.connection_, database.Connect());
  for (const char* schema : {"diff", "late", "old", "new"}) {
    MILLRACE_RETURN_IF_ERROR(diff.connection_->Execute(std::string("CREATE SCHEMA ") + schema));
  }
  for (const ViewDescriptor& view : views) {
    MILLRACE_RETURN_IF_ERROR(diff.CompareView(view, pipeline, watermark, range).WithContext("view " + view.name));
  }
  return diff;
}

Status GenerationDiff::CompareView(const ViewDescriptor& view, const Pipeline& pipeline, Timestamp watermark,
                                   const EventTimeRange& range) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  const LateSource source = LateSourceOf(pipeline, view.name);
  const std::vector<LateKey> keys = LateKeysOf(columns, view, source);
  const std::string name = QuoteIdentifier(view.name);
  for (const std::string generation : {"old", "new"}) {
    MILLRACE_RETURN_IF_ERROR(
        connection_->Execute("CREATE VIEW " + generation + "." + name + " AS SELECT * FROM read_parquet(" +
                             QuoteLiteral(folder_ + "/" + generation + "/" + view.name + ".parquet") + ")"));
  }
  std::string coalesced;
  std::string values;
  std::string same_values;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    coalesced +=
        "CASE WHEN o.there THEN o." + keys[i].name + " ELSE n." + keys[i].name + " END AS " + keys[i].name + ", ";
  }
  for (const columnar::ViewColumn& column : columns.value) {
    const std::string quoted = QuoteIdentifier(column.name);
    values += ", o." + quoted + " AS " + QuoteIdentifier("old_" + column.name) + ", n." + quoted + " AS " +
              QuoteIdentifier("new_" + column.name);
    same_values += " AND o." + quoted + " IS NOT DISTINCT FROM n." + quoted;
  }
  const std::string letters = "read_parquet([" + QuoteLiteral(folder_ + "/old/" + kDeadLettersTable + ".parquet") +
                              ", " + QuoteLiteral(folder_ + "/new/" + kDeadLettersTable + ".parquet") + "])";
  MILLRACE_RETURN_IF_ERROR(
      connection_->Execute("CREATE TABLE late." + name + " AS " + LateCellsSql(source, keys, letters)));
  std::string wanted = "true";
  if (watermark < Timestamp::Max()) {
    const Timestamp until = watermark == Timestamp::Min() ? watermark : watermark - source.allowed_lateness;
    wanted += until == Timestamp::Min() ? " AND false" : " AND window_end <= " + columnar::SqlTimestamp(until);
  }
  if (range.from) wanted += " AND window_start >= " + columnar::SqlTimestamp(*range.from);
  if (range.to) wanted += " AND window_end <= " + columnar::SqlTimestamp(*range.to);
  const auto side = [&](const std::string& generation) {
    return "(SELECT *, true AS there FROM " + generation + "." + name + " WHERE " + wanted + ")";
  };
  MILLRACE_RETURN_IF_ERROR(connection_->Execute(
      "CREATE TABLE diff._" + view.name + " AS SELECT *, " + "EXISTS (SELECT 1 FROM late." + name + " AS l WHERE " +
      SameLateSql(source, keys, "l", "c") + ")" + " AS is_late FROM (SELECT " + coalesced +
      "CASE WHEN o.there THEN o.window_start ELSE n.window_start END AS window_start, "
      "CASE WHEN o.there THEN o.window_end ELSE n.window_end END AS window_end, "
      "CASE WHEN n.there IS NULL THEN 'missing' WHEN o.there IS NULL THEN 'extra' WHEN true" +
      same_values + " THEN 'equal' ELSE 'mismatch' END AS kind" + values + " FROM " + side("old") +
      " AS o FULL OUTER JOIN " + side("new") + " AS n ON " + SameKeySql(keys, "o", "n") + " AND " +
      SameWindowSql("o", "n") + ") AS c"));
  MILLRACE_RETURN_IF_ERROR(connection_->Execute("CREATE VIEW diff." + name +
                                                " AS SELECT * EXCLUDE (is_late) FROM diff._" + view.name +
                                                " WHERE kind <> 'equal' AND NOT is_late"));
  return CountDays(view);
}

Status GenerationDiff::CountDays(const ViewDescriptor& view) {
  const std::string counts =
      "count(*) FILTER (kind = 'equal' AND NOT is_late), count(*) FILTER (kind = 'mismatch' AND NOT is_late), "
      "count(*) FILTER (kind = 'missing' AND NOT is_late), count(*) FILTER (kind = 'extra' AND NOT is_late), "
      "count(*) FILTER (is_late) FROM diff._" +
      view.name;
  const auto read = [&](const std::string& sql, std::vector<DiffDay>* days) -> Status {
    MILLRACE_ASSIGN_OR_RETURN(columnar::Result result, connection_->Query(sql));
    while (true) {
      MILLRACE_ASSIGN_OR_RETURN(const bool more, result.Next());
      if (!more) return OkStatus();
      for (std::size_t row = 0; row < result.rows(); ++row) {
        const auto number = [&](std::size_t column) { return std::stoll(result.Text(column, row).value_or("0")); };
        days->push_back({.view = view.name,
                         .day = result.Text(0, row).value_or("all of time"),
                         .equal = number(1),
                         .mismatch = number(2),
                         .missing = number(3),
                         .extra = number(4),
                         .late = number(5)});
      }
    }
  };
  MILLRACE_RETURN_IF_ERROR(read("SELECT 'all', " + counts, &totals_));
  return read("SELECT CAST(window_start AS DATE) AS day, " + counts +
                  " GROUP BY day HAVING count(*) FILTER (kind <> 'equal' AND NOT is_late) > 0 ORDER BY day",
              &days_);
}

std::vector<DiffDay> GenerationDiff::Totals() const { return totals_; }

bool GenerationDiff::IsEqual() const {
  return std::all_of(totals_.begin(), totals_.end(),
                     [](const DiffDay& view) { return view.mismatch + view.missing + view.extra == 0; });
}

StatusOr<bool> GenerationDiff::MeetsExpectation(const std::string& file, std::ostream& out) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile(base::PosixFileSystem(), file, kExpectationBytesMax));
  int number = 0;
  bool is_met = true;
  for (const std::string& statement : Statements(text)) {
    const std::string name = file + ", statement " + std::to_string(++number);
    StatusOr<std::int64_t> rows = connection_->QueryInt64("SELECT count(*) FROM (" + statement + "\n)");
    if (!rows.ok()) return rows.status().WithContext(name);
    if (*rows == 0) continue;
    is_met = false;
    out << name << " gives " << GroupedDigits(*rows) << " rows, and must give none:\n";
    MILLRACE_RETURN_IF_ERROR(PrintSqlRows(*connection_, "FROM (" + statement + "\n) LIMIT 20", "table", out));
  }
  if (number == 0) return InvalidArgumentError(file + " has no statement; give SELECTs that must give no row");
  return is_met;
}

Status GenerationDiff::Print(const std::string& format, bool with_days, std::ostream& out) const {
  const auto number = [](std::string name) {
    return RowColumn{.name = std::move(name), .kind = CellKind::kLiteral, .is_number = true};
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, MakeRowWriter(format,
                                                             {{.name = "view"},
                                                              {.name = "day"},
                                                              number("equal"),
                                                              number("mismatch"),
                                                              number("missing"),
                                                              number("extra"),
                                                              number("late")},
                                                             out));
  const auto write = [&](const DiffDay& day) {
    writer->Write({TextCell(day.view), TextCell(day.day), NumberCell(day.equal), NumberCell(day.mismatch),
                   NumberCell(day.missing), NumberCell(day.extra), NumberCell(day.late)});
  };
  if (with_days) {
    for (const DiffDay& day : days_) write(day);
  }
  for (const DiffDay& view : totals_) write(view);
  writer->Finish();
  return OkStatus();
}

}  // namespace millrace::cli
