// Any bytes as the files of a checkpoint: a damaged manifest or data file must give an error, never other bytes than
// those that were written. The first byte chooses what is damaged.
#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/simulated_file_system.h"
#include "storage/checkpoint_files.h"
#include "storage/checkpoint_store.h"

namespace {

using namespace millrace;

constexpr const char* kFolder = "c";

storage::CheckpointManifest WriteOne(base::FileSystem& files) {
  storage::CheckpointStore store = *storage::CheckpointStore::Open(files, kFolder);
  const auto chunk = std::make_shared<const std::string>("some state");
  storage::CheckpointContents contents{.epoch = 1, .attempt = 1};
  contents.states = {{.description = storage::DescribeState("S", "combine", "cells", "text"),
                      .sections = {{.full = true, .chunks = {chunk, chunk}}, {.full = false, .chunks = {chunk}}}}};
  return store.Write(contents).value();
}

/// Any text as a manifest: what is accepted is written as a manifest that says the same.
void CheckManifest(std::string_view text) {
  const StatusOr<storage::CheckpointManifest> manifest = storage::ParseManifest(text);
  if (!manifest.ok()) return;
  const std::string written = storage::ManifestText(*manifest);
  const StatusOr<storage::CheckpointManifest> again = storage::ParseManifest(written);
  if (!again.ok() || storage::ManifestText(*again) != written) std::abort();
}

/// Any text as the second line, with the first line that belongs to it.
void CheckManifestBody(std::string_view text) {
  const std::string body = std::string(text) + "\n";
  const std::uint64_t checksum = XXH3_64bits_withSeed(body.data(), body.size(), storage::kCheckpointFormat);
  CheckManifest("{\"format\":" + std::to_string(storage::kCheckpointFormat) + ",\"bytes\":" +
                std::to_string(body.size()) + ",\"checksum\":" + std::to_string(checksum) + "}\n" + body);
}

/// Any bytes over a part of the data file.
void CheckData(std::uint8_t place, std::string_view bytes) {
  base::SimulatedFileSystem files({});
  const storage::CheckpointManifest manifest = WriteOne(files);
  const std::string path = std::string(kFolder) + "/" + storage::DataFileName(1, 1);
  const std::string before = base::ReadFile(files, path, 1 << 20).value();
  {
    const std::unique_ptr<base::File> file = files.Open(path, base::OpenMode::kReadWrite).value();
    if (!file->WriteAt(place % before.size(), std::as_bytes(std::span(bytes))).ok()) std::abort();
  }
  for (const storage::SectionRef& section : manifest.states[0].chain) {
    const StatusOr<std::string> content = storage::ReadSection(files, kFolder, section);
    if (content.ok() && *content != (section.full ? "some statesome state" : "some state")) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
  switch (data[0] % 4) {
    case 0: CheckManifest(in); break;
    case 1: CheckData(data[1], in); break;
    case 2: CheckManifestBody(in); break;
    default: static_cast<void>(storage::ParseAttempt(in)); break;
  }
  return 0;
}
