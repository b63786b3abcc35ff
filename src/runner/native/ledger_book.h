// Keeps the conservation ledger of a run: makes an epoch of what the workers have counted between two barriers, and
// adds it to those before once its checkpoint is committed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "exec/plan.h"
#include "exec/worker_graph.h"
#include "millrace/runner/ledger.h"
#include "runner/native/worker.h"

namespace millrace::native {

/// What an epoch is made of, by node of the plan, over all workers.
struct LedgerReading {
  struct Node {
    exec::StepLedger counts;           // since the run began
    std::vector<Restriction> covered;  // of a source: since the reading before
  };
  std::vector<Node> nodes;
};

/// Adds what one worker has of a node.
void AddToReading(const exec::StepLedger& counts, std::vector<Restriction> covered, LedgerReading::Node* node);

/// What all workers have counted. After the run.
LedgerReading ReadLedgerOf(const exec::Plan& plan, std::span<Worker* const> workers);

/// One thread at a time.
class LedgerBook {
 public:
  explicit LedgerBook(const exec::Plan& plan);

  /// What was kept until the checkpoint that the run goes on from.
  void Restore(Ledger ledger) { ledger_ = std::move(ledger); }
  /// The epoch that ends with this reading, and the ledger with it, which is to be committed. The next epoch begins
  /// here after `Commit`; without it, what was read belongs to the next one.
  const Ledger& Close(LedgerEpoch head, LedgerReading reading);
  void Commit();
  /// As far as it is committed.
  const Ledger& ledger() const { return ledger_; }

 private:
  LedgerStep StepOf(std::size_t node, const LedgerReading& reading) const;
  LedgerSource SourceOf(std::size_t node, const LedgerReading& reading) const;
  std::int64_t OpenBefore(const std::string& step) const;

  const exec::Plan& plan_;
  Ledger ledger_;
  LedgerReading before_;  // of the last epoch that was committed
  Ledger closed_;         // what `Commit` takes over
  LedgerReading reading_;
  std::vector<std::vector<Restriction>> pending_;  // by node: covered by epochs that were not committed
};

}  // namespace millrace::native
