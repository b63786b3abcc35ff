#include "base/simulated_file_system.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include "base/random.h"
#include "base/simulated_names.h"
#include "base/status_macros.h"

namespace millrace::base {
namespace {

struct Fault {
  FileOperation operation;
  std::uint64_t remaining;  // 1: the next one
  std::string path_part;
};

struct CrashPlan {
  std::uint64_t after_changes;
  bool power_fails;
};

Status IsAFolder(std::string_view action, const std::string& path) {
  return SimulatedError(StatusCode::kFailedPrecondition, action, path, "Is a directory");
}

Status DeviceError(std::string_view action, const std::string& path) {
  return SimulatedError(StatusCode::kDataLoss, action, path, "Input/output error (simulated)");
}

Status NoRoom(std::string_view action, const std::string& path) {
  return SimulatedError(StatusCode::kResourceExhausted, action, path, "No space left on device (simulated)");
}

Status Down() { return UnavailableError("the simulated machine has crashed"); }

}  // namespace

class SimulatedFileSystem::State {
 public:
  explicit State(SimulatedFileSystemOptions options) : random(options.seed), names(options.names_in_order) {}

  /// Runs `work(fails)` as one operation on `path` under the mutex, with the crash and the fault that are due. `work`
  /// gives a Status or a StatusOr.
  template <class Work>
  auto Do(FileOperation operation, const std::string& path, bool is_change, const Work& work) -> decltype(work(false)) {
    const std::lock_guard guard(mutex);
    return DoLocked(operation, path, is_change, work);
  }

  /// The same for an open file of `opened_in`, which the crashes since then have closed.
  template <class Work>
  auto DoOpen(std::uint64_t opened_in, FileOperation operation, const std::string& path, bool is_change,
              const Work& work) -> decltype(work(false)) {
    const std::lock_guard guard(mutex);
    if (opened_in != life) return Down();
    return DoLocked(operation, path, is_change, work);
  }

  std::uint64_t Room() const {
    if (!capacity) return ~std::uint64_t{0};
    return *capacity > used_bytes ? *capacity - used_bytes : 0;
  }

  Status Write(SimulatedNode& node, const std::string& path, std::uint64_t offset, std::string_view bytes, bool fails);
  void EndLife(bool power_fails);

  mutable std::mutex mutex;
  Random random;
  SimulatedNames names;
  std::set<const SimulatedNode*> locked;
  std::uint64_t life = 0;  // rises at each crash
  bool down = false;
  std::optional<CrashPlan> plan;
  std::vector<Fault> faults;
  std::optional<std::uint64_t> capacity;
  std::uint64_t used_bytes = 0;
  std::uint64_t changes = 0;
  std::array<std::uint64_t, kFileOperations> counts{};

 private:
  template <class Work>
  auto DoLocked(FileOperation operation, const std::string& path, bool is_change, const Work& work)
      -> decltype(work(false)) {
    if (down) return Down();
    ++counts[static_cast<std::size_t>(operation)];
    const bool crashes = is_change && plan && changes >= plan->after_changes;
    if (is_change) ++changes;
    const bool fails = IsDue(operation, path);
    if (crashes && random.Chance(0.5)) {
      EndLife(plan->power_fails);
      return Down();
    }
    auto result = work(fails);
    if (!crashes) return result;
    EndLife(plan->power_fails);
    return Down();
  }

  bool IsDue(FileOperation operation, const std::string& path) {
    bool due = false;
    for (Fault& fault : faults) {
      if (fault.operation != operation || path.find(fault.path_part) == std::string::npos) continue;
      due |= --fault.remaining == 0;
    }
    std::erase_if(faults, [](const Fault& fault) { return fault.remaining == 0; });
    return due;
  }
};

Status SimulatedFileSystem::State::Write(SimulatedNode& node, const std::string& path, std::uint64_t offset,
                                         std::string_view bytes, bool fails) {
  const std::uint64_t before = node.content.size();
  const std::uint64_t end = offset + bytes.size();
  std::uint64_t writable = bytes.size();
  const bool is_full = !bytes.empty() && node.is_named && end > before && end - before > Room();
  if (is_full) writable = before + Room() > offset ? before + Room() - offset : 0;
  if (fails) writable = random.Below(writable + 1);
  node.content.Write(offset, bytes.substr(0, writable));
  if (node.is_named) used_bytes += node.content.size() - before;
  if (fails) return DeviceError("write", path);
  return is_full ? NoRoom("write", path) : OkStatus();
}

void SimulatedFileSystem::State::EndLife(bool power_fails) {
  down = true;
  ++life;
  locked.clear();
  plan.reset();
  if (power_fails) used_bytes = names.Crash(random);
}

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedFileSystem::State& state, std::string path, SimulatedNodePointer node, bool writable)
      : state_(state), path_(std::move(path)), node_(std::move(node)), writable_(writable), life_(state.life) {}

  StatusOr<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> bytes) const override {
    return state_.DoOpen(life_, FileOperation::kRead, path_, false, [&](bool fails) -> StatusOr<std::size_t> {
      if (fails) return DeviceError("read", path_);
      const std::string_view content = node_->content.bytes();
      if (offset >= content.size()) return std::size_t{0};
      const std::size_t count = std::min<std::size_t>(bytes.size(), content.size() - offset);
      if (count > 0) std::memcpy(bytes.data(), content.data() + offset, count);
      return count;
    });
  }

  Status WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    return Write("write", [&](bool fails) { return state_.Write(*node_, path_, offset, Text(bytes), fails); });
  }

  Status Append(std::span<const std::byte> bytes) override {
    return Write("write",
                 [&](bool fails) { return state_.Write(*node_, path_, node_->content.size(), Text(bytes), fails); });
  }

  StatusOr<std::uint64_t> Size() const override {
    const std::lock_guard guard(state_.mutex);
    if (state_.down || life_ != state_.life) return Down();
    return node_->content.size();
  }

  Status Truncate(std::uint64_t size) override {
    return Write("truncate", [&](bool fails) {
      if (fails) return DeviceError("truncate", path_);
      const std::uint64_t before = node_->content.size();
      if (node_->is_named && size > before && size - before > state_.Room()) return NoRoom("truncate", path_);
      node_->content.Truncate(size);
      if (node_->is_named) state_.used_bytes = state_.used_bytes + size - before;
      return OkStatus();
    });
  }

  Status Sync() override {
    return state_.DoOpen(life_, FileOperation::kSync, path_, true, [&](bool fails) {
      if (!fails) {
        node_->content.Sync();
        return OkStatus();
      }
      node_->content.FailSync(state_.random);
      return DeviceError("sync", path_);
    });
  }

 private:
  static std::string_view Text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  template <class Work>
  Status Write(std::string_view action, const Work& work) {
    if (!writable_) return SimulatedError(StatusCode::kFailedPrecondition, action, path_, "Bad file descriptor");
    return state_.DoOpen(life_, FileOperation::kWrite, path_, true, work);
  }

  SimulatedFileSystem::State& state_;
  const std::string path_;
  const SimulatedNodePointer node_;
  const bool writable_;
  const std::uint64_t life_;
};

class SimulatedFileLock final : public FileLock {
 public:
  SimulatedFileLock(SimulatedFileSystem::State& state, SimulatedNodePointer node, std::uint64_t life)
      : state_(state), node_(std::move(node)), life_(life) {}
  SimulatedFileLock(const SimulatedFileLock&) = delete;
  SimulatedFileLock& operator=(const SimulatedFileLock&) = delete;
  ~SimulatedFileLock() override {
    const std::lock_guard guard(state_.mutex);
    if (life_ == state_.life) state_.locked.erase(node_.get());
  }

 private:
  SimulatedFileSystem::State& state_;
  const SimulatedNodePointer node_;
  const std::uint64_t life_;
};

SimulatedFileSystem::SimulatedFileSystem(SimulatedFileSystemOptions options)
    : state_(std::make_unique<State>(options)) {}

SimulatedFileSystem::~SimulatedFileSystem() = default;

StatusOr<std::unique_ptr<File>> SimulatedFileSystem::Open(const std::string& path, OpenMode mode) {
  using Result = StatusOr<std::unique_ptr<File>>;
  const bool writable = mode != OpenMode::kRead;
  return state_->Do(FileOperation::kOpen, path, writable, [&](bool fails) -> Result {
    if (fails) return DeviceError("open", path);
    MILLRACE_ASSIGN_OR_RETURN(SimulatedPlace place, state_->names.Find("open", path));
    if (place.node == nullptr) {
      if (!writable) return NoSuchFile("open", path);
      if (state_->Room() == 0) return NoRoom("open", path);
      place.node = std::make_shared<SimulatedNode>(false);
      state_->names.Create(place, place.node);
    } else if (mode == OpenMode::kCreate) {
      return SimulatedError(StatusCode::kAlreadyExists, "open", path, "File exists");
    }
    if (place.node->is_folder) return IsAFolder("open", path);
    return std::unique_ptr<File>(std::make_unique<SimulatedFile>(*state_, path, place.node, writable));
  });
}

StatusOr<bool> SimulatedFileSystem::Exists(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->down) return Down();
  const StatusOr<SimulatedPlace> place = state_->names.Find("look for", path);
  return place.ok() && place->node != nullptr;
}

StatusOr<std::vector<std::string>> SimulatedFileSystem::List(const std::string& folder) {
  const std::lock_guard guard(state_->mutex);
  if (state_->down) return Down();
  MILLRACE_ASSIGN_OR_RETURN(const SimulatedPlace place, state_->names.Find("list", folder));
  if (place.node == nullptr) return NoSuchFile("list", folder);
  if (!place.node->is_folder) return NotAFolder("list", folder);
  std::vector<std::string> names;
  for (const auto& [name, node] : place.node->names) names.push_back(name);
  return names;
}

Status SimulatedFileSystem::CreateFolders(const std::string& folder) {
  return state_->Do(FileOperation::kNames, folder, true, [&](bool fails) {
    if (fails) return DeviceError("create the folder", folder);
    if (folder.empty()) return NoSuchFile("create the folder", folder);
    SimulatedNodePointer at = state_->names.root();
    for (const std::string& name : SplitSimulatedPath(folder)) {
      SimulatedNodePointer next;
      if (const auto found = at->names.find(name); found != at->names.end()) {
        next = found->second;
        if (!next->is_folder) return NotAFolder("create the folder", folder);
      } else {
        if (state_->Room() == 0) return NoRoom("create the folder", folder);
        next = std::make_shared<SimulatedNode>(true);
        state_->names.Create({at, name, nullptr}, next);
      }
      at = std::move(next);
    }
    return OkStatus();
  });
}

Status SimulatedFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::string both = from + " to " + to;
  return state_->Do(FileOperation::kNames, both, true, [&](bool fails) {
    if (fails) return DeviceError("rename", both);
    StatusOr<SimulatedPlace> source = state_->names.Find("rename", from);
    if (!source.ok()) return source.status();
    StatusOr<SimulatedPlace> target = state_->names.Find("rename", to);
    if (!target.ok()) return target.status();
    if (source->node == nullptr) return NoSuchFile("rename", both);
    if (source->folder == nullptr || target->folder == nullptr) {
      return SimulatedError(StatusCode::kFailedPrecondition, "rename", both, "Device or resource busy");
    }
    if (source->node == target->node) return OkStatus();
    if (target->node != nullptr) {
      if (target->node->is_folder != source->node->is_folder) {
        return target->node->is_folder ? IsAFolder("rename", both) : NotAFolder("rename", both);
      }
      if (!target->node->names.empty()) {
        return SimulatedError(StatusCode::kFailedPrecondition, "rename", both, "Directory not empty");
      }
      state_->used_bytes -= target->node->content.size();
    }
    state_->names.Rename(*source, *target);
    return OkStatus();
  });
}

Status SimulatedFileSystem::Remove(const std::string& path) {
  return state_->Do(FileOperation::kNames, path, true, [&](bool fails) {
    if (fails) return DeviceError("remove", path);
    StatusOr<SimulatedPlace> place = state_->names.Find("remove", path);
    if (!place.ok()) return place.status();
    if (place->node == nullptr) return NoSuchFile("remove", path);
    if (place->folder == nullptr || !place->node->names.empty()) {
      return SimulatedError(StatusCode::kFailedPrecondition, "remove", path, "Directory not empty");
    }
    state_->used_bytes -= place->node->content.size();
    state_->names.Remove(*place);
    return OkStatus();
  });
}

Status SimulatedFileSystem::SyncFolder(const std::string& folder) {
  return state_->Do(FileOperation::kSyncFolder, folder, true, [&](bool fails) {
    if (fails) return DeviceError("sync the folder", folder);
    StatusOr<SimulatedPlace> place = state_->names.Find("sync the folder", folder);
    if (!place.ok()) return place.status();
    if (place->node == nullptr) return NoSuchFile("sync the folder", folder);
    if (!place->node->is_folder) return NotAFolder("sync the folder", folder);
    state_->names.Sync(*place->node);
    return OkStatus();
  });
}

StatusOr<std::unique_ptr<FileLock>> SimulatedFileSystem::Lock(const std::string& path) {
  struct Taken {
    SimulatedNodePointer node;
    std::uint64_t life;
  };
  // The lock is made outside of the mutex, which its destructor takes: a crash may drop what was taken.
  StatusOr<Taken> taken = state_->Do(FileOperation::kNames, path, true, [&](bool fails) -> StatusOr<Taken> {
    if (fails) return DeviceError("lock", path);
    MILLRACE_ASSIGN_OR_RETURN(SimulatedPlace place, state_->names.Find("lock", path));
    if (place.node == nullptr) {
      place.node = std::make_shared<SimulatedNode>(false);
      state_->names.Create(place, place.node);
    }
    if (place.node->is_folder) return IsAFolder("lock", path);
    if (!state_->locked.insert(place.node.get()).second) {
      return FailedPreconditionError("cannot lock " + path + ": somebody holds it; is another process running here?");
    }
    return Taken{place.node, state_->life};
  });
  if (!taken.ok()) return taken.status();
  return std::unique_ptr<FileLock>(std::make_unique<SimulatedFileLock>(*state_, taken->node, taken->life));
}

void SimulatedFileSystem::Crash() {
  const std::lock_guard guard(state_->mutex);
  if (!state_->down) state_->EndLife(true);
}

void SimulatedFileSystem::Kill() {
  const std::lock_guard guard(state_->mutex);
  if (!state_->down) state_->EndLife(false);
}

void SimulatedFileSystem::CrashAfter(std::uint64_t changes) {
  const std::lock_guard guard(state_->mutex);
  state_->plan = CrashPlan{state_->changes + changes, true};
}

void SimulatedFileSystem::KillAfter(std::uint64_t changes) {
  const std::lock_guard guard(state_->mutex);
  state_->plan = CrashPlan{state_->changes + changes, false};
}

void SimulatedFileSystem::Restart() {
  const std::lock_guard guard(state_->mutex);
  state_->down = false;
  state_->plan.reset();
  state_->faults.clear();
}

bool SimulatedFileSystem::crashed() const {
  const std::lock_guard guard(state_->mutex);
  return state_->down;
}

void SimulatedFileSystem::FailAt(FileOperation operation, std::uint64_t nth, std::string path_part) {
  const std::lock_guard guard(state_->mutex);
  assert(nth > 0);
  state_->faults.push_back({operation, nth, std::move(path_part)});
}

void SimulatedFileSystem::SetFreeBytes(std::optional<std::uint64_t> bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->capacity = bytes;
  if (bytes) *state_->capacity += state_->used_bytes;
}

void SimulatedFileSystem::Flip(const std::string& path, std::uint64_t offset, std::uint8_t mask) {
  const std::lock_guard guard(state_->mutex);
  const SimulatedPlace place = state_->names.Find("flip", path).value();
  if (place.node == nullptr || offset >= place.node->content.size()) std::abort();
  place.node->content.Flip(offset, mask);
}

std::uint64_t SimulatedFileSystem::changes() const {
  const std::lock_guard guard(state_->mutex);
  return state_->changes;
}

std::uint64_t SimulatedFileSystem::count(FileOperation operation) const {
  const std::lock_guard guard(state_->mutex);
  return state_->counts[static_cast<std::size_t>(operation)];
}

std::uint64_t SimulatedFileSystem::used_bytes() const {
  const std::lock_guard guard(state_->mutex);
  return state_->used_bytes;
}

}  // namespace millrace::base
