// Any bytes as the journal of a subscription: as they are, as frames whose checksums fit, so that what is behind them
// is reached, and as a journal that a kill or a bad disk has cut or changed. What is read is written and read again:
// the same; what was acknowledged is there, or the file is refused by name. The first byte chooses.
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/simulated_file_system.h"
#include "input.h"
#include "log/byte_buffer.h"
#include "millrace/detail/hash.h"
#include "pubsub/state_journal.h"
#include "pubsub/subscription_state.h"

namespace millrace::pubsub {
namespace {

using fuzz::Input;
using fuzz::Require;

constexpr std::uint64_t kId = 7;
constexpr const char* kPath = "pubsub/subscriptions/p/s";
constexpr std::size_t kPartitions = 3;
constexpr std::int64_t kOffsets = 200;  // so few that ranges touch and cover each other

void Write(base::FileSystem& files, std::string_view bytes) {
  Require(files.CreateFolders(base::FolderOf(kPath)).ok(), "the folder");
  auto file = files.Open(kPath, base::OpenMode::kReadWrite);
  Require(file.ok() && (*file)->Truncate(0).ok() && (*file)->WriteAt(0, std::as_bytes(std::span(bytes))).ok(), kPath);
}

// A frame around any body, as docs/formats/pubsub.md has it.
void AppendFrame(std::string_view body, std::string* file) {
  const std::uint64_t seed = detail::HashCombine(detail::HashWord(kId), file->size());
  std::string sealed("MRF1");
  const auto bytes = static_cast<std::uint32_t>(body.size());
  sealed.append(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
  sealed.append(body);
  const std::uint64_t checksum = XXH3_64bits_withSeed(sealed.data(), sealed.size(), seed);
  file->append(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  file->append(sealed);
}

std::string Written(const SubscriptionState& state) {
  std::string bytes = EncodeStateHeader(kId);
  AppendStateFrame(state, kId, bytes.size(), &bytes);
  return bytes;
}

// Reads the file, which may be anything, opens it as a server does, and acknowledges something more.
std::optional<SubscriptionState> ReadAndGoOn(base::FileSystem& files) {
  const StatusOr<RecoveredState> read = ReadStateFile(files, kPath);
  if (!read.ok()) {
    Require(read.status().code() == StatusCode::kDataLoss && read.status().message().find(kPath) != std::string::npos,
            read.status().ToString());
    return std::nullopt;
  }
  const std::string written = Written(read->state);
  auto journal = StateJournal::Open(files, kPath, *read, log::SyncPolicy::kAlways);
  Require(journal.ok(), journal.status().ToString());
  (*journal)->SetCurrentState([&read] { return read->state; });
  const bool has_partition = !read->state.acked.empty();
  const AckedRange more{.partition = 0, .first = kOffsets, .length = 1};
  if (has_partition) {
    const Status acked = (*journal)->Await((*journal)->QueueAcked({&more, 1}));
    Require(acked.ok(), acked.ToString());
  }
  journal->reset();
  const StatusOr<RecoveredState> again = ReadStateFile(files, kPath);
  Require(again.ok() && again->torn_bytes == 0 && again->id == read->id, "what is cut off is gone");
  SubscriptionState expected = read->state;
  if (has_partition) expected.acked[0].Add(more.first, more.first + more.length);
  Require(Written(again->state) == Written(expected), "what was acknowledged is there, and nothing else");
  Write(files, written);
  const StatusOr<RecoveredState> rewritten = ReadStateFile(files, kPath);
  Require(rewritten.ok() && Written(rewritten->state) == written, "it is written as it is");
  return read->state;
}

void CheckBytes(std::string_view bytes) {
  base::SimulatedFileSystem files({});
  Write(files, bytes);
  static_cast<void>(ReadAndGoOn(files));
}

void CheckFrames(Input* in) {
  std::string file = EncodeStateHeader(kId);
  if (in->Take<std::uint8_t>() % 2 == 0) {
    AppendStateFrame({.settings = {}, .acked = std::vector<AckedOffsets>(kPartitions)}, kId, file.size(), &file);
  }
  while (!in->empty()) AppendFrame(in->TakeText(in->Take<std::uint16_t>()), &file);
  CheckBytes(file);
}

/// What a plain set says is acknowledged.
using Plain = std::map<std::pair<std::int32_t, std::int64_t>, bool>;

void RequireEqual(const SubscriptionState& state, const Plain& plain) {
  Require(state.acked.size() == kPartitions, "the partitions");
  for (std::int32_t p = 0; p < static_cast<std::int32_t>(kPartitions); ++p) {
    for (std::int64_t offset = 0; offset < kOffsets; ++offset) {
      Require(state.acked[static_cast<std::size_t>(p)].Contains(offset) == plain.contains({p, offset}),
              "partition " + std::to_string(p) + ", offset " + std::to_string(offset));
    }
  }
}

// A journal of acknowledgements against a plain set of them; then its file is cut or changed at one place.
void CheckJournal(Input* in) {
  base::SimulatedFileSystem files({});
  const SubscriptionState state{.settings = {}, .acked = std::vector<AckedOffsets>(kPartitions)};
  auto journal = StateJournal::Create(files, kPath, kId, state, log::SyncPolicy::kAlways);
  Require(journal.ok(), journal.status().ToString());
  const auto place = in->Take<std::uint32_t>();
  const auto change = in->Take<std::uint8_t>();
  std::vector<Plain> plain(1);      // after each frame
  std::vector<std::uint64_t> ends;  // of the frames
  const auto end_of_file = [&files] { return base::ReadFile(files, kPath, 1 << 20)->size(); };
  ends.push_back(end_of_file());
  while (!in->empty() && ends.size() < 100) {
    const AckedRange range{.partition = in->Take<std::uint8_t>() % static_cast<std::int32_t>(kPartitions),
                           .first = in->Take<std::uint8_t>() % kOffsets,
                           .length = in->Take<std::uint8_t>() % 20};
    Require((*journal)->Await((*journal)->QueueAcked({&range, 1})).ok(), "acknowledged");
    plain.push_back(plain.back());
    for (std::int64_t i = 0; i < range.length; ++i) plain.back()[{range.partition, range.first + i}] = true;
    ends.push_back(end_of_file());
  }
  journal->reset();
  std::string file = *base::ReadFile(files, kPath, 1 << 20);
  const std::size_t at = place % file.size();
  if (change == 0) {
    file.resize(at);
  } else {
    file[at] = static_cast<char>(file[at] ^ static_cast<char>(change));
  }
  Write(files, file);
  const std::optional<SubscriptionState> read = ReadAndGoOn(files);
  // Frames that end before the change are there; a change of another than the last is found.
  const auto whole = static_cast<std::size_t>(
      std::upper_bound(ends.begin(), ends.end(), static_cast<std::uint64_t>(at)) - ends.begin());
  if (whole == 0 || (change != 0 && whole + 1 < ends.size())) return Require(!read, "damage is found");
  Require(read.has_value(), "a torn end is no damage");
  RequireEqual(*read, plain[whole - 1]);
}

}  // namespace
}  // namespace millrace::pubsub

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::pubsub;
  millrace::fuzz::Input in(data, size);
  switch (in.Take<std::uint8_t>() % 3) {
    case 0: CheckBytes(in.TakeRest()); break;
    case 1: CheckFrames(&in); break;
    default: CheckJournal(&in); break;
  }
  return 0;
}
