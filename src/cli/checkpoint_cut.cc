#include "cli/checkpoint_cut.h"

#include <algorithm>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/directory_manifest.h"
#include "cli/run_results.h"
#include "io/log/log_partition.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

log::Cut CutOf(const storage::CheckpointManifest& checkpoint, const std::string& topic, const log::Cut& end) {
  log::Cut cut = end;
  for (const storage::SourcePosition& source : checkpoint.sources) {
    for (const storage::RestrictionPosition& position : source.unfinished) {
      const auto partition = detail::PartitionOf(position.partition, topic);
      if (!partition || *partition < 0 || static_cast<std::size_t>(*partition) >= end.size()) continue;
      std::int64_t& next = cut[static_cast<std::size_t>(*partition)];
      if (position.from < position.to) next = std::min(next, position.from);
    }
  }
  return cut;
}

StatusOr<LastCheckpoint> LastCheckpointOf(const std::string& data_dir) {
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  const std::uint64_t generation = manifest.generation_in_use();
  LastCheckpoint last;
  if (generation == 0) return last;
  last.is_done = !manifest.IsResumable(generation);
  if (last.is_done) return last;
  const std::string folder = CheckpointsPath(GenerationFolder(data_dir, generation));
  MILLRACE_ASSIGN_OR_RETURN(last.checkpoint, storage::LatestCheckpoint(base::PosixFileSystem(), folder));
  return last;
}

}  // namespace millrace::cli
