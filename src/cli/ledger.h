// The conservation ledger of a data directory: kept at the end of a run without checkpoints, and read for the verb.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/core/options.h"
#include "millrace/core/status.h"
#include "millrace/runner/ledger.h"
#include "millrace/runner/result.h"

namespace millrace::cli {

/// Options of `ledger`.
struct LedgerVerbOptions {
  std::optional<std::uint64_t> epoch;

  static constexpr OptionHelp kOptionHelp[] = {
      {"epoch", "ledger: the steps of that epoch, instead of the sums"},
  };
};

/// Writes `generation_folder`/ledger.json (docs/formats/ledger.md) for a run that has a ledger of its own; one with
/// checkpoints has it there.
Status KeepLedger(const std::string& generation_folder, const PipelineResult& result);

/// What that generation, or the run that can be resumed, or else the one that gave the results, has noted: of its
/// newest checkpoint, or at its end. Takes no lock. NOT_FOUND where there is nothing yet.
StatusOr<Ledger> ReadLedgerOf(const std::string& data_dir, const std::optional<std::uint64_t>& generation);

}  // namespace millrace::cli
