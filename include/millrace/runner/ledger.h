// The conservation ledger: what each step of a run took in and what became of it, epoch by epoch, so that nothing is
// lost or counted twice on the way without being seen. An epoch is what was read between two checkpoints; a run without
// them has one. The equations are in docs/formats/ledger.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/timestamp.h"

namespace millrace {

/// The positions [from, to) of a partition.
struct LedgerRange {
  std::string partition = {};
  std::int64_t from = 0;
  std::int64_t to = 0;

  friend bool operator==(const LedgerRange&, const LedgerRange&) = default;
};

/// What a source has read in an epoch.
struct LedgerSource {
  std::string step = {};
  std::vector<LedgerRange> ranges = {};  // by partition; at most 1,000 of them
  std::int64_t ranges_left_out = 0;
  std::int64_t elements = 0;
};

/// What became of what a step took in. A unit is what the step decides about: an element, or, where windows matter, an
/// element in one of its windows.
struct LedgerStep {
  std::string step = {};
  std::string kind = {};
  std::vector<std::string> inputs = {};  // the steps before it
  std::int64_t put_out = 0;              // elements that these have put out for it
  std::int64_t taken_in = 0;             // elements that it has taken in
  std::int64_t units = 0;
  std::int64_t emitted = 0;      // gave an output at least
  std::int64_t filtered = 0;     // gave none
  std::int64_t failed = 0;       // went to the output of failed elements
  std::int64_t duplicates = 0;   // dropped: their id was there before
  std::int64_t late = 0;         // dropped: their window was closed
  std::int64_t closed = 0;       // of an aggregation: in windows that were closed
  std::int64_t taken = 0;        // handed to a sink, or kept as a side input
  std::int64_t open_before = 0;  // in open windows, or waiting for a side input, when the epoch began and when it ended
  std::int64_t open_after = 0;
  std::int64_t shipped = 0;  // elements and partial results sent to other workers, and those that came from them
  std::int64_t received = 0;
  std::int64_t keys_lost = 0;          // of aggregations: keys of a window that were not found any more
  std::vector<std::int64_t> out = {};  // elements put out, by output
  bool one_each = false;               // each unit that is emitted is one element put out
  bool is_source = false;
};

/// What was read and what became of it between two checkpoints.
struct LedgerEpoch {
  std::uint64_t first_epoch = 0;  // of sums over several; otherwise the same as `epoch`
  std::uint64_t epoch = 0;
  std::uint64_t attempt = 0;
  Timestamp written_at = {};
  bool is_end = false;  // the input has ended: nothing may be open any more
  std::vector<LedgerSource> sources = {};
  std::vector<LedgerStep> steps = {};
};

/// What of it is kept: sums since the generation began, and the last epochs.
struct Ledger {
  static constexpr std::size_t kEpochsMax = 64;
  static constexpr std::size_t kRangesMax = 1'000;  // of a source and epoch

  LedgerEpoch total = {};
  std::vector<LedgerEpoch> epochs = {};  // the oldest first; at most kEpochsMax
};

/// An equation that does not hold.
struct LedgerProblem {
  std::string step = {};
  std::string text = {};  // "3 units are missing: 100 were taken in, 97 ..."
};

/// All of an epoch; none where it balances.
std::vector<LedgerProblem> ProblemsOf(const LedgerEpoch& epoch);

/// Adds an epoch to the sums and to the epochs, of which the oldest may go.
void AddEpoch(LedgerEpoch epoch, Ledger* ledger);

}  // namespace millrace
