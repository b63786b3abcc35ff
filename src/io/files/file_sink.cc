// The operators of file sinks: one shard per worker, all named at once.
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "millrace/detail/shard_writer.h"

namespace millrace::detail {

namespace {

std::string ShardName(const std::string& base, int index, int count, const std::string& suffix) {
  char numbers[32];
  std::snprintf(numbers, sizeof(numbers), "-%05d-of-%05d", index, count);
  return base + numbers + suffix;
}

bool IsShardName(std::string_view name, std::string_view base, std::string_view suffix) {
  constexpr std::string_view kShape = "-00000-of-00000";
  if (!name.starts_with(base) || !name.ends_with(suffix) ||
      name.size() != base.size() + kShape.size() + suffix.size()) {
    return false;
  }
  const std::string_view middle = name.substr(base.size(), kShape.size());
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool fits = kShape[i] == '0' ? middle[i] >= '0' && middle[i] <= '9' : middle[i] == kShape[i];
    if (!fits) return false;
  }
  return true;
}

// The prefixes that this process writes to now.
class PrefixesInUse {
 public:
  bool Take(const std::string& prefix) {
    const std::lock_guard lock(mutex_);
    return prefixes_.insert(prefix).second;
  }
  void Give(const std::string& prefix) {
    const std::lock_guard lock(mutex_);
    prefixes_.erase(prefix);
  }
  static PrefixesInUse& Instance() {
    static PrefixesInUse instance;
    return instance;
  }

 private:
  std::mutex mutex_;
  std::set<std::string> prefixes_;
};

// What the operators of one run share. Thread safe.
class SharedShards {
 public:
  explicit SharedShards(const FileSink& sink)
      : sink_(sink),
        folder_(base::FolderOf(sink.prefix)),
        base_(std::filesystem::path(sink.prefix).filename().string()),
        taken_as_(std::filesystem::absolute(sink.prefix).lexically_normal().string() + "*" + sink.suffix) {}

  // After the run: nothing stays of what was not finished.
  ~SharedShards() {
    for (const std::string& temporary : temporaries_) {
      std::error_code ignored;
      if (!named_) std::filesystem::remove(temporary, ignored);
    }
    if (taken_) PrefixesInUse::Instance().Give(taken_as_);
  }
  SharedShards(const SharedShards&) = delete;
  SharedShards& operator=(const SharedShards&) = delete;

  /// Opens the shard of one worker.
  StatusOr<std::unique_ptr<ShardWriter>> Open(int worker, int workers) {
    std::string temporary;
    {
      const std::lock_guard lock(mutex_);
      if (++opened_ > workers) {
        return FailedPreconditionError("a run of this pipeline is writing " + sink_.prefix +
                                       " already; wait for its end before the next");
      }
      workers_ = workers;
      if (opened_ == 1) prepared_ = Prepare();
      if (!prepared_.ok()) return prepared_;
      temporary = temporaries_.emplace_back(Temporary(worker));
    }
    return sink_.open(temporary);
  }

  /// One worker's shard is closed; the last one gives all their names.
  Status Finish() {
    const std::lock_guard lock(mutex_);
    if (++finished_ < workers_) return OkStatus();
    base::FileSystem& files = base::PosixFileSystem();
    for (int i = 0; i < workers_; ++i) {
      MILLRACE_RETURN_IF_ERROR(files.Rename(Temporary(i), folder_ + "/" + ShardName(base_, i, workers_, sink_.suffix)));
    }
    named_ = true;
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> shards, Existing());
    const std::string ours = ShardName("", 0, workers_, sink_.suffix).substr(6);
    for (const std::string& name : shards) {
      if (!name.ends_with(ours)) MILLRACE_RETURN_IF_ERROR(files.Remove(folder_ + "/" + name));
    }
    return files.SyncFolder(folder_);
  }

 private:
  Status Prepare() {
    if (base_.empty()) return InvalidArgumentError("the prefix \"" + sink_.prefix + "\" has no name after its folder");
    taken_ = PrefixesInUse::Instance().Take(taken_as_);
    if (!taken_) {
      return FailedPreconditionError("another write in this process has the prefix " + sink_.prefix +
                                     "; give each a prefix of its own");
    }
    MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder_));
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> shards, Existing());
    if (shards.empty() || sink_.overwrite) return OkStatus();
    return AlreadyExistsError("file " + folder_ + "/" + shards.front() +
                              " exists; remove it, choose another prefix, or add .Overwrite()");
  }

  // The names of the shards in the folder, of whatever run.
  StatusOr<std::vector<std::string>> Existing() const {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<std::string> names, base::PosixFileSystem().List(folder_));
    std::erase_if(names, [this](const std::string& name) { return !IsShardName(name, base_, sink_.suffix); });
    return names;
  }

  std::string Temporary(int worker) const {
    return folder_ + "/." + ShardName(base_, worker, workers_, sink_.suffix) + ".unfinished";
  }

  const FileSink sink_;
  const std::string folder_;
  const std::string base_;
  const std::string taken_as_;
  std::mutex mutex_;
  Status prepared_;
  std::vector<std::string> temporaries_;
  int workers_ = 0;
  int opened_ = 0;
  int finished_ = 0;
  bool taken_ = false;
  bool named_ = false;
};

class FileSinkOperator final : public Operator {
 public:
  FileSinkOperator(std::shared_ptr<SharedShards> shards, std::size_t stride)
      : shards_(std::move(shards)), stride_(stride) {}

  void Open(OperatorContext& opened_in) override {
    Operator::Open(opened_in);
    StatusOr<std::unique_ptr<ShardWriter>> writer = shards_->Open(context().worker(), context().workers());
    Check(writer.status());
    writer_ = *std::move(writer);
  }

  void Process(BatchBase& batch, int /*input*/) override {
    if (!batch.empty()) Check(writer_->Append(batch.ValueAt(0), stride_, batch.size()));
  }

  Timestamp AdvanceWatermark(Timestamp watermark) override {
    if (watermark == Timestamp::Max() && writer_ != nullptr) {
      Check(writer_->Close());
      writer_.reset();
      Check(shards_->Finish());
    }
    return watermark;
  }

  void Close() override { writer_.reset(); }

 private:
  void Check(const Status& status) const {
    if (!status.ok()) throw PipelineFailure(status.WithContext(context().label()));
  }

  std::shared_ptr<SharedShards> shards_;
  std::size_t stride_;
  std::unique_ptr<ShardWriter> writer_;
};

}  // namespace

OperatorFactory MakeFileSink(FileSink sink) {
  // The operators of a run are made before the first of them is gone, so they find each other by what is alive.
  struct Runs {
    std::mutex mutex;
    std::weak_ptr<SharedShards> current;
  };
  return [sink = std::move(sink), runs = std::make_shared<Runs>()]() -> std::unique_ptr<Operator> {
    const std::lock_guard lock(runs->mutex);
    std::shared_ptr<SharedShards> shards = runs->current.lock();
    if (shards == nullptr) {
      shards = std::make_shared<SharedShards>(sink);
      runs->current = shards;
    }
    return std::make_unique<FileSinkOperator>(std::move(shards), sink.stride);
  };
}

}  // namespace millrace::detail
