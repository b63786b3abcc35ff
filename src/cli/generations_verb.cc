// The verb `generations list|diff|promote|rollback|drop`.
#include <charconv>
#include <iostream>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/generation_diff.h"
#include "cli/generation_list.h"
#include "cli/generations.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/verbs.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

constexpr int kExitDifferent = 1;

Status Usage(const Invocation& invocation) {
  return UsageError("usage: " + invocation.program +
                    " generations list|diff [OLD] NEW|promote N|rollback|drop N --data_dir=DIR");
}

StatusOr<std::uint64_t> NumberOf(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    return UsageError("a generation is a number from 1 on, not " + text);
  }
  return number;
}

std::string NoteOf(const server::GenerationStatus& generation) {
  const std::string done = generation.is_done ? "done" : "";
  return generation.part.empty() || done.empty() ? generation.part + done : generation.part + ", " + done;
}

StatusOr<int> List(const Invocation& invocation) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  const auto number = [](std::string name) {
    return RowColumn{.name = std::move(name), .kind = CellKind::kLiteral, .is_number = true};
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, MakeRowWriter(invocation.output.format,
                                                             {number("generation"),
                                                              {.name = "purpose"},
                                                              number("attempt"),
                                                              number("epoch"),
                                                              {.name = "watermark", .kind = CellKind::kTime},
                                                              {.name = "process"},
                                                              {.name = "caught_up"},
                                                              {.name = "note"}},
                                                             std::cout));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<server::GenerationStatus> generations,
                            ListGenerations(data_dir, nullptr));
  for (const server::GenerationStatus& listed : generations) {
    writer->Write({NumberCell(listed.generation), TextCell(listed.purpose),
                   listed.attempt > 0 ? NumberCell(listed.attempt) : RowCell(),
                   listed.epoch ? NumberCell(*listed.epoch) : RowCell(),
                   listed.watermark ? TimeCell(*listed.watermark) : RowCell(),
                   listed.process.empty() ? RowCell() : TextCell(listed.process),
                   listed.caught_up ? TextCell(*listed.caught_up ? "yes" : "no") : RowCell(),
                   TextCell(NoteOf(listed))});
  }
  writer->Finish();
  return 0;
}

StatusOr<int> Diff(const Invocation& invocation, const Pipeline& pipeline, const DirectoryManifest& manifest) {
  const std::vector<std::string>& arguments = invocation.arguments;
  if (arguments.size() != 2 && arguments.size() != 3) return Usage(invocation);
  std::uint64_t old_generation = manifest.generation;
  if (arguments.size() == 3) {
    MILLRACE_ASSIGN_OR_RETURN(old_generation, NumberOf(arguments[1]));
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t new_generation, NumberOf(arguments.back()));
  if (old_generation == new_generation) return UsageError("give two different generations");
  MILLRACE_ASSIGN_OR_RETURN(const GenerationDiff diff,
                            GenerationDiff::Compare(invocation, pipeline, old_generation, new_generation));
  MILLRACE_RETURN_IF_ERROR(diff.Print(invocation.output.format, true, std::cout));
  return diff.IsEqual() ? 0 : kExitDifferent;
}

StatusOr<int> Promote(const Invocation& invocation, const DirectoryManifest& manifest, std::uint64_t generation) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  if (manifest.IsResumable(generation)) {
    MILLRACE_ASSIGN_OR_RETURN(
        const auto checkpoint,
        storage::LatestCheckpoint(base::PosixFileSystem(), CheckpointsPath(GenerationFolder(data_dir, generation))));
    if (!checkpoint) {
      return FailedPreconditionError("generation " + std::to_string(generation) +
                                     " has no results: it has not come to its first checkpoint yet");
    }
  }
  MILLRACE_RETURN_IF_ERROR(PromoteGeneration(data_dir, generation, base::SystemClock().Now()));
  std::cout << "generation " << generation << " is read now\n";
  return 0;
}

}  // namespace

StatusOr<int> GenerationsVerb(const Invocation& invocation, const Pipeline& pipeline) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  const std::vector<std::string>& arguments = invocation.arguments;
  if (arguments.empty() || data_dir.empty()) return Usage(invocation);
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(DirectoryManifestPath(data_dir)));
  if (!exists) return NotFoundError("there is no data directory " + data_dir);
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  const std::string& action = arguments[0];
  if (action == "list" && arguments.size() == 1) return List(invocation);
  if (action == "diff") return Diff(invocation, pipeline, manifest);
  if (action == "rollback" && arguments.size() == 1) {
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t generation, RollBack(data_dir, base::SystemClock().Now()));
    std::cout << "generation " << generation << " is read again\n";
    return 0;
  }
  if ((action != "promote" && action != "drop") || arguments.size() != 2) return Usage(invocation);
  MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t generation, NumberOf(arguments[1]));
  if (action == "promote") return Promote(invocation, manifest, generation);
  MILLRACE_RETURN_IF_ERROR(DropGeneration(data_dir, ThisProcess(invocation), generation));
  std::cout << "generation " << generation << " is removed\n";
  return 0;
}

}  // namespace millrace::cli
