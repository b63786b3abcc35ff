// The sinks behind `RunResults`: with checkpoints, and without.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "cli/cell_portion.h"
#include "cli/run_results.h"
#include "cli/store_writers.h"
#include "millrace/io/view_sink.h"

namespace millrace::cli {

/// A sink of views that takes dead letters too. Thread safe.
class ResultSinks : public ViewSink {
 public:
  virtual Status WriteLetters(std::vector<DeadLetterRow> letters) = 0;
  virtual RunResultsCounts counts() const = 0;
  /// Ends the threads, and closes the stores; no call is going on or comes later but `counts`.
  virtual void Close() = 0;
};

/// Commits by the number and age of cells.
std::shared_ptr<ResultSinks> MakeDirectSinks(const RunResultsOptions& options, std::unique_ptr<StoreWriters> writers);
/// Commits what is in a committed checkpoint.
std::shared_ptr<ResultSinks> MakeEpochSinks(const RunResultsOptions& options, std::unique_ptr<StoreWriters> writers);

/// INVALID_ARGUMENT for a view that is named like the table of dead letters.
Status CheckViewName(const ViewDescriptor& view);

}  // namespace millrace::cli
