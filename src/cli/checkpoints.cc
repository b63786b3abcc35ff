// The verb `checkpoints`: lists the checkpoints of a data directory and shows one. It takes no lock, so it also works
// beside a run.
#include <algorithm>
#include <charconv>
#include <iostream>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/row_writer.h"
#include "cli/verbs.h"
#include "millrace/core/json.h"
#include "millrace/core/source.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

using storage::CheckpointManifest;
using storage::ListedCheckpoint;

RowColumn TextColumn(std::string name) { return {.name = std::move(name)}; }
RowColumn NumberColumn(std::string name) {
  return {.name = std::move(name), .kind = CellKind::kLiteral, .is_number = true};
}
RowColumn TimeColumn(std::string name) { return {.name = std::move(name), .kind = CellKind::kTime}; }

/// Since a checkpoint was made, in whole seconds; a clock that was set back gives 0.
std::string AgeOf(const CheckpointManifest& checkpoint) {
  const Duration age = std::max(base::SystemClock().Now() - checkpoint.created_at, Duration(0));
  return DurationToString(std::chrono::duration_cast<std::chrono::seconds>(age));
}

std::uint64_t StateBytes(const CheckpointManifest& checkpoint) {
  std::uint64_t sum = 0;
  for (const storage::StateChain& state : checkpoint.states) sum += state.bytes();
  return sum;
}

StatusOr<int> List(const Invocation& invocation, const std::string& folder) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ListedCheckpoint> listed,
                            storage::ListCheckpoints(base::PosixFileSystem(), folder));
  MILLRACE_ASSIGN_OR_RETURN(const auto writer,
                            MakeRowWriter(invocation.output.format,
                                          {NumberColumn("epoch"), NumberColumn("attempt"), TimeColumn("created_at"),
                                           TextColumn("age"), TextColumn("duration"), TimeColumn("watermark"),
                                           NumberColumn("state_bytes"), NumberColumn("bytes"), TextColumn("problem")},
                                          std::cout));
  for (const ListedCheckpoint& checkpoint : listed) {
    std::vector<RowCell> row = {NumberCell(checkpoint.epoch)};
    if (!checkpoint.manifest.ok()) {
      row.resize(8);
      row.push_back(TextCell(checkpoint.manifest.status().message()));
    } else {
      const CheckpointManifest& manifest = *checkpoint.manifest;
      row.insert(row.end(), {NumberCell(manifest.attempt), TimeCell(manifest.created_at), TextCell(AgeOf(manifest)),
                             TextCell(DurationToString(manifest.duration)), TimeCell(manifest.watermark),
                             NumberCell(StateBytes(manifest)), NumberCell(manifest.bytes()), RowCell()});
    }
    writer->Write(row);
  }
  writer->Finish();
  return 0;
}

void PrintHead(const CheckpointManifest& checkpoint, const std::string& folder) {
  std::cout << "checkpoint of epoch " << checkpoint.epoch << " in " << folder << "\n  job         "
            << checkpoint.job_name << ", " << checkpoint.mode << ", generation " << checkpoint.generation
            << ", attempt " << checkpoint.attempt << "\n  created     " << checkpoint.created_at.ToString() << ", "
            << AgeOf(checkpoint) << " ago, in " << DurationToString(checkpoint.duration) << "\n  watermark   "
            << (checkpoint.watermark ? checkpoint.watermark->ToString() : "none") << "\n  content     "
            << GroupedDigits(static_cast<std::int64_t>(checkpoint.bytes())) << " bytes\n";
}

Status PrintStates(const CheckpointManifest& checkpoint) {
  std::cout << "\nstates\n";
  MILLRACE_ASSIGN_OR_RETURN(const auto writer,
                            MakeRowWriter("table",
                                          {TextColumn("step"), TextColumn("kind"), TextColumn("state"),
                                           NumberColumn("bytes"), NumberColumn("sections"), TextColumn("layout")},
                                          std::cout));
  for (const storage::StateChain& state : checkpoint.states) {
    writer->Write({TextCell(state.description.step), TextCell(state.description.kind),
                   TextCell(state.description.state), NumberCell(state.bytes()), NumberCell(state.chain.size()),
                   TextCell(state.description.layout)});
  }
  writer->Finish();
  return OkStatus();
}

Status PrintSources(const CheckpointManifest& checkpoint) {
  std::cout << "\nsources\n";
  MILLRACE_ASSIGN_OR_RETURN(const auto writer,
                            MakeRowWriter("table",
                                          {TextColumn("step"), TextColumn("partition"), NumberColumn("next"),
                                           NumberColumn("end"), TimeColumn("watermark"), TextColumn("read")},
                                          std::cout));
  for (const storage::SourcePosition& source : checkpoint.sources) {
    const std::string read = std::to_string(source.finished) + " of " + std::to_string(source.total);
    if (source.unfinished.empty()) writer->Write({TextCell(source.step), {}, {}, {}, {}, TextCell(read)});
    for (const storage::RestrictionPosition& position : source.unfinished) {
      const RowCell end = position.to == Restriction::kUnbounded ? RowCell() : TextCell(std::to_string(position.to));
      writer->Write({TextCell(source.step), TextCell(position.partition), TextCell(std::to_string(position.from)), end,
                     TimeCell(position.watermark), TextCell(read)});
    }
  }
  writer->Finish();
  return OkStatus();
}

Status PrintSinks(const CheckpointManifest& checkpoint) {
  std::cout << "\nsinks\n";
  MILLRACE_ASSIGN_OR_RETURN(const auto writer,
                            MakeRowWriter("table", {TextColumn("sink"), NumberColumn("pending_bytes")}, std::cout));
  for (const storage::SinkPosition& sink : checkpoint.sinks)
    writer->Write({TextCell(sink.sink), NumberCell(sink.batch.bytes)});
  writer->Finish();
  return OkStatus();
}

StatusOr<CheckpointManifest> Choose(const Invocation& invocation, const std::string& folder) {
  if (invocation.arguments.size() == 2) {
    const std::string& text = invocation.arguments[1];
    std::uint64_t epoch = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
    if (error != std::errc() || end != text.data() + text.size()) {
      return UsageError("the epoch of a checkpoint is a number, not " + text);
    }
    return storage::FindCheckpoint(base::PosixFileSystem(), folder, epoch);
  }
  MILLRACE_ASSIGN_OR_RETURN(std::optional<CheckpointManifest> latest,
                            storage::LatestCheckpoint(base::PosixFileSystem(), folder));
  if (!latest) return NotFoundError("there is no checkpoint in " + folder);
  return *std::move(latest);
}

/// What is printed is only printed of a checkpoint whose data was read and is whole.
StatusOr<int> Inspect(const Invocation& invocation, const std::string& folder) {
  MILLRACE_ASSIGN_OR_RETURN(const CheckpointManifest checkpoint, Choose(invocation, folder));
  MILLRACE_RETURN_IF_ERROR(storage::VerifyCheckpoint(base::PosixFileSystem(), folder, checkpoint));
  if (invocation.output.format == "json") {
    std::cout << json::Write(checkpoint) << "\n";
    return 0;
  }
  PrintHead(checkpoint, folder);
  MILLRACE_RETURN_IF_ERROR(PrintStates(checkpoint));
  MILLRACE_RETURN_IF_ERROR(PrintSources(checkpoint));
  MILLRACE_RETURN_IF_ERROR(PrintSinks(checkpoint));
  return 0;
}

}  // namespace

StatusOr<int> CheckpointsVerb(const Invocation& invocation) {
  const std::vector<std::string>& arguments = invocation.arguments;
  const bool lists = arguments.size() == 1 && arguments[0] == "list";
  const bool inspects = (arguments.size() == 1 || arguments.size() == 2) && arguments[0] == "inspect";
  if (!lists && !inspects) {
    return UsageError("usage: " + invocation.program + " checkpoints list --data_dir=DIR, or " + invocation.program +
                      " checkpoints inspect [EPOCH] --data_dir=DIR");
  }
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  if (inspects && invocation.output.format == "csv") return UsageError("checkpoints inspect prints a table or json");
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say where the checkpoints are: " + invocation.program + " checkpoints " + arguments[0] +
                      " --data_dir=DIR");
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::string folder,
                            CheckpointFolderOf(invocation.pipeline.data_dir, invocation.output.generation));
  return lists ? List(invocation, folder) : Inspect(invocation, folder);
}

}  // namespace millrace::cli
