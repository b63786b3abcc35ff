// The verb `dlq`: looks after dead letters.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/options.h"
#include "millrace/core/pipeline.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

struct Invocation;

/// Options of `dlq`.
struct DlqOptions {
  std::string by_name;
  std::string by_step;
  std::string by_reason;
  bool all_letters = false;
  bool dry_run = false;

  static constexpr OptionHelp kOptionHelp[] = {
      {"by_name", "dlq: only letters of that name"},
      {"by_step", "dlq: only letters of that step"},
      {"by_reason", "dlq: only letters whose reason begins so"},
      {"all_letters", "dlq replay and discard: all that are listed"},
      {"dry_run", "dlq replay: put nothing into the log, but say how many this program would take"},
  };
};

/// A dead letter as the warehouse has it.
struct ListedLetter {
  std::string id = {};
  std::string name = {};
  std::string step = {};
  std::optional<std::string> reason = {};
  std::optional<std::string> origin = {};
  std::optional<std::int64_t> position = {};
  std::optional<Timestamp> event_time = {};
  Timestamp written_at = {};
  std::optional<Timestamp> window_start = {};
  std::optional<Timestamp> window_end = {};
  std::optional<std::string> code_version = {};
  std::string element = {};
};

/// The dead letters of a data directory: of the generation that a run goes on with, or else of the one that holds the
/// results. Where a run holds the directory, it is asked.
class Letters {
 public:
  static StatusOr<Letters> Open(const Invocation& invocation);

  std::uint64_t generation() const { return generation_; }
  /// Rows of a SELECT, in a format of `MakeRowWriter`.
  StatusOr<std::string> Query(const std::string& sql, const std::string& format) const;
  /// "FROM dead_letters WHERE ...": those that are listed and that ids (if there are any) and options name.
  std::string Chosen(const std::vector<std::string>& ids) const;
  /// These, the oldest first, at most `limit` of them.
  StatusOr<std::vector<ListedLetter>> Choose(const std::vector<std::string>& ids, std::uint64_t limit) const;

 private:
  explicit Letters(const Invocation& invocation) : invocation_(&invocation) {}

  const Invocation* invocation_;
  std::uint64_t generation_ = 0;
  std::string folder_;  // of the generation
};

/// Fills a pipeline with what this program does.
using BuildPipeline = std::function<Status(Pipeline&)>;

StatusOr<int> DlqVerb(const Invocation& invocation, const BuildPipeline& build);
StatusOr<int> ReplayLetters(const Invocation& invocation, const std::vector<std::string>& ids,
                            const BuildPipeline& build);

}  // namespace millrace::cli
