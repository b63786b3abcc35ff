// XXH3-128, the digest of the archive's files and manifests: it finds damage, not forgery.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

/// Digests bytes given piece by piece. One thread at a time.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void Add(std::string_view bytes);
  /// 32 lower-case hexadecimal digits, high half first, of all that was added.
  std::string Hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The digest of `bytes`.
std::string DigestOf(std::string_view bytes);

/// An object's size and digest, read through the store.
struct ObjectDigest {
  std::uint64_t bytes = 0;
  std::string hex;
};
StatusOr<ObjectDigest> DigestOfObject(ArchiveStore& store, const std::string& name);
/// The same of a file of this machine.
StatusOr<ObjectDigest> DigestOfFile(base::FileSystem& files, const std::string& path);

}  // namespace millrace::archive
