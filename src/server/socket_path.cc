#include "server/socket_path.h"

#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file_system.h"

namespace millrace::server {

StatusOr<SocketPath> SocketPath::Open(const std::string& path) {
  if (path.size() < sizeof(sockaddr_un::sun_path)) return SocketPath(-1, path);
  const std::string folder = base::FolderOf(path);
  const int descriptor = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    const std::string why = std::error_code(errno, std::generic_category()).message();
    return errno == ENOENT ? NotFoundError("cannot open " + folder + ": " + why)
                           : UnavailableError("cannot open " + folder + ": " + why);
  }
  std::string short_path = "/proc/self/fd/" + std::to_string(descriptor) + "/";
  short_path += path.substr(path.rfind('/') + 1);
  return SocketPath(descriptor, std::move(short_path));
}

SocketPath::SocketPath(SocketPath&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)), short_path_(std::move(other.short_path_)) {}

SocketPath::~SocketPath() {
  if (folder_ >= 0) ::close(folder_);
}

}  // namespace millrace::server
