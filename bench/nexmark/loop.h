// The hand-written loop: the speed limit that the engine is measured against.
#pragma once

#include <cstdint>

#include "millrace/core/status.h"
#include "nexmark/generator.h"
#include "nexmark/query.h"
#include "nexmark/rows.h"

namespace millrace::nexmark {

struct LoopOptions {
  Query query = Query::kQ0;
  GeneratorConfig generator = {};
  std::uint64_t events = kDefaultEvents;  // rows of the stream that the query reads
  std::uint64_t keys = 1'000;             // of qk, 1 to 2^32
  bool owned_strings = false;             // rows of bids own their texts, where rows are made
  // Every row of the input is written to memory before the query sees it, as a source that hands over rows does it.
  // Else only q0 and q1, whose results they are, make whole rows, and the others compute the fields that they read.
  bool whole_rows = false;
};

/// Runs the query in the calling thread and returns the check of its rows. Every row is also written to memory, so the
/// compiler cannot leave it out. An INVALID_ARGUMENT names the option that is out of range.
StatusOr<Check> RunLoop(const LoopOptions& options);

}  // namespace millrace::nexmark
