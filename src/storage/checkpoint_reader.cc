// Reading checkpoints and snapshots: the functions of checkpoint_store.h that no writer is needed for.
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "storage/checkpoint_files.h"
#include "storage/checkpoint_store.h"
#include "storage/section_file.h"

namespace millrace::storage {
namespace {

StatusOr<CheckpointManifest> ReadManifest(base::FileSystem& files, const std::string& folder, std::uint64_t epoch) {
  const std::string path = folder + "/" + ManifestName(epoch);
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(files, path, kManifestBytesMax));
  StatusOr<CheckpointManifest> manifest = ParseManifest(text);
  if (!manifest.ok()) return manifest.status().WithContext(path);
  if (manifest->epoch != epoch) {
    return DataLossError(path + ": it is the manifest of epoch " + std::to_string(manifest->epoch));
  }
  return manifest;
}

/// What can be done instead: the readable checkpoints that `accept` takes.
template <class Accept>
std::string WhatToDo(const std::vector<ListedCheckpoint>& listed, const Accept& accept) {
  std::string text;
  for (const ListedCheckpoint& checkpoint : listed) {
    if (!checkpoint.manifest.ok() || !accept(*checkpoint.manifest)) continue;
    text += text.empty()
                ? ". Restore the file from a copy, or go back, if what the sinks made visible since then may be "
                  "repeated or lost, to one of the other checkpoints: "
                : ", ";
    text += std::string(kRestoreEpochOption) + "=" + std::to_string(checkpoint.epoch) + " (of " +
            checkpoint.manifest->created_at.ToString() + ")";
  }
  if (!text.empty()) return text;
  return ". Restore the file from a copy, or start a new generation: no other checkpoint here does without it";
}

}  // namespace

StatusOr<std::vector<ListedCheckpoint>> ListCheckpoints(base::FileSystem& files, const std::string& folder) {
  std::vector<ListedCheckpoint> listed;
  StatusOr<std::vector<std::string>> names = files.List(folder);
  if (!names.ok() && names.status().code() == StatusCode::kNotFound) return listed;
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> epoch = EpochOfManifest(name);
    if (!epoch) continue;
    StatusOr<CheckpointManifest> manifest = ReadManifest(files, folder, *epoch);
    if (manifest.status().code() == StatusCode::kUnavailable) return manifest.status();
    if (manifest.status().code() == StatusCode::kNotFound) continue;  // a writer has just removed it
    listed.push_back({*epoch, std::move(manifest)});
  }
  std::sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) { return a.epoch > b.epoch; });
  return listed;
}

StatusOr<std::optional<CheckpointManifest>> LatestCheckpoint(base::FileSystem& files, const std::string& folder) {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<ListedCheckpoint> listed, ListCheckpoints(files, folder));
  if (listed.empty()) return std::optional<CheckpointManifest>();
  if (listed.front().manifest.ok()) return std::optional(*std::move(listed.front().manifest));
  const Status& status = listed.front().manifest.status();
  if (status.code() != StatusCode::kDataLoss && status.code() != StatusCode::kFailedPrecondition) return status;
  return Status(status.code(), "the newest checkpoint, of epoch " + std::to_string(listed.front().epoch) +
                                   ", cannot be read: " + status.message() +
                                   WhatToDo(listed, [](const CheckpointManifest&) { return true; }));
}

StatusOr<CheckpointManifest> FindCheckpoint(base::FileSystem& files, const std::string& folder, std::uint64_t epoch) {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<ListedCheckpoint> listed, ListCheckpoints(files, folder));
  std::string epochs;
  for (ListedCheckpoint& checkpoint : listed) {
    if (checkpoint.epoch == epoch) return std::move(checkpoint.manifest);
    epochs += (epochs.empty() ? "" : ", ") + std::to_string(checkpoint.epoch);
  }
  return NotFoundError("there is no checkpoint of epoch " + std::to_string(epoch) + " in " + folder +
                       (epochs.empty() ? "; there is none at all" : "; there are: " + epochs));
}

Status ReadSection(base::FileSystem& files, const std::string& folder, const SectionRef& section,
                   const ChunkVisitor& visit) {
  Status visited;
  const Status read = ReadSectionChunks(files, folder, section, [&](std::string chunk) {
    visited = visit(std::move(chunk));
    return visited;
  });
  if (read.ok() || !visited.ok() || read.code() != StatusCode::kDataLoss) return read;
  const StatusOr<std::vector<ListedCheckpoint>> listed = ListCheckpoints(files, folder);
  if (!listed.ok()) return read;
  return DataLossError(read.message() + WhatToDo(*listed, [&](const CheckpointManifest& manifest) {
                         return !DataFilesOf(manifest).contains(section.file);
                       }));
}

StatusOr<std::string> ReadSection(base::FileSystem& files, const std::string& folder, const SectionRef& section) {
  std::string content;
  MILLRACE_RETURN_IF_ERROR(ReadSection(files, folder, section, [&](const std::string& chunk) {
    content += chunk;
    return OkStatus();
  }));
  return content;
}

Status VerifyCheckpoint(base::FileSystem& files, const std::string& folder, const CheckpointManifest& checkpoint) {
  const auto ignore = [](const std::string&) { return OkStatus(); };
  for (const StateChain& state : checkpoint.states) {
    for (const SectionRef& section : state.chain) {
      MILLRACE_RETURN_IF_ERROR(ReadSection(files, folder, section, ignore));
    }
  }
  for (const SinkPosition& sink : checkpoint.sinks) {
    MILLRACE_RETURN_IF_ERROR(ReadSection(files, folder, sink.batch, ignore));
  }
  return OkStatus();
}

namespace {

/// Copies a section and makes `*section` mean the copy.
Status CopySection(base::FileSystem& files, const std::string& folder, SectionFileWriter& writer, SectionRef* section) {
  writer.BeginSection(section->full);
  MILLRACE_RETURN_IF_ERROR(
      ReadSection(files, folder, *section, [&](const std::string& chunk) { return writer.AppendChunk(chunk); }));
  MILLRACE_ASSIGN_OR_RETURN(*section, writer.EndSection());
  return OkStatus();
}

}  // namespace

Status SaveSnapshot(base::FileSystem& files, const std::string& from_folder, const CheckpointManifest& checkpoint,
                    const std::string& to_folder) {
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, to_folder));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ListedCheckpoint> listed, ListCheckpoints(files, to_folder));
  if (!listed.empty()) {
    return AlreadyExistsError(to_folder + " holds the checkpoint of epoch " + std::to_string(listed.front().epoch) +
                              " already; give a new folder");
  }
  CheckpointManifest copy = checkpoint;
  MILLRACE_ASSIGN_OR_RETURN(SectionFileWriter writer,
                            SectionFileWriter::Create(files, to_folder, checkpoint.epoch, checkpoint.attempt));
  for (StateChain& state : copy.states) {
    for (SectionRef& section : state.chain) {
      MILLRACE_RETURN_IF_ERROR(CopySection(files, from_folder, writer, &section));
    }
  }
  for (SinkPosition& sink : copy.sinks) {
    MILLRACE_RETURN_IF_ERROR(CopySection(files, from_folder, writer, &sink.batch));
  }
  MILLRACE_RETURN_IF_ERROR(writer.Finish());
  MILLRACE_RETURN_IF_ERROR(files.SyncFolder(to_folder));
  return base::ReplaceFile(files, to_folder + "/" + ManifestName(copy.epoch), ManifestText(copy));
}

}  // namespace millrace::storage
