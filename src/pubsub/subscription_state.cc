#include "pubsub/subscription_state.h"

#include <xxhash.h>

#include <limits>

#include "base/status_macros.h"
#include "log/byte_buffer.h"
#include "log/record_format.h"
#include "millrace/core/json.h"
#include "millrace/detail/hash.h"

namespace millrace::pubsub {

namespace {

constexpr std::string_view kFileMagic = "MRPUBSB1";
constexpr std::string_view kFrameMagic = "MRF1";
constexpr std::size_t kFrameHeaderBytes = 16;
constexpr std::uint64_t kBodyBytesMax = std::uint64_t{64} << 20;
constexpr std::uint64_t kFileBytesMax = std::uint64_t{512} << 20;
constexpr std::int64_t kOffsetMax = std::int64_t{1} << 62;
constexpr char kKindState = 1;
constexpr char kKindAcked = 2;

std::uint64_t FrameSeed(std::uint64_t id, std::uint64_t position) {
  return detail::HashCombine(detail::HashWord(id), position);
}

void PutNumber(std::string* out, std::uint64_t number) {
  char bytes[log::kVarintBytesMax];
  out->append(bytes, static_cast<std::size_t>(log::PutVarint(bytes, number) - bytes));
}

// Room for the frame's header; gives where it is in `bytes`.
std::size_t BeginFrame(std::string* bytes, char kind) {
  const std::size_t start = bytes->size();
  bytes->append(kFrameHeaderBytes, '\0');
  bytes->push_back(kind);
  return start;
}

void FinishFrame(std::string* bytes, std::size_t start, std::uint64_t id, std::uint64_t position) {
  char* const frame = bytes->data() + start;
  const std::size_t size = bytes->size() - start;
  kFrameMagic.copy(frame + 8, kFrameMagic.size());
  log::Store(frame + 12, static_cast<std::uint32_t>(size - kFrameHeaderBytes));
  log::Store(frame, static_cast<std::uint64_t>(XXH3_64bits_withSeed(frame + 8, size - 8, FrameSeed(id, position))));
}

// The body of the frame at `position`; nothing when there is none.
std::optional<std::string_view> FrameAt(std::string_view file, std::uint64_t position, std::uint64_t id) {
  if (file.size() - position <= kFrameHeaderBytes) return std::nullopt;
  const char* const frame = file.data() + position;
  const auto body_bytes = log::Load<std::uint32_t>(frame + 12);
  if (std::string_view(frame + 8, kFrameMagic.size()) != kFrameMagic || body_bytes == 0 || body_bytes > kBodyBytesMax ||
      body_bytes > file.size() - position - kFrameHeaderBytes) {
    return std::nullopt;
  }
  const std::size_t sealed = kFrameHeaderBytes - 8 + body_bytes;
  if (log::Load<std::uint64_t>(frame) != XXH3_64bits_withSeed(frame + 8, sealed, FrameSeed(id, position))) {
    return std::nullopt;
  }
  return std::string_view(frame + kFrameHeaderBytes, body_bytes);
}

// Numbers of a body, with an end.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : at_(body.data()), end_(body.data() + body.size()) {}

  bool Number(std::int64_t* number) {
    std::uint64_t value = 0;
    const char* const after = log::GetVarint(at_, end_, &value);
    if (after == nullptr || value > static_cast<std::uint64_t>(kOffsetMax)) return false;
    at_ = after;
    *number = static_cast<std::int64_t>(value);
    return true;
  }
  bool Text(std::string_view* text) {
    std::int64_t size = 0;
    if (!Number(&size) || size > end_ - at_) return false;
    *text = std::string_view(at_, static_cast<std::size_t>(size));
    at_ += size;
    return true;
  }
  bool at_end() const { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

bool DecodeAckedOffsets(BodyReader& reader, AckedOffsets* acked) {
  std::int64_t through = 0;
  std::int64_t ranges = 0;
  if (!reader.Number(&through) || !reader.Number(&ranges)) return false;
  *acked = AckedOffsets(through);
  std::int64_t end = through;
  for (std::int64_t i = 0; i < ranges; ++i) {
    std::int64_t distance = 0;
    std::int64_t length = 0;
    if (!reader.Number(&distance) || !reader.Number(&length) || distance < 1 || length < 1 ||
        distance > kOffsetMax - end || length > kOffsetMax - end - distance) {
      return false;
    }
    acked->Add(end + distance, end + distance + length);
    end += distance + length;
  }
  return true;
}

bool DecodeState(std::string_view body, SubscriptionState* state) {
  BodyReader reader(body);
  std::string_view settings;
  if (!reader.Text(&settings)) return false;
  StatusOr<SubscriptionSettings> parsed = json::Parse<SubscriptionSettings>(settings);
  std::int64_t partitions = 0;
  if (!parsed.ok() || parsed->format != 1 || !reader.Number(&partitions) || partitions > log::kPartitionsMax) {
    return false;
  }
  state->settings = *std::move(parsed);
  state->acked.assign(static_cast<std::size_t>(partitions), AckedOffsets());
  for (AckedOffsets& acked : state->acked) {
    if (!DecodeAckedOffsets(reader, &acked)) return false;
  }
  return reader.at_end();
}

bool DecodeAcked(std::string_view body, SubscriptionState* state) {
  BodyReader reader(body);
  std::int64_t ranges = 0;
  if (!reader.Number(&ranges)) return false;
  for (std::int64_t i = 0; i < ranges; ++i) {
    std::int64_t partition = 0;
    std::int64_t first = 0;
    std::int64_t length = 0;
    if (!reader.Number(&partition) || !reader.Number(&first) || !reader.Number(&length) ||
        partition >= static_cast<std::int64_t>(state->acked.size()) || length > kOffsetMax - first) {
      return false;
    }
    state->acked[static_cast<std::size_t>(partition)].Add(first, first + length);
  }
  return reader.at_end();
}

Status DamagedState(const std::string& path, std::uint64_t position, const std::string& what) {
  return DataLossError(path + " is damaged at position " + std::to_string(position) + " (" + what +
                       "): restore it from a copy, or remove it, which removes what it stands for");
}

// Whether a whole frame lies anywhere behind `position`.
bool FrameFollows(std::string_view file, std::uint64_t position, std::uint64_t id) {
  while (true) {
    const std::size_t magic = file.find(kFrameMagic, position + 9);
    if (magic == std::string_view::npos) return false;
    if (FrameAt(file, magic - 8, id)) return true;
    position = magic - 8;
  }
}

}  // namespace

log::Cut SubscriptionState::through() const {
  log::Cut cut;
  for (const AckedOffsets& partition : acked) cut.push_back(partition.through());
  return cut;
}

std::string EncodeStateHeader(std::uint64_t id) {
  std::string bytes(kStateHeaderBytes, '\0');
  kFileMagic.copy(bytes.data(), kFileMagic.size());
  log::Store(bytes.data() + 8, id);
  log::Store(bytes.data() + 24, static_cast<std::uint64_t>(XXH3_64bits_withSeed(bytes.data(), 24, 0)));
  return bytes;
}

void AppendStateFrame(const SubscriptionState& state, std::uint64_t id, std::uint64_t position, std::string* bytes) {
  const std::size_t start = BeginFrame(bytes, kKindState);
  const std::string settings = json::Write(state.settings);
  PutNumber(bytes, settings.size());
  *bytes += settings;
  PutNumber(bytes, state.acked.size());
  for (const AckedOffsets& acked : state.acked) {
    PutNumber(bytes, static_cast<std::uint64_t>(acked.through()));
    PutNumber(bytes, acked.ranges().size());
    std::int64_t end = acked.through();
    for (const auto& [range_begin, range_end] : acked.ranges()) {
      PutNumber(bytes, static_cast<std::uint64_t>(range_begin - end));
      PutNumber(bytes, static_cast<std::uint64_t>(range_end - range_begin));
      end = range_end;
    }
  }
  FinishFrame(bytes, start, id, position);
}

void AppendAckedFrame(std::span<const AckedRange> ranges, std::uint64_t id, std::uint64_t position,
                      std::string* bytes) {
  const std::size_t start = BeginFrame(bytes, kKindAcked);
  PutNumber(bytes, ranges.size());
  for (const AckedRange& range : ranges) {
    PutNumber(bytes, static_cast<std::uint64_t>(range.partition));
    PutNumber(bytes, static_cast<std::uint64_t>(range.first));
    PutNumber(bytes, static_cast<std::uint64_t>(range.length));
  }
  FinishFrame(bytes, start, id, position);
}

StatusOr<RecoveredState> ReadStateFile(base::FileSystem& files, const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string file, base::ReadFile(files, path, kFileBytesMax));
  if (file.size() < kStateHeaderBytes || !file.starts_with(kFileMagic) ||
      log::Load<std::uint64_t>(file.data() + 24) != XXH3_64bits_withSeed(file.data(), 24, 0)) {
    return DamagedState(path, 0, "the header is none");
  }
  RecoveredState recovered{.id = log::Load<std::uint64_t>(file.data() + 8), .bytes = kStateHeaderBytes};
  while (const std::optional<std::string_view> body = FrameAt(file, recovered.bytes, recovered.id)) {
    const bool is_first = recovered.bytes == kStateHeaderBytes;
    const std::string_view content = body->substr(1);
    const bool is_whole = (*body)[0] == kKindState
                              ? DecodeState(content, &recovered.state)
                              : !is_first && (*body)[0] == kKindAcked && DecodeAcked(content, &recovered.state);
    if (!is_whole) return DamagedState(path, recovered.bytes, "the frame is not what its kind says");
    recovered.bytes += kFrameHeaderBytes + body->size();
  }
  if (recovered.bytes == kStateHeaderBytes) return DamagedState(path, recovered.bytes, "the first frame is none");
  if (FrameFollows(file, recovered.bytes, recovered.id)) {
    return DamagedState(path, recovered.bytes, "a frame is none, and others follow");
  }
  recovered.torn_bytes = file.size() - recovered.bytes;
  return recovered;
}

Status WriteStateFile(base::FileSystem& files, const std::string& path, std::uint64_t id,
                      const SubscriptionState& state) {
  std::string bytes = EncodeStateHeader(id);
  AppendStateFrame(state, id, kStateHeaderBytes, &bytes);
  return base::ReplaceFile(files, path, bytes);
}

std::string HoldNameOf(std::uint64_t id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name(kHoldPrefix);
  for (int shift = 60; shift >= 0; shift -= 4) name += kDigits[(id >> shift) & 15];
  return name;
}

}  // namespace millrace::pubsub
