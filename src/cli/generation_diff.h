// What differs between two generations of the same views, cell by cell, as far as both are final.
//
// A cell is known by (key, window). It counts as final where the window has ended, with its allowed lateness, before
// the watermarks of both generations' last committed checkpoints; a generation that runs is then awaited until it has
// read what the log held at that moment. A cell that either generation has dropped a late element of is told apart:
// live and replay may drop different ones. Views are compared over the windows that a replay of a part reads wholly.
//
// For a declared expectation the database of the comparison has, for each view V, the tables
//
//   diff.V   key columns, window_start, window_end, kind ('mismatch', 'missing', 'extra'), old_X and new_X of each
//   value
//            column X; without late cells
//   late.V   key columns, window_start, window_end of the late cells
//   old.V, new.V  the views as they are, all of them
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "cli/generation_reader.h"
#include "cli/verbs.h"
#include "columnar/database.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// How the cells of one view and one day (of the windows' starts) compare.
struct DiffDay {
  std::string view;
  std::string day;
  std::int64_t equal = 0;
  std::int64_t mismatch = 0;  // other values
  std::int64_t missing = 0;   // in the old generation only
  std::int64_t extra = 0;     // in the new generation only
  std::int64_t late = 0;      // of which an element was too late in either
};

/// One thread. Its files are removed with it.
class GenerationDiff {
 public:
  /// Compares the views that the topology names, or all.
  static StatusOr<GenerationDiff> Compare(const Invocation& invocation, const Pipeline& pipeline,
                                          std::uint64_t old_generation, std::uint64_t new_generation);
  GenerationDiff(GenerationDiff&&) noexcept;
  GenerationDiff& operator=(GenerationDiff&&) = delete;
  ~GenerationDiff();

  /// The days with a difference, by view and day.
  const std::vector<DiffDay>& days() const { return days_; }
  /// Of all days together, one for each view.
  std::vector<DiffDay> Totals() const;
  /// Nothing but late cells differs.
  bool IsEqual() const;
  /// Runs the statements of an SQL file over the tables above. Rows that they give contradict the expectation: they are
  /// printed, and the result is false.
  StatusOr<bool> MeetsExpectation(const std::string& file, std::ostream& out);
  /// Prints the days, if they are wanted, and then the totals as "table", "json" or "csv".
  Status Print(const std::string& format, bool with_days, std::ostream& out) const;

 private:
  explicit GenerationDiff(std::string folder) : folder_(std::move(folder)) {}
  Status CompareView(const ViewDescriptor& view, const Pipeline& pipeline, Timestamp watermark,
                     const EventTimeRange& range);
  Status CountDays(const ViewDescriptor& view);

  std::string folder_;
  std::optional<columnar::Connection> connection_;
  std::vector<DiffDay> days_;
  std::vector<DiffDay> totals_;
};

}  // namespace millrace::cli
