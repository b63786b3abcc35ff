// Reads arbitrary bytes as the manifest of an archive: as they are, and as a body with a digest that fits, so that what
// is behind the digest is reached. What is read is written and read again: the same manifest.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "archive/digest.h"
#include "archive/manifest.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckManifest(const std::string& bytes) {
  using millrace::archive::Manifest;
  const millrace::StatusOr<Manifest> manifest = millrace::archive::ParseManifest(bytes);
  if (!manifest.ok()) {
    Require(!manifest.status().message().empty());
    return;
  }
  const auto written = millrace::archive::WriteManifest(*manifest);
  Require(written.ok());
  const auto again = millrace::archive::ParseManifest(*written);
  Require(again.ok() && *again == *manifest);
  for (const millrace::archive::ArchivedRange& range : manifest->ranges) {
    Require(manifest->Find(range.partition, range.from) == &range);
    Require(manifest->Find(range.partition, range.to - 1) == &range);
    Require(range.RowOf(range.to - 1) <= range.count);
  }
  Require(manifest->Cut().size() == static_cast<std::size_t>(manifest->partitions));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckManifest(bytes);
  CheckManifest("millrace-archive 1 " + millrace::archive::DigestOf(bytes) + "\n" + bytes);
  return 0;
}
