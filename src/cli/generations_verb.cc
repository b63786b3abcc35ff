// The verb `generations list|diff|promote|rollback|drop`.
#include <algorithm>
#include <charconv>
#include <iostream>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/generation_diff.h"
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

struct ListedGeneration {
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;
  std::string purpose;
  std::string note;
};

std::vector<ListedGeneration> Listed(const DirectoryManifest& manifest) {
  std::vector<ListedGeneration> listed;
  const std::uint64_t running = manifest.running ? manifest.running->generation : 0;
  if (manifest.generation > 0) {
    const bool goes_on = running == manifest.generation;
    listed.push_back({.generation = manifest.generation,
                      .attempt = goes_on ? manifest.running->attempt : 0,
                      .purpose = "read",
                      .note = goes_on ? "" : "done"});
  }
  if (running > 0 && running != manifest.generation) {
    listed.push_back({.generation = running, .attempt = manifest.running->attempt, .purpose = "run", .note = ""});
  }
  for (const BesideGeneration& other : manifest.beside) {
    std::string note = other.range.is_all() ? "" : other.range.ToString();
    if (!other.is_resumable) note += note.empty() ? "done" : ", done";
    listed.push_back(
        {.generation = other.generation, .attempt = other.attempt, .purpose = other.purpose, .note = std::move(note)});
  }
  std::sort(listed.begin(), listed.end(),
            [](const ListedGeneration& a, const ListedGeneration& b) { return a.generation < b.generation; });
  return listed;
}

StatusOr<int> List(const Invocation& invocation, const DirectoryManifest& manifest) {
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
                                                              {.name = "note"}},
                                                             std::cout));
  for (const ListedGeneration& listed : Listed(manifest)) {
    const auto checkpoint = storage::LatestCheckpoint(base::PosixFileSystem(),
                                                      CheckpointsPath(GenerationFolder(data_dir, listed.generation)));
    const bool has_checkpoint = checkpoint.ok() && *checkpoint;
    const std::optional<DirectoryHolder> runner = RunnerOf(data_dir, listed.generation);
    writer->Write({NumberCell(listed.generation), TextCell(listed.purpose),
                   listed.attempt > 0 ? NumberCell(listed.attempt) : RowCell(),
                   has_checkpoint ? NumberCell((*checkpoint)->epoch) : RowCell(),
                   has_checkpoint ? TimeCell((*checkpoint)->watermark) : RowCell(),
                   runner ? TextCell(runner->ToString()) : RowCell(), TextCell(listed.note)});
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
  if (action == "list" && arguments.size() == 1) return List(invocation, manifest);
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
