#include "archive/session.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "archive/file_name.h"
#include "base/status_macros.h"

namespace millrace::archive {

namespace {

constexpr int kTakeOverTries = 20;
constexpr int kFolderDepthMax = 8;

// The attempt that a staged file's name begins with.
std::uint64_t AttemptOfStaged(std::string_view name) {
  std::uint64_t attempt = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), attempt);
  const bool is_ours = error == std::errc() && end != name.data() + name.size() && *end == '-';
  return is_ours ? attempt : std::numeric_limits<std::uint64_t>::max();
}

// A file, or a folder with all that is in it.
Status RemoveAll(base::FileSystem& files, const std::string& path, int depth = 0) {
  Status removed = files.Remove(path);
  if (removed.code() != StatusCode::kFailedPrecondition || depth > kFolderDepthMax) return removed;
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  for (const std::string& name : names) {
    MILLRACE_RETURN_IF_ERROR(RemoveAll(files, path + "/" + name, depth + 1));
  }
  return files.Remove(path);
}

}  // namespace

StatusOr<LoadedManifest> LoadManifest(ArchiveStore& store) {
  LoadedManifest loaded;
  MILLRACE_ASSIGN_OR_RETURN(const StoredManifest stored, store.GetManifest());
  loaded.version = stored.version;
  if (stored.version == 0) return loaded;
  StatusOr<Manifest> manifest = ParseManifest(stored.bytes);
  if (!manifest.ok()) return manifest.status().WithContext("manifest of the archive " + store.name());
  loaded.manifest = *std::move(manifest);
  return loaded;
}

StatusOr<std::unique_ptr<ArchiveSession>> ArchiveSession::Open(SessionOptions options) {
  std::unique_ptr<ArchiveSession> session(new ArchiveSession(std::move(options)));
  MILLRACE_RETURN_IF_ERROR(session->TakeOver());
  MILLRACE_RETURN_IF_ERROR(session->RemoveStaged());
  MILLRACE_RETURN_IF_ERROR(session->RemoveOrphans());
  return session;
}

Status ArchiveSession::TakeOver() {
  Status failed;
  for (int i = 0; i < kTakeOverTries; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(LoadedManifest loaded, LoadManifest(*options_.store));
    Manifest next = std::move(loaded.manifest);
    if (loaded.version != 0 && (next.topic != options_.topic || next.partitions != options_.partitions)) {
      return FailedPreconditionError("archive " + options_.store->name() + " is of the topic " + next.topic + " with " +
                                     std::to_string(next.partitions) + " partitions, not of " + options_.topic +
                                     " with " + std::to_string(options_.partitions) + "; give another folder");
    }
    next.topic = options_.topic;
    next.partitions = options_.partitions;
    ++next.attempt;
    ++next.sequence;
    next.written_by = options_.written_by;
    next.written_at = options_.clock->Now();
    MILLRACE_ASSIGN_OR_RETURN(const std::string bytes, WriteManifest(next));
    const StatusOr<std::int64_t> version = options_.store->ReplaceManifest(bytes, loaded.version);
    if (version.ok()) {
      manifest_ = std::move(next);
      version_ = *version;
      return OkStatus();
    }
    if (version.status().code() != StatusCode::kAborted) return version.status();
    failed = version.status();
  }
  return failed.WithContext("others take the archive over again and again; run one archiver only");
}

// What earlier attempts left in the staging folder. A later attempt's files are none of our business.
Status ArchiveSession::RemoveStaged() {
  MILLRACE_ASSIGN_OR_RETURN(const std::string folder, options_.store->StagingFolder());
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, options_.files->List(folder));
  for (const std::string& name : names) {
    if (AttemptOfStaged(name) >= attempt()) continue;
    const Status removed = RemoveAll(*options_.files, folder + "/" + name);
    if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  }
  return OkStatus();
}

// Since the take-over no manifest can come to name a file of an earlier attempt that ours does not name.
Status ArchiveSession::RemoveOrphans() {
  std::set<std::string_view> named;
  for (const ArchivedRange& range : manifest_.ranges) named.insert(range.path);
  for (const SupersededFile& file : manifest_.superseded) named.insert(file.path);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, options_.store->List("day="));
  for (const StoredObject& object : objects) {
    const std::optional<FileName> name = FileName::Parse(object.name, options_.extension);
    if (!name || name->attempt >= attempt() || named.contains(object.name)) continue;
    const Status removed = options_.store->Remove(object.name);
    if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
    ++orphans_removed_;
  }
  return OkStatus();
}

StatusOr<std::string> ArchiveSession::StagedPath() {
  MILLRACE_ASSIGN_OR_RETURN(const std::string folder, options_.store->StagingFolder());
  return folder + "/" + std::to_string(attempt()) + "-" + std::to_string(next_staged_++);
}

Status ArchiveSession::Put(const std::string& name, const std::string& local_path) {
  if (!is_known_ || !taken_over_.ok()) MILLRACE_RETURN_IF_ERROR(Recover());
  uncommitted_.push_back(name);
  Status put = options_.store->PutFileIfAbsent(name, local_path);
  if (put.code() == StatusCode::kAlreadyExists) {
    // Names hold the attempt, so this is a file of our own that no manifest names: an error kept us from removing it.
    MILLRACE_RETURN_IF_ERROR(options_.store->Remove(name));
    put = options_.store->PutFileIfAbsent(name, local_path);
  }
  return put;
}

Status ArchiveSession::Commit(Manifest next) {
  if (!taken_over_.ok()) return taken_over_;
  if (!is_known_ || next.sequence != manifest_.sequence) {
    return UnavailableError("archive " + options_.store->name() +
                            ": the manifest is not the one that this round began with; begin it anew");
  }
  return Replace(std::move(next));
}

Status ArchiveSession::Replace(Manifest next) {
  next.attempt = manifest_.attempt;
  next.sequence = manifest_.sequence + 1;
  next.written_by = options_.written_by;
  next.written_at = options_.clock->Now();
  MILLRACE_ASSIGN_OR_RETURN(const std::string bytes, WriteManifest(next));
  const StatusOr<std::int64_t> version = options_.store->ReplaceManifest(bytes, version_);
  if (version.ok()) {
    manifest_ = std::move(next);
    version_ = *version;
    is_known_ = true;
    uncommitted_.clear();
    return OkStatus();
  }
  is_known_ = false;
  if (version.status().code() == StatusCode::kAborted) MILLRACE_RETURN_IF_ERROR(Reload());
  return version.status();
}

Status ArchiveSession::Reload() {
  MILLRACE_ASSIGN_OR_RETURN(LoadedManifest loaded, LoadManifest(*options_.store));
  const Status cleaned = RemoveUncommitted(loaded.manifest);
  if (loaded.manifest.attempt != manifest_.attempt) return TakenOver(loaded.manifest);
  manifest_ = std::move(loaded.manifest);
  version_ = loaded.version;
  return cleaned;
}

// What `current` does not name will not be named by a later manifest either: only we would.
Status ArchiveSession::RemoveUncommitted(const Manifest& current) {
  std::set<std::string_view> named;
  for (const ArchivedRange& range : current.ranges) named.insert(range.path);
  for (const SupersededFile& file : current.superseded) named.insert(file.path);
  while (!uncommitted_.empty()) {
    if (!named.contains(uncommitted_.back())) {
      const Status removed = options_.store->Remove(uncommitted_.back());
      if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
    }
    uncommitted_.pop_back();
  }
  return OkStatus();
}

Status ArchiveSession::TakenOver(const Manifest& other) {
  taken_over_ = AbortedError("archive " + options_.store->name() + ": " + other.written_by + " has taken it over at " +
                             other.written_at.ToString() + " (attempt " + std::to_string(other.attempt) + ", this is " +
                             std::to_string(manifest_.attempt) + "); run one archiver of an archive only");
  return taken_over_;
}

Status ArchiveSession::Recover() {
  if (!taken_over_.ok()) return taken_over_;
  if (is_known_) return RemoveUncommitted(manifest_);
  MILLRACE_RETURN_IF_ERROR(Reload());
  // What we read may be a replacement of ours whose sync has failed: it counts only when it is durable.
  return Replace(manifest_);
}

StatusOr<std::int64_t> ArchiveSession::RemoveSuperseded(Duration grace) {
  MILLRACE_RETURN_IF_ERROR(Recover());
  const Timestamp now = options_.clock->Now();
  Manifest next = manifest_;
  next.superseded.clear();
  bool is_changed = false;
  for (SupersededFile file : manifest_.superseded) {
    if (file.at > now) {  // the clock has gone back: the grace begins now
      file.at = now;
      is_changed = true;
    }
    if (grace.count() > 0 && file.at > now - grace) {
      next.superseded.push_back(std::move(file));
      continue;
    }
    const Status removed = options_.store->Remove(file.path);
    if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
    is_changed = true;
  }
  if (!is_changed) return 0;
  const auto count = static_cast<std::int64_t>(manifest_.superseded.size() - next.superseded.size());
  MILLRACE_RETURN_IF_ERROR(Commit(std::move(next)));
  return count;
}

}  // namespace millrace::archive
