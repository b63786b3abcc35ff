#include "runner/native/restored_checkpoint.h"

#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "millrace/detail/state_coder.h"
#include "storage/compatibility.h"
#include "storage/ledger_section.h"

namespace millrace::native {

namespace {

std::string WatermarksLayout() { return detail::StateLayout<std::vector<NodeWatermarks>>(); }

Status NoFit(std::uint64_t epoch, const std::string& problems) {
  return FailedPreconditionError("checkpoint " + std::to_string(epoch) +
                                 " does not fit the pipeline, nothing was run:" + problems +
                                 "\nrun the program that wrote it, or give up what would be lost by "
                                 "--allow_lost_state");
}

}  // namespace

base::FileSystem& FilesOf(const CheckpointOptions& options) {
  return options.files != nullptr ? *options.files : base::PosixFileSystem();
}

std::vector<storage::StateDescription> DescribeStates(const exec::Plan& plan, const StatesByNode& states) {
  std::vector<storage::StateDescription> all;
  for (std::size_t node = 0; node < states.size(); ++node) {
    for (const detail::StateDescription& state : states[node]) {
      all.push_back(storage::DescribeState(plan.nodes[node].label, plan.nodes[node].kind, state.name, state.layout));
    }
  }
  all.push_back(storage::LedgerDescription());
  all.push_back(storage::DescribeState(kRunnerStep, "runner", kWatermarksState, WatermarksLayout()));
  return all;
}

StatusOr<std::optional<RestoredCheckpoint>> RestoredCheckpoint::Find(const CheckpointOptions& options) {
  RestoredCheckpoint found;
  base::FileSystem& files = FilesOf(options);
  found.files_ = &files;
  found.folder_ = options.folder;
  if (options.restore_epoch) {
    MILLRACE_ASSIGN_OR_RETURN(found.manifest_, storage::FindCheckpoint(files, options.folder, *options.restore_epoch));
    return std::optional(std::move(found));
  }
  MILLRACE_ASSIGN_OR_RETURN(std::optional<storage::CheckpointManifest> latest,
                            storage::LatestCheckpoint(files, options.folder));
  if (!latest && !options.restore_folder.empty()) {
    found.folder_ = options.restore_folder;
    found.is_own_ = false;
    MILLRACE_ASSIGN_OR_RETURN(latest, storage::LatestCheckpoint(files, options.restore_folder));
    if (!latest) return NotFoundError("there is no snapshot in " + options.restore_folder);
  }
  if (!latest) return std::optional<RestoredCheckpoint>();
  found.manifest_ = *std::move(latest);
  return std::optional(std::move(found));
}

std::optional<std::vector<Restriction>> RestoredCheckpoint::RestrictionsOf(const std::string& label) const {
  const storage::SourcePosition* source = manifest_.FindSource(label);
  if (source == nullptr) return std::nullopt;
  std::vector<Restriction> restrictions;
  for (const storage::RestrictionPosition& position : source->unfinished) {
    restrictions.push_back({.partition = position.partition,
                            .from = position.from,
                            .to = position.to,
                            .least_event_time = std::max(position.least_event_time, position.watermark)});
  }
  return restrictions;
}

StatusOr<std::string> RestoredCheckpoint::BatchOf(const std::string& sink) const {
  const storage::SinkPosition* position = manifest_.FindSink(sink);
  if (position == nullptr) return std::string();
  return storage::ReadSection(*files_, folder_, position->batch);
}

StatusOr<Ledger> RestoredCheckpoint::LedgerBefore() const {
  MILLRACE_ASSIGN_OR_RETURN(std::optional<Ledger> ledger, storage::ReadLedger(*files_, folder_, manifest_));
  if (!ledger) ledger.emplace().total.epoch = manifest_.epoch;
  return *std::move(ledger);
}

StatusOr<Beginnings> RestoredCheckpoint::BeginningsOf(const std::string& label) const {
  MILLRACE_ASSIGN_OR_RETURN(const Ledger ledger, LedgerBefore());
  if (ledger.total.first_epoch == 0) return Beginnings();
  Beginnings beginnings;
  for (const LedgerSource& source : ledger.total.sources) {
    if (source.step != label) continue;
    if (source.ranges_left_out > 0) return Beginnings();
    for (const LedgerRange& range : source.ranges) {
      AddBeginnings({{.partition = range.partition, .from = range.from, .to = range.to}}, &beginnings);
    }
  }
  // Of a partition that nothing was read of until then.
  AddBeginnings(RestrictionsOf(label).value_or(std::vector<Restriction>()), &beginnings);
  return beginnings;
}

Status RestoredCheckpoint::CheckFit(const exec::Plan& plan, const StatesByNode& states, bool streaming) const {
  std::string problems;
  const std::string mode = streaming ? "streaming" : "batch";
  if (manifest_.mode != mode) {
    problems += "\n  it is of a run in " + manifest_.mode + " mode, this one is in " + mode + " mode";
  }
  std::vector<std::string> sources;
  for (const exec::PlanNode& node : plan.nodes) {
    if (node.is_source) sources.push_back(node.label);
  }
  for (const storage::RestoreProblem& problem :
       storage::CompareForRestore(manifest_, DescribeStates(plan, states), sources)) {
    problems += "\n  " + problem.text;
  }
  return problems.empty() ? OkStatus() : NoFit(manifest_.epoch, problems);
}

StatusOr<std::vector<exec::RestoredNode>> RestoredCheckpoint::Nodes(const exec::Plan& plan,
                                                                    const StatesByNode& states) const {
  std::vector<exec::RestoredNode> nodes(plan.nodes.size());
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    for (std::size_t i = 0; i < states[node].size(); ++i) {
      AddState(plan.nodes[node].label, i, states[node][i], &nodes[node]);
    }
  }
  MILLRACE_RETURN_IF_ERROR(ReadWatermarks(plan, &nodes));
  return nodes;
}

void RestoredCheckpoint::AddState(const std::string& step, std::size_t index, const detail::StateDescription& state,
                                  exec::RestoredNode* node) const {
  const storage::StateChain* chain = manifest_.FindState(step, state.name);
  if (chain == nullptr || !detail::LayoutProblem(chain->description.layout, state.layout).empty()) return;
  for (const storage::SectionRef& section : chain->chain) {
    node->sections.push_back(
        {.state = index,
         .layout = chain->description.layout,
         .origin = "checkpoint " + std::to_string(manifest_.epoch) + ", state " + state.name + " of " + step,
         .read = [files = files_, folder = folder_, section](const detail::ChunkVisitor& visit) {
           return storage::ReadSection(*files, folder, section, visit);
         }});
  }
}

Status RestoredCheckpoint::ReadWatermarks(const exec::Plan& plan, std::vector<exec::RestoredNode>* nodes) const {
  const storage::StateChain* chain = manifest_.FindState(kRunnerStep, kWatermarksState);
  if (chain == nullptr || chain->chain.empty()) return OkStatus();
  MILLRACE_ASSIGN_OR_RETURN(const std::string content, storage::ReadSection(*files_, folder_, chain->chain.back()));
  std::string_view rest = content;
  std::vector<NodeWatermarks> watermarks;
  if (!detail::ReadState(&rest, &watermarks) || !rest.empty()) {
    return DataLossError("checkpoint " + std::to_string(manifest_.epoch) + ": the watermarks are damaged");
  }
  for (const NodeWatermarks& of : watermarks) {
    for (std::size_t node = 0; node < nodes->size(); ++node) {
      if (plan.nodes[node].label != of.step) continue;
      (*nodes)[node].input_watermark = of.input;
      (*nodes)[node].output_watermark = of.output;
    }
  }
  return OkStatus();
}

}  // namespace millrace::native
