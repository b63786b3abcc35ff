// Paths of UNIX sockets, which the system limits to 107 bytes.
#pragma once

#include <string>

#include "millrace/core/status.h"

namespace millrace::server {

/// A path by which a socket can be bound or connected to as long as the object lives, however long the real one is: it
/// goes through an open descriptor of the folder.
class SocketPath {
 public:
  /// NOT_FOUND if the folder does not exist.
  static StatusOr<SocketPath> Open(const std::string& path);
  SocketPath(SocketPath&& other) noexcept;
  SocketPath& operator=(SocketPath&&) = delete;
  ~SocketPath();

  const std::string& short_path() const { return short_path_; }

 private:
  SocketPath(int folder, std::string short_path) : folder_(folder), short_path_(std::move(short_path)) {}
  int folder_;
  std::string short_path_;
};

}  // namespace millrace::server
