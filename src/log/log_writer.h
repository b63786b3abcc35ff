// The writing end of one topic: one LogWriter in one process at a time, any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

/// When appended records are on the device.
enum class SyncPolicy : std::uint8_t {
  /// Append returns when they are; concurrent appenders share a sync. The only policy that survives a power cut.
  kAlways,
  /// A thread syncs every `sync_interval`. A killed process loses nothing; a power cut loses what is not synced, which
  /// no reader has seen.
  kInterval,
  /// Whenever the operating system likes. A killed process loses nothing; after a power cut records may be gone that
  /// were read.
  kOs,
};

struct WriterOptions {
  /// Of a new topic; an existing one keeps its number.
  std::int32_t partitions = kPartitionsDefault;
  SyncPolicy sync = SyncPolicy::kAlways;
  Duration sync_interval = std::chrono::milliseconds(50);  // of kInterval

  std::int64_t segment_bytes = std::int64_t{64} << 20;         // a segment is closed at about this size; at most 1 GiB
  Duration segment_age = std::chrono::hours(24);               // or when it is this old and something is appended
  std::int64_t record_bytes_max = std::int64_t{10} << 20;      // key, attributes and data of a record; at most 64 MiB
  std::int64_t append_bytes_max = std::int64_t{64} << 20;      // of all records of one Append
  std::int64_t queue_bytes_max = std::int64_t{64} << 20;       // waiting to be written; then Append waits
  std::int64_t producers_max = 100'000;                        // known at the same time
  Duration producer_expiry = std::chrono::hours(24 * 7);       // of a producer that appends nothing
  std::optional<Duration> retention_age = std::nullopt;        // segments whose records are all older are removed
  std::optional<std::int64_t> retention_bytes = std::nullopt;  // and the oldest of a partition that has more

  /// Says who writes, for the message that another writer gets.
  std::string holder = "a Millrace program";
  const base::WallClock* clock = nullptr;  // nothing: the system's
  /// Told what recovery cut and what could not be done but harms nothing; nothing: a line on the standard error.
  std::function<void(const std::string& message)> report = nullptr;
};

/// A record to be appended; the views are used during the call only.
struct AppendRecord {
  Timestamp event_time = {};
  std::string_view key = {};  // decides the partition; records without one are spread
  std::string_view data = {};
  const std::map<std::string, std::string>* attributes = nullptr;
  std::int32_t partition = -1;  // 0 or more: instead of the key's; the same again when it is retried
};

/// Who appends, for exactly once: the n-th record of the Append has the sequence `first_sequence` + n. A producer
/// numbers its records of one topic without gaps, appends them in that order, and after an error begins again at or
/// before the first record of the failed Append.
struct Producer {
  std::string_view id;  // 1 to 200 bytes
  std::int64_t first_sequence = 0;
};

/// Where a record is. `duplicate`: it was there before and has not been stored again.
struct Appended {
  std::int32_t partition = 0;
  bool duplicate = false;
  std::int64_t offset = 0;  // -1 of a duplicate whose offset is no longer known (see docs/formats/log.md)
};

/// Appends to a topic. Thread safe. Everything acknowledged under `kAlways` is there, once, after any crash.
class LogWriter {
 public:
  /// Takes the topic, makes it when it is missing, and recovers it: a torn tail is cut off and reported, producers are
  /// known again. FAILED_PRECONDITION names the process that holds the topic; DATA_LOSS names a file that is damaged
  /// before its end, and the position.
  static StatusOr<std::unique_ptr<LogWriter>> Open(base::FileSystem& files, const std::string& log_folder,
                                                   const std::string& topic, WriterOptions options = {});
  virtual ~LogWriter() = default;  // closes, if Close was not called

  virtual const TopicMetadata& topic() const = 0;

  /// Appends records, in order within each partition; says where each is, in the order given. When it returns they are
  /// as safe as the policy says and, except under kInterval, visible to readers.
  ///
  /// Errors: INVALID_ARGUMENT (a limit, a partition that does not exist; nothing is stored), FAILED_PRECONDITION (a gap
  /// in the producer's sequence; the topic is closed), RESOURCE_EXHAUSTED (disk full; too many producers), DATA_LOSS
  /// (the device failed). After the last two some of the records may be stored: retry all of them. With a producer that
  /// gives no duplicate.
  virtual StatusOr<std::vector<Appended>> Append(std::span<const AppendRecord> records,
                                                 std::optional<Producer> producer = std::nullopt) = 0;

  /// Advances time to `watermark` in every partition by a control record: no later record is older, or it may be late.
  /// `Timestamp::Max()` closes the topic: from then on it takes duplicates only. A watermark that is not later than the
  /// last changes nothing.
  virtual Status AdvanceWatermark(Timestamp watermark) = 0;

  /// The offset after the last acknowledged record of each partition.
  virtual Cut End() const = 0;
  /// The first offset that is still there, of each partition.
  virtual Cut Start() const = 0;

  /// The greatest sequence of that producer that the topic holds; -1 when it is not known. Where appends had at most n
  /// records, one that is retried lies above this less n.
  virtual std::int64_t LastSequence(std::string_view producer) const = 0;

  /// Syncs what is not synced yet, whatever the policy.
  virtual Status Sync() = 0;

  /// Removes whole segments that retention no longer wants and no hold protects; gives their number. The segment that
  /// is being written stays. Called by the owner from time to time.
  virtual StatusOr<std::int64_t> ApplyRetention() = 0;

  /// Syncs, writes what makes the next start fast, and gives the topic back.
  virtual Status Close() = 0;

 protected:
  LogWriter() = default;
};

}  // namespace millrace::log
