#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace millrace::base {
namespace {

StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT: return StatusCode::kNotFound;
    case EEXIST: return StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return StatusCode::kResourceExhausted;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EXDEV:
    case EBUSY:
    case EBADF: return StatusCode::kFailedPrecondition;
    case EINVAL:
    case ENAMETOOLONG: return StatusCode::kInvalidArgument;
    case EIO: return StatusCode::kDataLoss;
    default: return StatusCode::kUnknown;
  }
}

/// "cannot open a/b: No such file or directory".
Status SystemError(std::string_view action, const std::string& path, int error) {
  std::string text = "cannot ";
  text.append(action).append(" ").append(path).append(": ");
  text.append(std::error_code(error, std::generic_category()).message());
  return Status(CodeOf(error), std::move(text));
}

/// Repeats a call that a signal interrupted.
template <class Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// An open descriptor, closed at the end of its life.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);  // an error says nothing that Sync did not say
  }

  int get() const { return number_; }

 private:
  int number_;
};

StatusOr<Descriptor> OpenDescriptor(std::string_view action, const std::string& path, int flags) {
  const int number = Uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  if (number < 0) return SystemError(action, path, errno);
  return Descriptor(number);
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, Descriptor descriptor) : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  StatusOr<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> bytes) const override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = Uninterrupted([&] {
        return ::pread(descriptor_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return SystemError("read", path_, errno);
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  Status WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = Uninterrupted([&] {
        return ::pwrite(descriptor_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return SystemError("write", path_, errno);
      done += static_cast<std::size_t>(count);
    }
    return OkStatus();
  }

  Status Append(std::span<const std::byte> bytes) override {
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t size, Size());
    return WriteAt(size, bytes);
  }

  StatusOr<std::uint64_t> Size() const override {
    struct stat facts{};
    if (::fstat(descriptor_.get(), &facts) < 0) return SystemError("read the size of", path_, errno);
    return static_cast<std::uint64_t>(facts.st_size);
  }

  Status Truncate(std::uint64_t size) override {
    if (Uninterrupted([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size)); }) < 0) {
      return SystemError("truncate", path_, errno);
    }
    return OkStatus();
  }

  Status Sync() override {
    // fdatasync also writes the size, which is all of the metadata that a reader needs. Never repeated after an error.
    if (::fdatasync(descriptor_.get()) < 0) return SystemError("sync", path_, errno);
    return OkStatus();
  }

 private:
  const std::string path_;
  const Descriptor descriptor_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;  // closing it gives the lock back
};

int FlagsOf(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead: return O_RDONLY;
    case OpenMode::kCreate: return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kReadWrite: return O_RDWR | O_CREAT;
  }
  return O_RDONLY;
}

class MachineFileSystem final : public FileSystem {
 public:
  StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    MILLRACE_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor("open", path, FlagsOf(mode)));
    struct stat facts{};
    if (::fstat(descriptor.get(), &facts) < 0) return SystemError("open", path, errno);
    if (S_ISDIR(facts.st_mode)) return SystemError("open", path, EISDIR);  // the system allows it for reading
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, std::move(descriptor)));
  }

  StatusOr<bool> Exists(const std::string& path) override {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return SystemError("look for", path, errno);
  }

  StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), &::closedir);
    if (!open) return SystemError("list", folder, errno);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(open.get());  // NOLINT(concurrency-mt-unsafe): nobody else has this one
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return SystemError("list", folder, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status CreateFolders(const std::string& folder) override {
    if (::mkdir(folder.c_str(), 0777) == 0) return OkStatus();
    const int error = errno;
    if (error == ENOENT && FolderOf(folder) != folder && !folder.empty()) {
      MILLRACE_RETURN_IF_ERROR(CreateFolders(FolderOf(folder)));
      if (::mkdir(folder.c_str(), 0777) == 0 || errno == EEXIST) return OkStatus();
      return SystemError("create the folder", folder, errno);
    }
    struct stat facts{};
    if (error == EEXIST && ::stat(folder.c_str(), &facts) == 0) {
      if (S_ISDIR(facts.st_mode)) return OkStatus();
      return SystemError("create the folder", folder, ENOTDIR);
    }
    return SystemError("create the folder", folder, error);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) < 0) return SystemError("rename", from + " to " + to, errno);
    return OkStatus();
  }

  Status Remove(const std::string& path) override {
    if (::remove(path.c_str()) < 0) return SystemError("remove", path, errno);
    return OkStatus();
  }

  Status SyncFolder(const std::string& folder) override {
    MILLRACE_ASSIGN_OR_RETURN(const Descriptor descriptor,
                              OpenDescriptor("sync the folder", folder, O_RDONLY | O_DIRECTORY));
    if (::fsync(descriptor.get()) < 0) return SystemError("sync the folder", folder, errno);
    return OkStatus();
  }

  StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    MILLRACE_ASSIGN_OR_RETURN(Descriptor descriptor, OpenDescriptor("lock", path, O_RDWR | O_CREAT));
    if (Uninterrupted([&] { return ::flock(descriptor.get(), LOCK_EX | LOCK_NB); }) < 0) {
      if (errno != EWOULDBLOCK) return SystemError("lock", path, errno);
      return FailedPreconditionError("cannot lock " + path + ": somebody holds it; is another process running here?");
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(descriptor)));
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static MachineFileSystem files;
  return files;
}

}  // namespace millrace::base
