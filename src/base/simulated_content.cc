#include "base/simulated_content.h"

#include <algorithm>

namespace millrace::base {
namespace {

constexpr std::size_t kMaxVersions = 16;  // of a sector or of the size; of more, the oldest are forgotten

template <class T>
void AddVersion(std::vector<T>& versions, T version) {
  if (versions.size() == kMaxVersions) versions.erase(versions.begin());
  versions.push_back(std::move(version));
}

}  // namespace

void SimulatedContent::Write(std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::uint64_t end = offset + bytes.size();
  if (end > live_.size()) {
    live_.resize(end);
    AddVersion(sizes_, end);
  }
  live_.replace(offset, bytes.size(), bytes);
  Remember(offset, end);
}

void SimulatedContent::Truncate(std::uint64_t size) {
  if (size == live_.size()) return;
  const std::uint64_t end = std::max<std::uint64_t>(size, live_.size());
  const std::uint64_t first = std::min<std::uint64_t>(size, live_.size());
  live_.resize(size);
  AddVersion(sizes_, size);
  Remember(first, end);
}

void SimulatedContent::Remember(std::uint64_t first_byte, std::uint64_t end_byte) {
  for (std::uint64_t sector = first_byte / kSectorBytes; sector * kSectorBytes < end_byte; ++sector) {
    const std::uint64_t start = sector * kSectorBytes;
    AddVersion(sectors_[sector], start < live_.size() ? live_.substr(start, kSectorBytes) : std::string());
  }
}

void SimulatedContent::Sync() {
  if (sectors_.empty() && sizes_.empty()) return;  // after a failed sync `live_` may differ all the same
  durable_.resize(live_.size());
  for (const auto& [sector, versions] : sectors_) {
    const std::uint64_t start = sector * kSectorBytes;
    if (start >= live_.size()) continue;
    const std::size_t length = std::min<std::size_t>(kSectorBytes, live_.size() - start);
    durable_.replace(start, length, live_, start, length);
  }
  sectors_.clear();
  sizes_.clear();
}

std::string SimulatedContent::Survivors(Random& random) const {
  // A quarter of the files loses everything, a quarter nothing, the others a part.
  const std::uint64_t fate = random.Below(4);
  const auto choose = [&](std::size_t count) -> std::size_t {  // 0 is what was synced, i the i-th version after it
    return fate == 0 ? 0 : fate == 1 ? count : random.Below(count + 1);
  };
  const std::size_t size_version = choose(sizes_.size());
  const std::uint64_t size = size_version == 0 ? durable_.size() : sizes_[size_version - 1];
  std::string survivors = durable_;
  survivors.resize(size);
  for (const auto& [sector, versions] : sectors_) {
    const std::size_t version = choose(versions.size());
    const std::uint64_t start = sector * kSectorBytes;
    if (version == 0 || start >= size) continue;
    const std::size_t length = std::min<std::size_t>(kSectorBytes, size - start);
    std::string bytes = versions[version - 1];
    bytes.resize(length);
    survivors.replace(start, length, bytes);
  }
  return survivors;
}

void SimulatedContent::FailSync(Random& random) {
  durable_ = Survivors(random);
  sectors_.clear();
  sizes_.clear();
}

void SimulatedContent::Crash(Random& random) {
  durable_ = Survivors(random);
  live_ = durable_;
  sectors_.clear();
  sizes_.clear();
}

void SimulatedContent::Flip(std::uint64_t offset, std::uint8_t mask) {
  const auto flip = [mask](char& byte) { byte = static_cast<char>(static_cast<std::uint8_t>(byte) ^ mask); };
  flip(live_[offset]);
  if (offset < durable_.size()) flip(durable_[offset]);
  const auto found = sectors_.find(offset / kSectorBytes);
  if (found == sectors_.end()) return;
  for (std::string& version : found->second) {
    if (offset % kSectorBytes < version.size()) flip(version[offset % kSectorBytes]);
  }
}

}  // namespace millrace::base
