// The conservation ledger of a data directory: kept at the end of a run without checkpoints, and read for the verb.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

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

/// The ledger of a generation's newest checkpoint, which is read again when it is older than a second. Thread safe.
class CommittedLedger {
 public:
  CommittedLedger(std::string data_dir, std::uint64_t generation)
      : data_dir_(std::move(data_dir)), generation_(generation) {}

  /// Null where there is none, or it cannot be read now.
  std::shared_ptr<const Ledger> Get();

 private:
  const std::string data_dir_;
  const std::uint64_t generation_;
  std::mutex mutex_;  // guards what follows
  std::optional<std::chrono::steady_clock::time_point> read_at_;
  std::shared_ptr<const Ledger> ledger_;
};

}  // namespace millrace::cli
