#include "cli/dlq.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/dlq_marks.h"
#include "cli/dlq_records.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/sql_rows.h"
#include "cli/verbs.h"
#include "cli/warehouse.h"
#include "log/topic.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr std::uint64_t kShownMax = 20;
constexpr std::uint64_t kCausesMax = 100;
constexpr std::uint64_t kDiscardedMax = LetterMarks::kMarksMax;

std::string DlqUsage(const Invocation& invocation) {
  return "usage: " + invocation.program + " dlq list|show|replay|discard [ID...] --data_dir=DIR";
}

// A text in SQL.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

StatusOr<int> ListCauses(const Invocation& invocation) {
  MILLRACE_ASSIGN_OR_RETURN(const Letters letters, Letters::Open(invocation));
  const std::uint64_t limit = invocation.output.limit.value_or(kCausesMax);
  MILLRACE_ASSIGN_OR_RETURN(
      const std::string rows,
      letters.Query("SELECT name, step, nullif(reason, '') AS reason, count(*) AS letters, min(written_at) AS "
                    "first_at, max(written_at) AS "
                    "last_at, string_agg(DISTINCT left(code_version, 12), ' ' ORDER BY left(code_version, 12)) AS "
                    "code_versions, min(id) AS one_id " +
                        letters.Chosen({}) + " GROUP BY name, step, reason ORDER BY letters DESC, name, step, reason " +
                        "LIMIT " + std::to_string(limit),
                    invocation.output.format));
  std::cout << rows;
  return 0;
}

void PrintField(const char* name, const std::string& value) {
  if (!value.empty())
    std::cout << "  " << name << std::string(14 - std::string_view(name).size(), ' ') << value << "\n";
}

std::string TimeText(const std::optional<Timestamp>& time) { return time ? time->ToString() : ""; }

// A letter with the record that it comes from.
Status PrintLetter(const Invocation& invocation, std::uint64_t generation, const ListedLetter& letter) {
  std::cout << "letter " << letter.id << "\n";
  PrintField("name", letter.name);
  PrintField("step", letter.step);
  PrintField("reason", letter.reason.value_or(""));
  PrintField("event_time", TimeText(letter.event_time));
  PrintField("window_start", TimeText(letter.window_start));
  PrintField("window_end", TimeText(letter.window_end));
  PrintField("written_at", letter.written_at.ToString());
  PrintField("code_version", letter.code_version.value_or(""));
  PrintField("element", letter.element);
  PrintField("origin", letter.origin ? *letter.origin + ", position " + std::to_string(*letter.position) : "not known");
  const std::optional<log::RecordPlace> place = PlaceOf(letter);
  const std::string log = invocation.pipeline.data_dir + "/log";
  if (!place || !log::ReadTopic(base::PosixFileSystem(), log, place->topic).ok()) return OkStatus();
  const PlaceInTopic in_topic(place->partition, place->offset);
  MILLRACE_ASSIGN_OR_RETURN(const auto records, ReadRecords(invocation, generation, place->topic, {in_topic}));
  const auto found = records.find(in_topic);
  if (found == records.end()) {
    PrintField("record", "neither in the log nor in the archive any more");
    return OkStatus();
  }
  PrintField("key", found->second.key);
  for (const auto& [name, value] : found->second.attributes) PrintField("attribute", name + "=" + value);
  PrintField("data", found->second.data);
  return OkStatus();
}

StatusOr<int> Show(const Invocation& invocation, const std::vector<std::string>& ids) {
  MILLRACE_ASSIGN_OR_RETURN(const Letters letters, Letters::Open(invocation));
  if (!ids.empty() && invocation.output.format == "table") {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<ListedLetter> chosen, letters.Choose(ids, kDiscardedMax));
    for (const ListedLetter& letter : chosen) {
      MILLRACE_RETURN_IF_ERROR(PrintLetter(invocation, letters.generation(), letter));
    }
    return 0;
  }
  const std::uint64_t limit = invocation.output.limit.value_or(kShownMax);
  MILLRACE_ASSIGN_OR_RETURN(
      const std::string rows,
      letters.Query("SELECT id, name, step, reason, origin, position, event_time, written_at, window_start, "
                    "window_end, code_version, element " +
                        letters.Chosen(ids) + " ORDER BY written_at, id LIMIT " + std::to_string(limit),
                    invocation.output.format));
  std::cout << rows;
  return 0;
}

StatusOr<int> Discard(const Invocation& invocation, const std::vector<std::string>& ids) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  MILLRACE_ASSIGN_OR_RETURN(const Letters letters, Letters::Open(invocation));
  MILLRACE_ASSIGN_OR_RETURN(LetterMarks marks, LetterMarks::Open(data_dir));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ListedLetter> chosen, letters.Choose(ids, kDiscardedMax));
  std::set<std::string> seen;
  for (const ListedLetter& letter : chosen) {
    if (!seen.insert(letter.id).second) continue;
    marks.marks().push_back(
        {.id = letter.id, .generation = letters.generation(), .mark = kDiscarded, .at = base::SystemClock().Now()});
  }
  if (!seen.empty()) MILLRACE_RETURN_IF_ERROR(marks.Save());
  std::cout << chosen.size() << (chosen.size() == 1 ? " letter" : " letters") << " discarded\n";
  return 0;
}

}  // namespace

StatusOr<Letters> Letters::Open(const Invocation& invocation) {
  Letters letters(invocation);
  MILLRACE_ASSIGN_OR_RETURN(const std::string checkpoints,
                            CheckpointFolderOf(invocation.pipeline.data_dir, invocation.output.generation));
  letters.folder_ = checkpoints.substr(0, checkpoints.rfind('/'));
  const std::size_t dash = letters.folder_.rfind('-');
  const char* begin = letters.folder_.data() + dash + 1;
  std::from_chars(begin, letters.folder_.data() + letters.folder_.size(), letters.generation_);
  if (letters.generation_ == 0) return InternalError(letters.folder_ + " is no folder of a generation");
  return letters;
}

StatusOr<std::string> Letters::Query(const std::string& sql, const std::string& format) const {
  const server::HttpRequest request{.method = "POST", .path = "/v1/sql", .query = {{"format", format}}, .body = sql};
  std::ostringstream answer;
  MILLRACE_ASSIGN_OR_RETURN(const bool answered, PrintAnswerOfRun(*invocation_, request, answer));
  if (answered) return std::move(answer).str();
  MILLRACE_ASSIGN_OR_RETURN(
      const DataDirectory directory,
      DataDirectory::OpenGeneration(invocation_->pipeline.data_dir, ThisProcess(*invocation_), generation_));
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(WarehousePath(folder_)));
  if (!exists) return NotFoundError("there are no dead letters in " + folder_ + ": its run has kept nothing yet");
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, OpenWarehouseOf(*invocation_, folder_));
  MILLRACE_RETURN_IF_ERROR(PrintSqlRows(connection, sql, format, answer));
  return std::move(answer).str();
}

std::string Letters::Chosen(const std::vector<std::string>& ids) const {
  const DlqOptions& options = invocation_->dlq;
  std::string text = "FROM dead_letters WHERE true";
  if (!options.by_name.empty()) text += " AND name = " + Quoted(options.by_name);
  if (!options.by_step.empty()) text += " AND step = " + Quoted(options.by_step);
  if (!options.by_reason.empty()) text += " AND starts_with(reason, " + Quoted(options.by_reason) + ")";
  if (!ids.empty()) {
    std::string list;
    for (const std::string& id : ids) list += (list.empty() ? "" : ", ") + Quoted(id);
    text += " AND id IN (" + list + ")";
  }
  std::error_code error;
  const std::filesystem::path marks =
      std::filesystem::absolute(LetterMarks::PathOf(invocation_->pipeline.data_dir), error);
  if (std::filesystem::exists(marks, error)) {
    text += " AND (id IS NULL OR id NOT IN (SELECT id FROM read_json(" + Quoted(marks.string()) +
            ", format = 'newline_delimited', columns = {id: 'VARCHAR', generation: 'UBIGINT', mark: 'VARCHAR'}) WHERE "
            "id IS NOT NULL AND (mark = " +
            Quoted(kDiscarded) + " OR generation = " + std::to_string(generation_) + ")))";
  }
  return text;
}

StatusOr<std::vector<ListedLetter>> Letters::Choose(const std::vector<std::string>& ids, std::uint64_t limit) const {
  MILLRACE_ASSIGN_OR_RETURN(
      const std::string rows,
      Query("SELECT id, name, step, reason, origin, position, event_time, written_at, window_start, window_end, "
            "code_version, element " +
                Chosen(ids) + " AND id IS NOT NULL ORDER BY written_at, id LIMIT " + std::to_string(limit),
            "json"));
  std::vector<ListedLetter> letters;
  std::istringstream lines(rows);
  for (std::string line; std::getline(lines, line);) {
    MILLRACE_ASSIGN_OR_RETURN(ListedLetter letter, json::Parse<ListedLetter>(line));
    letters.push_back(std::move(letter));
  }
  for (const std::string& id : ids) {
    const auto is_it = [&id](const ListedLetter& letter) { return letter.id == id; };
    if (std::any_of(letters.begin(), letters.end(), is_it)) continue;
    return NotFoundError("no letter " + id + " is listed; it may have been discarded or replayed, or lie beyond the " +
                         "first " + std::to_string(limit));
  }
  return letters;
}

StatusOr<int> DlqVerb(const Invocation& invocation, const BuildPipeline& build) {
  if (invocation.arguments.empty()) return UsageError(DlqUsage(invocation));
  const std::string& what = invocation.arguments[0];
  const std::vector<std::string> ids(invocation.arguments.begin() + 1, invocation.arguments.end());
  if (what != "list" && what != "show" && what != "replay" && what != "discard") {
    return UsageError("there is no dlq " + what + "; " + DlqUsage(invocation));
  }
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  if (invocation.pipeline.data_dir.empty()) return UsageError(DlqUsage(invocation));
  if (what == "list" && !ids.empty()) return UsageError("dlq list takes no ids; dlq show does");
  if (what == "list") return ListCauses(invocation);
  if (what == "show") return Show(invocation, ids);
  const DlqOptions& options = invocation.dlq;
  const bool is_chosen = !ids.empty() || options.all_letters || !options.by_name.empty() || !options.by_step.empty() ||
                         !options.by_reason.empty();
  if (!is_chosen) {
    return UsageError("say which letters: dlq " + what +
                      " ID..., or --by_name, --by_step, --by_reason, or --all_letters");
  }
  return what == "discard" ? Discard(invocation, ids) : ReplayLetters(invocation, ids, build);
}

}  // namespace millrace::cli
