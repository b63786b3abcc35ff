#include "batch/store.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace millrace::batch {

namespace {

namespace fs = std::filesystem;

constexpr const char* kVersions = "versions";
constexpr const char* kCurrent = "current";
constexpr const char* kStaging = "staging";
constexpr const char* kCurrentFile = "cells.parquet";

Status Failed(const std::string& what, const std::string& path, const std::error_code& error) {
  return UnavailableError(what + " " + path + ": " + error.message());
}

// What a partition's folder is called; the manifest does not depend on it.
std::string FolderName(const std::string& unit, const Partition& partition) { return unit + "=" + partition.name; }

Status SyncFile(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const auto file, base::PosixFileSystem().Open(path, base::OpenMode::kReadWrite));
  return file->Sync();
}

}  // namespace

StatusOr<Store> Store::Open(StoreOptions options) {
  Store store(std::move(options));
  const StoreOptions& of = store.options_;
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(base::PosixFileSystem(), of.folder));
  MILLRACE_ASSIGN_OR_RETURN(store.manifest_, ReadManifest(base::PosixFileSystem(), of.folder));
  Manifest& manifest = store.manifest_;
  if (manifest.revision == 0) {
    manifest.topic = of.topic;
    manifest.every = of.unit;
  }
  if (manifest.topic != of.topic || manifest.every != of.unit) {
    return FailedPreconditionError("the batch layer in " + of.folder + " is of the topic " + manifest.topic +
                                   " with partitions of one " + manifest.every + ", not of " + of.topic +
                                   " with partitions of one " + of.unit + "; remove that folder to begin anew");
  }
  store.RemoveOrphans();
  for (const Partition& partition : manifest.partitions) MILLRACE_RETURN_IF_ERROR(store.Publish(partition));
  return store;
}

// Nothing but the manifest says what there is. An error is left to the next time.
void Store::RemoveOrphans() const {
  std::set<std::string> named;
  for (const Partition& partition : manifest_.partitions) {
    for (const PartitionVersion& version : partition.versions) {
      for (const ViewFile& file : version.views) named.insert(file.path);
    }
  }
  for (const SupersededFile& file : manifest_.superseded) named.insert(file.path);
  std::error_code ignored;
  fs::remove_all(PathOf(kStaging), ignored);
  std::vector<fs::path> orphans;
  for (fs::recursive_directory_iterator at(PathOf(kVersions), ignored), end; at != end; at.increment(ignored)) {
    if (ignored) break;
    if (!at->is_regular_file(ignored)) continue;
    if (!named.contains(fs::relative(at->path(), options_.folder, ignored).string())) orphans.push_back(at->path());
  }
  for (const fs::path& orphan : orphans) fs::remove(orphan, ignored);
}

StatusOr<std::string> Store::MakeStaging() {
  const std::string folder = PathOf(kStaging);
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return Failed("cannot empty the folder", folder, error);
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
  return folder;
}

StatusOr<ViewFile> Store::PutFile(const std::string& folder, std::uint64_t version,
                                  const ComputedPartition::View& view) {
  ViewFile file{.view = view.view, .rows = view.rows};
  if (view.staged.empty()) return file;
  base::FileSystem& files = base::PosixFileSystem();
  const std::string name = std::string(kVersions) + "/" + view.view + "/" + folder;
  file.path = name + "/" + std::to_string(version) + ".parquet";
  MILLRACE_RETURN_IF_ERROR(SyncFile(view.staged));
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, PathOf(name)));
  MILLRACE_RETURN_IF_ERROR(files.Rename(view.staged, PathOf(file.path)));
  MILLRACE_RETURN_IF_ERROR(files.SyncFolder(PathOf(name)));
  std::error_code error;
  file.bytes = fs::file_size(PathOf(file.path), error);
  if (error) return Failed("cannot read the size of", PathOf(file.path), error);
  return file;
}

StatusOr<std::uint64_t> Store::Commit(const Partitioning& partitioning, std::vector<ComputedPartition> partitions,
                                      const VersionFacts& facts) {
  const Timestamp now = options_.clock->Now();
  Manifest next = manifest_;
  ++next.version;
  next.written_at = std::max(now, manifest_.written_at + Duration(1));
  for (const ComputedPartition& computed : partitions) {
    const std::string name = partitioning.NameOf(computed.from);
    PartitionVersion version{.version = next.version,
                             .written_at = next.written_at,
                             .engine = facts.engine,
                             .code_version = facts.code_version,
                             .cut = facts.cut};
    for (const ComputedPartition::View& view : computed.views) {
      MILLRACE_ASSIGN_OR_RETURN(version.views.emplace_back(),
                                PutFile(partitioning.FolderOf(computed.from), next.version, view));
    }
    Partition* partition = next.Find(computed.from);
    if (partition == nullptr) {
      const auto place = std::find_if(next.partitions.begin(), next.partitions.end(),
                                      [&](const Partition& other) { return other.from > computed.from; });
      partition = &*next.partitions.insert(place, {.name = name,
                                                   .from = computed.from,
                                                   .to = computed.from + partitioning.every(),
                                                   .first_version = next.version,
                                                   .first_written_at = next.written_at});
    }
    partition->versions.insert(partition->versions.begin(), std::move(version));
    partition->checked = facts.cut;
    partition->is_dirty = false;
    while (partition->versions.size() > std::max<std::size_t>(1, options_.keep_versions)) {
      for (const ViewFile& file : partition->versions.back().views) {
        if (!file.path.empty()) next.superseded.push_back({.path = file.path, .at = now});
      }
      partition->versions.pop_back();
    }
  }
  MILLRACE_RETURN_IF_ERROR(Replace(std::move(next)));
  for (const ComputedPartition& computed : partitions) {
    MILLRACE_RETURN_IF_ERROR(Publish(*manifest_.Find(computed.from)));
  }
  return manifest_.version;
}

Status Store::Note(const std::function<void(Manifest&)>& change) {
  Manifest next = manifest_;
  change(next);
  return next == manifest_ ? OkStatus() : Replace(std::move(next));
}

// Files are removed after the manifest that does without them is durable.
Status Store::Replace(Manifest next) {
  const Timestamp until = options_.clock->Now() - options_.grace;
  const auto expired = std::stable_partition(next.superseded.begin(), next.superseded.end(),
                                             [&](const SupersededFile& file) { return file.at > until; });
  const std::vector<SupersededFile> removed(expired, next.superseded.end());
  next.superseded.erase(expired, next.superseded.end());
  ++next.revision;
  MILLRACE_RETURN_IF_ERROR(WriteManifest(base::PosixFileSystem(), options_.folder, next));
  manifest_ = std::move(next);
  std::error_code ignored;
  for (const SupersededFile& file : removed) fs::remove(PathOf(file.path), ignored);
  return OkStatus();
}

// Makes the files of the current version those that any client finds, each by one rename.
Status Store::Publish(const Partition& partition) const {
  for (const ViewFile& file : partition.versions.front().views) {
    const std::string folder =
        PathOf(std::string(kCurrent) + "/" + file.view + "/" + FolderName(manifest_.every, partition));
    const std::string path = folder + "/" + kCurrentFile;
    std::error_code error;
    if (file.path.empty()) {
      fs::remove(path, error);
      continue;
    }
    if (fs::equivalent(path, PathOf(file.path), error)) continue;
    MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
    const std::string link = path + ".new";
    fs::remove(link, error);
    fs::create_hard_link(PathOf(file.path), link, error);
    if (error) return Failed("cannot link", link, error);
    MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().Rename(link, path));
  }
  return OkStatus();
}

}  // namespace millrace::batch
