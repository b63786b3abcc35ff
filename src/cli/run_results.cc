#include "cli/run_results.h"

#include <utility>
#include <vector>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/result_sinks.h"

namespace millrace::cli {

namespace {

// Hands dead letters to the sink of the views, whose epochs they are part of.
class LetterSink final : public DeadLetterSink {
 public:
  explicit LetterSink(std::shared_ptr<ResultSinks> sinks) : sinks_(std::move(sinks)) {}

  Status Write(std::span<const DeadLetter> letters) override {
    if (letters.empty()) return OkStatus();
    const Timestamp now = base::SystemClock().Now();
    std::vector<DeadLetterRow> rows;
    rows.reserve(letters.size());
    for (const DeadLetter& letter : letters) {
      DeadLetterRow row{
          .name = letter.name, .step = letter.step, .element = letter.element, .event_time = {}, .written_at = now};
      row.reason = letter.reason;
      row.code_version = base::BuildId();
      if (!letter.origin.empty()) {
        row.origin = letter.origin;
        row.position = letter.position;
      }
      if (letter.event_time != Timestamp::Min()) row.event_time = letter.event_time;
      if (letter.window) {
        row.window_start = letter.window->start;
        row.window_end = letter.window->is_global() ? Timestamp::Max() : letter.window->end;
      }
      row.id = IdOf(row);
      rows.push_back(std::move(row));
    }
    return sinks_->WriteLetters(std::move(rows));
  }

  Status Finish() override { return sinks_->Finish(); }

 private:
  const std::shared_ptr<ResultSinks> sinks_;
};

}  // namespace

Status CheckViewName(const ViewDescriptor& view) {
  if (view.name != kDeadLettersTable) return OkStatus();
  return InvalidArgumentError("a view cannot be named " + view.name +
                              ": this is the table of dead letters; give it another name");
}

StatusOr<std::unique_ptr<RunResults>> RunResults::Create(const RunResultsOptions& options) {
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<StoreWriters> writers,
                            StoreWriters::Open(options.folder, options.is_streaming));
  const StoreWriters& stores = *writers;
  if (options.has_checkpoints) {
    return std::unique_ptr<RunResults>(new RunResults(MakeEpochSinks(options, std::move(writers)), stores));
  }
  MILLRACE_RETURN_IF_ERROR(writers->Fence(options.generation, 1));
  return std::unique_ptr<RunResults>(new RunResults(MakeDirectSinks(options, std::move(writers)), stores));
}

RunResults::RunResults(std::shared_ptr<ResultSinks> sinks, const StoreWriters& writers)
    : sinks_(std::move(sinks)), lookup_(writers.lookup()), warehouse_(writers.warehouse()) {}

RunResults::~RunResults() { sinks_->Close(); }

std::shared_ptr<ViewSink> RunResults::views() { return sinks_; }
std::shared_ptr<DeadLetterSink> RunResults::dead_letters() { return std::make_shared<LetterSink>(sinks_); }
RunResultsCounts RunResults::counts() const { return sinks_->counts(); }

std::string WarehousePath(const std::string& generation_folder) { return generation_folder + "/warehouse.duckdb"; }
std::string CheckpointsPath(const std::string& generation_folder) { return generation_folder + "/checkpoints"; }
std::string LookupPath(const std::string& generation_folder) { return generation_folder + "/views"; }

}  // namespace millrace::cli
