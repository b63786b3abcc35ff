// What a person sees of a run: on a terminal one line that is redrawn, elsewhere a line every few seconds.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "millrace/core/timestamp.h"
#include "millrace/runner/run_options.h"

namespace millrace::cli {

/// What is counted, and what its time is called.
struct ProgressWords {
  std::string_view counted = "read";
  std::string_view time = "watermark";
};

/// One thread.
class ProgressLine {
 public:
  ProgressLine(std::ostream& out, bool is_terminal, ProgressWords words = {})
      : out_(out), is_terminal_(is_terminal), words_(words) {}

  void Show(const Progress& progress);
  /// Removes what was drawn on a terminal.
  void Clear();

 private:
  std::string Text(const Progress& progress);

  std::ostream& out_;
  const bool is_terminal_;
  const ProgressWords words_;
  bool drawn_ = false;
  int frame_ = 0;
  double next_line_s_ = 5;
  Progress last_;
  double rate_per_s_ = 0;
};

}  // namespace millrace::cli
