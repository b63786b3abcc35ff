// What each operator counts of its input, so that nothing can get lost on the way unseen: the conservation ledger
// (docs/formats/ledger.md). Counting is by batch wherever that can be done.
#pragma once

#include <cstdint>

namespace millrace::detail {

/// The counts of one operator on one worker since it was opened; sums over all workers balance at each barrier:
///
///   units = emitted + filtered + failed + duplicates + late + closed + taken + (open now - open before)
///
/// A unit is what the operator decides about: an element, or an element in one of its windows. Written by the worker's
/// thread alone.
struct LedgerCounts {
  std::int64_t rows = 0;        // handed over by the steps before this one
  std::int64_t units = 0;       // what they are, before anything is decided
  std::int64_t emitted = 0;     // gave an output at least
  std::int64_t filtered = 0;    // gave none
  std::int64_t failed = 0;      // went to the output of failed elements
  std::int64_t duplicates = 0;  // dropped: their id was there before
  std::int64_t late = 0;        // dropped: their window had expired
  std::int64_t closed = 0;      // in windows that have been closed
  std::int64_t taken = 0;       // handed to a sink, or kept as a side input
  std::int64_t open = 0;        // at the moment: in open windows, or waiting for a side input
  std::int64_t shipped = 0;     // rows sent to other workers, and rows that came from them
  std::int64_t received = 0;
  std::int64_t keys_lost = 0;  // entries of keys that the state of a window did not hold any more when it was walked

  void Add(const LedgerCounts& other) {
    rows += other.rows;
    units += other.units;
    emitted += other.emitted;
    filtered += other.filtered;
    failed += other.failed;
    duplicates += other.duplicates;
    late += other.late;
    closed += other.closed;
    taken += other.taken;
    open += other.open;
    shipped += other.shipped;
    received += other.received;
    keys_lost += other.keys_lost;
  }
};

}  // namespace millrace::detail
