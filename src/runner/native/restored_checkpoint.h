// The checkpoint that a run goes on from: found, compared with the pipeline, and read back for operators and sinks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exec/plan.h"
#include "exec/worker_graph.h"
#include "millrace/runner/checkpoint_options.h"
#include "millrace/runner/ledger.h"
#include "runner/native/shared_state.h"
#include "storage/checkpoint.h"
#include "storage/checkpoint_store.h"

namespace millrace::native {

/// The states of each node of a plan, as its operators describe them.
using StatesByNode = std::vector<std::vector<detail::StateDescription>>;

/// The step under which the runner keeps what belongs to no operator, and its one state.
inline constexpr const char* kRunnerStep = "(runner)";
inline constexpr const char* kWatermarksState = "watermarks";

/// The watermarks of a node's input and output at a barrier.
struct NodeWatermarks {
  std::string step;
  Timestamp input;
  Timestamp output;
};

/// Where the options have their checkpoints.
base::FileSystem& FilesOf(const CheckpointOptions& options);

/// What a checkpoint of that plan says of its states: those of the steps, then the runner's.
std::vector<storage::StateDescription> DescribeStates(const exec::Plan& plan, const StatesByNode& states);

class RestoredCheckpoint {
 public:
  /// What the options name: a checkpoint of the folder, or else one of the folder to begin from, or none.
  static StatusOr<std::optional<RestoredCheckpoint>> Find(const CheckpointOptions& options);

  const storage::CheckpointManifest& manifest() const { return manifest_; }
  /// It is of the run's own folder, so the next checkpoint may build on it.
  bool is_own() const { return is_own_; }

  /// What is still to be read of a source; nothing where it is not known.
  std::optional<std::vector<Restriction>> RestrictionsOf(const std::string& label) const;
  /// Where the reading of each partition of a source began, as the ledger and what is still to be read say; empty where
  /// the ledger does not go back so far.
  StatusOr<Beginnings> BeginningsOf(const std::string& label) const;
  /// The batch of a sink, all of it.
  StatusOr<std::string> BatchOf(const std::string& sink) const;
  /// What its run had noted until then. Where it noted nothing, sums that say so by beginning at epoch 0.
  StatusOr<Ledger> LedgerBefore() const;
  /// FAILED_PRECONDITION lists everything of it that the pipeline cannot take over.
  Status CheckFit(const exec::Plan& plan, const StatesByNode& states, bool streaming) const;
  /// What each node starts from; the sections are read when the workers do.
  StatusOr<std::vector<exec::RestoredNode>> Nodes(const exec::Plan& plan, const StatesByNode& states) const;

 private:
  void AddState(const std::string& step, std::size_t index, const detail::StateDescription& state,
                exec::RestoredNode* node) const;
  Status ReadWatermarks(const exec::Plan& plan, std::vector<exec::RestoredNode>* nodes) const;

  base::FileSystem* files_ = nullptr;
  storage::CheckpointManifest manifest_;
  std::string folder_;
  bool is_own_ = true;
};

}  // namespace millrace::native
