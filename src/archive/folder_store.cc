#include "archive/folder_store.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "archive/digest.h"
#include "base/status_macros.h"

namespace millrace::archive {

namespace {

constexpr std::string_view kManifestName = "manifest";
constexpr std::string_view kLockName = "lock";
constexpr std::string_view kStagingName = "staging";
constexpr std::string_view kArchiverName = "archiver";  // a folder with the lock of who archives
constexpr std::uint64_t kStoredManifestBytesMax = (256U << 20) + 128;
constexpr std::size_t kFirstLineBytesMax = 128;
constexpr int kListDepthMax = 8;
constexpr int kLockTries = 2000;
constexpr auto kLockPause = std::chrono::milliseconds(5);

// The store's own files, which are no objects.
bool IsReserved(std::string_view name) {
  return name == kManifestName || name == "manifest.new" || name == kLockName || name == kStagingName ||
         name == kArchiverName || name.starts_with("staging/") || name.starts_with("archiver/");
}

bool IsName(std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::string FrameDigest(std::string_view version, std::string_view content) {
  Digest digest;
  digest.Add(version);
  digest.Add("\n");
  digest.Add(content);
  return digest.Hex();
}

Status Damaged(const std::string& path, const std::string& what) {
  return DataLossError("manifest " + path + ": " + what +
                       "; restore it from a copy, or move it away and archive the log anew");
}

// "version N DIGEST\n", then the content.
StatusOr<StoredManifest> ParseFrame(const std::string& path, std::string content) {
  const std::size_t line = content.find('\n');
  std::string_view first(content.data(), line == std::string::npos ? 0 : line);
  constexpr std::string_view kWord = "version ";
  if (first.size() > kFirstLineBytesMax || !first.starts_with(kWord)) {
    return Damaged(path, "it does not begin with a line `version N DIGEST`");
  }
  first.remove_prefix(kWord.size());
  StoredManifest manifest;
  const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), manifest.version);
  if (error != std::errc() || manifest.version <= 0 || end == first.data() + first.size() || *end != ' ') {
    return Damaged(path, "its version is no number");
  }
  const std::string version(first.data(), end);
  const std::string digest(end + 1, first.data() + first.size());
  manifest.bytes = content.substr(line + 1);
  if (FrameDigest(version, manifest.bytes) != digest) return Damaged(path, "its digest is wrong: bytes were changed");
  return manifest;
}

}  // namespace

StatusOr<std::string> FolderStore::PathOf(const std::string& name) const {
  if (!IsName(name) || IsReserved(name)) {
    return InvalidArgumentError("archive " + folder_ + ": \"" + name + "\" is no name of an object");
  }
  return folder_ + "/" + name;
}

StatusOr<std::unique_ptr<base::FileLock>> FolderStore::Lock() {
  const std::string path = folder_ + "/" + std::string(kLockName);
  for (int i = 0; i < kLockTries; ++i) {
    StatusOr<std::unique_ptr<base::FileLock>> lock = files_.Lock(path);
    if (lock.ok() || lock.status().code() != StatusCode::kFailedPrecondition) return lock;
    std::this_thread::sleep_for(kLockPause);
  }
  return UnavailableError("archive " + folder_ + ": somebody else has held " + path + " for ten seconds; try again");
}

// The folder and its name, durably, and so those above it: a process that was killed may have made one and not synced
// it. Each is synced once by each store.
Status FolderStore::MakeFolder(const std::string& folder) {
  {
    const std::lock_guard lock(mutex_);
    if (durable_folders_.contains(folder)) return OkStatus();
  }
  const std::string parent = base::FolderOf(folder);
  if (parent != folder) MILLRACE_RETURN_IF_ERROR(MakeFolder(parent));
  if (parent != folder && folder != ".") {
    MILLRACE_RETURN_IF_ERROR(files_.CreateFolders(folder));
    const Status synced = files_.SyncFolder(parent);
    // Folders far above may be closed to us: then we have not made what is in them.
    if (!synced.ok() && synced.code() != StatusCode::kPermissionDenied) return synced;
  }
  const std::lock_guard lock(mutex_);
  durable_folders_.insert(folder);
  return OkStatus();
}

StatusOr<StoredManifest> FolderStore::GetManifest() {
  const std::string path = folder_ + "/" + std::string(kManifestName);
  StatusOr<std::string> content = base::ReadFile(files_, path, kStoredManifestBytesMax);
  if (content.ok()) return ParseFrame(path, *std::move(content));
  if (content.status().code() == StatusCode::kNotFound) return StoredManifest{};
  return content.status();
}

StatusOr<std::int64_t> FolderStore::ReplaceManifest(std::string_view bytes, std::int64_t expected_version) {
  MILLRACE_RETURN_IF_ERROR(MakeFolder(folder_));
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::FileLock> lock, Lock());
  MILLRACE_ASSIGN_OR_RETURN(const StoredManifest current, GetManifest());
  if (current.version != expected_version) {
    return AbortedError("archive " + folder_ + ": the manifest was replaced by somebody else (version " +
                        std::to_string(current.version) + " instead of " + std::to_string(expected_version) +
                        "); read it again");
  }
  const std::string version = std::to_string(expected_version + 1);
  std::string content = "version " + version + " " + FrameDigest(version, bytes) + "\n";
  content += bytes;
  MILLRACE_RETURN_IF_ERROR(base::ReplaceFile(files_, folder_ + "/" + std::string(kManifestName), content));
  return expected_version + 1;
}

Status FolderStore::PutIfAbsent(const std::string& name, std::string_view content) {
  MILLRACE_RETURN_IF_ERROR(PathOf(name).status());
  MILLRACE_ASSIGN_OR_RETURN(const std::string staging, StagingFolder());
  std::string staged = name;
  std::replace(staged.begin(), staged.end(), '/', '_');
  staged = staging + "/" + staged + ".put";
  {
    MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, files_.Open(staged, base::OpenMode::kReadWrite));
    MILLRACE_RETURN_IF_ERROR(file->Truncate(0));
    MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(content))));
    MILLRACE_RETURN_IF_ERROR(file->Sync());
  }
  const Status put = PutFileIfAbsent(name, staged);
  if (!put.ok()) static_cast<void>(files_.Remove(staged));
  return put;
}

Status FolderStore::PutFileIfAbsent(const std::string& name, const std::string& local_path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
  const std::string folder = base::FolderOf(path);
  MILLRACE_RETURN_IF_ERROR(MakeFolder(folder));
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::FileLock> lock, Lock());
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files_.Exists(path));
  if (exists) return AlreadyExistsError("archive " + folder_ + ": there is an object " + name + " already");
  MILLRACE_RETURN_IF_ERROR(files_.Rename(local_path, path));
  MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(folder));
  return files_.SyncFolder(base::FolderOf(local_path));  // a rename between folders is durable after both
}

StatusOr<std::string> FolderStore::StagingFolder() {
  const std::string folder = folder_ + "/" + std::string(kStagingName);
  MILLRACE_RETURN_IF_ERROR(MakeFolder(folder));
  return folder;
}

StatusOr<std::vector<StoredObject>> FolderStore::List(std::string_view prefix) {
  std::vector<StoredObject> found;
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files_.Exists(folder_));
  if (exists) MILLRACE_RETURN_IF_ERROR(ListFolder("", prefix, 0, &found));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

Status FolderStore::ListFolder(const std::string& below, std::string_view prefix, int depth,
                               std::vector<StoredObject>* found) {
  if (depth > kListDepthMax) {
    return FailedPreconditionError("archive " + folder_ + ": folders are nested too deeply at " + below);
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_ + "/" + below));
  for (const std::string& part : names) {
    const std::string name = below + part;
    if (IsReserved(name)) continue;
    const std::string_view shared = prefix.substr(0, name.size());
    if (!std::string_view(name).starts_with(shared)) continue;
    StatusOr<std::unique_ptr<base::File>> file = files_.Open(folder_ + "/" + name, base::OpenMode::kRead);
    if (file.ok()) {
      if (!name.starts_with(prefix)) continue;
      MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t bytes, (*file)->Size());
      found->push_back({.name = name, .bytes = bytes});
    } else if (file.status().code() == StatusCode::kFailedPrecondition) {
      MILLRACE_RETURN_IF_ERROR(ListFolder(name + "/", prefix, depth + 1, found));
    } else if (file.status().code() != StatusCode::kNotFound) {  // removed meanwhile
      return file.status();
    }
  }
  return OkStatus();
}

Status FolderStore::Remove(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
  MILLRACE_RETURN_IF_ERROR(files_.Remove(path));
  return files_.SyncFolder(base::FolderOf(path));
}

StatusOr<std::string> FolderStore::Read(const std::string& name, std::uint64_t offset, std::size_t max_bytes) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, files_.Open(path, base::OpenMode::kRead));
  std::string bytes(max_bytes, '\0');
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file->ReadAt(offset, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(count);
  return bytes;
}

StatusOr<std::string> FolderStore::LocalPath(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(std::string path, PathOf(name));
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files_.Exists(path));
  if (!exists) return NotFoundError("archive " + folder_ + ": there is no object " + name);
  return path;
}

std::shared_ptr<ArchiveStore> OpenFolderStore(std::string folder) {
  return std::make_shared<FolderStore>(base::PosixFileSystem(), std::move(folder));
}

}  // namespace millrace::archive
