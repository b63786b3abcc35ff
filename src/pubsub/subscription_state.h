// What a subscription or a snapshot keeps on disk, in memory and as bytes. Format: docs/formats/pubsub.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "pubsub/acked_offsets.h"

namespace millrace::pubsub {

inline constexpr Duration kMessageRetentionDefault = std::chrono::hours(24 * 7);
inline constexpr std::int32_t kAckDeadlineSecondsDefault = 10;

/// The settings; fields as in the file.
struct SubscriptionSettings {
  std::int32_t format = 1;
  std::string name = {};   // full
  std::string topic = {};  // full, as it was given
  std::uint64_t topic_id = 0;
  Timestamp created_at = {};
  std::uint64_t epoch = 1;
  Timestamp acked_before = Timestamp::Min();
  std::int32_t ack_deadline_seconds = kAckDeadlineSecondsDefault;
  bool retain_acked_messages = false;
  Duration message_retention = kMessageRetentionDefault;
  bool enable_message_ordering = false;
  bool detached = false;
  std::map<std::string, std::string> labels = {};
  std::optional<Timestamp> expires_at = {};  // of a snapshot
};

/// All of it.
struct SubscriptionState {
  SubscriptionSettings settings = {};
  std::vector<AckedOffsets> acked = {};  // by partition

  log::Cut through() const;
};

/// A run of acknowledged offsets.
struct AckedRange {
  std::int32_t partition = 0;
  std::int64_t first = 0;
  std::int64_t length = 0;
};

inline constexpr std::size_t kStateHeaderBytes = 32;

/// The pieces of a file. A frame's position and the file's id are in its checksum.
std::string EncodeStateHeader(std::uint64_t id);
void AppendStateFrame(const SubscriptionState& state, std::uint64_t id, std::uint64_t position, std::string* bytes);
void AppendAckedFrame(std::span<const AckedRange> ranges, std::uint64_t id, std::uint64_t position, std::string* bytes);

/// What a file says.
struct RecoveredState {
  std::uint64_t id = 0;
  SubscriptionState state = {};
  std::uint64_t bytes = 0;       // up to the last whole frame
  std::uint64_t torn_bytes = 0;  // behind it
};

/// DATA_LOSS names the file and the position of damage.
StatusOr<RecoveredState> ReadStateFile(base::FileSystem& files, const std::string& path);

/// Writes a whole file in one step, durably.
Status WriteStateFile(base::FileSystem& files, const std::string& path, std::uint64_t id,
                      const SubscriptionState& state);

/// "pubsub-0123456789abcdef".
std::string HoldNameOf(std::uint64_t id);
inline constexpr std::string_view kHoldPrefix = "pubsub-";

}  // namespace millrace::pubsub
