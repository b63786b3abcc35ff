// Where a running pipeline's views and dead letters go.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/io/view_store.h"

namespace millrace {

/// Takes the cells of all views of one run. Thread safe. An error fails the run.
class ViewSink {
 public:
  virtual ~ViewSink() = default;
  /// Before the run, once per view.
  virtual Status Declare(const ViewDescriptor& view) = 0;
  /// Cells of one view; may wait where the store is slower than the pipeline. `Cell::version.pane` is set by the
  /// caller, generation and attempt by the sink.
  virtual Status Write(std::string_view view, std::span<const Cell> cells) = 0;
  /// After the last cell of a run that has not failed: everything written is visible when it returns.
  virtual Status Finish() = 0;
};

/// An element that could not be processed.
struct DeadLetter {
  std::string name;     // as in DeadLetters(name)
  std::string step;     // the label of the step that gave it
  std::string element;  // JSON
  Timestamp event_time;
};

/// Takes dead letters. Thread safe. An error fails the run.
class DeadLetterSink {
 public:
  virtual ~DeadLetterSink() = default;
  virtual Status Write(std::span<const DeadLetter> letters) = 0;
  virtual Status Finish() = 0;
};

}  // namespace millrace
