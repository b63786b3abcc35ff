// What a checkpoint says: plain structs, which are the manifest on disk (docs/formats/checkpoints.md), and what the
// engine hands over to have one written.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/metrics.h"
#include "millrace/core/schema.h"
#include "millrace/core/timestamp.h"
#include "millrace/detail/saved_state.h"

namespace millrace::storage {

/// Pieces of bytes that are shared and no longer change (the same type as EpochBatch). A reader gets them back one by
/// one as they were given, so a chunk may be a unit of meaning, such as a shard. At most 2^32 - 1 bytes each.
using Chunks = std::vector<std::shared_ptr<const std::string>>;

/// Where a section is.
struct SectionRef {
  std::string file = {};  // the name of the data file, without folder
  std::uint64_t epoch = 0;
  std::uint64_t attempt = 0;
  std::uint32_t section = 0;  // its number in the file
  bool full = true;           // a delta otherwise
  std::uint64_t offset = 0;   // of its header in the file
  std::uint64_t bytes = 0;    // of content
  std::uint64_t checksum = 0;

  friend bool operator==(const SectionRef&, const SectionRef&) = default;
};

/// What an update finds a state by. Never a C++ name.
struct StateDescription {
  std::string step = {};          // the label path of the step, unique in the pipeline
  std::string kind = {};          // of the operator, such as "combine"
  std::string state = {};         // its name, unique in the step
  std::string layout = {};        // how its bytes are written: detail::StateLayout, or a text of the operator's own
  std::uint64_t fingerprint = 0;  // of the layout

  friend bool operator==(const StateDescription&, const StateDescription&) = default;
};

/// Fills in the fingerprint.
StateDescription DescribeState(std::string step, std::string kind, std::string state, std::string layout);

/// A state and the sections that give it: a full one, then deltas, to be applied in this order.
struct StateChain {
  StateDescription description = {};
  std::vector<SectionRef> chain = {};

  std::uint64_t bytes() const;
};

/// A restriction that was not read to its end.
struct RestrictionPosition {
  std::string partition = {};
  std::int64_t from = 0;  // the first position that was not claimed
  std::int64_t to = 0;    // Restriction::kUnbounded when it has no end
  Timestamp least_event_time = Timestamp::Min();
  Timestamp watermark = Timestamp::Min();  // how far it had come; the restored one begins there

  friend bool operator==(const RestrictionPosition&, const RestrictionPosition&) = default;
};

struct SourcePosition {
  std::string step = {};
  std::vector<RestrictionPosition> unfinished = {};
  std::uint64_t finished = 0;  // restrictions read to their end
  std::uint64_t total = 0;     // restrictions in all

  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};

/// What a sink gave at the barrier of this epoch, for its Restore.
struct SinkPosition {
  std::string sink = {};
  SectionRef batch = {};
};

/// One committed checkpoint.
struct CheckpointManifest {
  std::uint64_t generation = 0;
  std::uint64_t epoch = 0;
  std::uint64_t attempt = 0;
  std::string job_name = {};
  std::string mode = {};  // "batch" or "streaming"
  Timestamp created_at = {};
  Duration duration = {};
  std::optional<Timestamp> watermark = {};  // the least of all sources
  std::vector<StateChain> states = {};
  std::vector<SourcePosition> sources = {};
  std::vector<SinkPosition> sinks = {};
  std::map<std::string, StepMetrics> metrics = {};  // by step
  std::string digest = {};

  /// The chain of a state; null when there is none.
  const StateChain* FindState(std::string_view step, std::string_view state) const;
  const SourcePosition* FindSource(std::string_view step) const;
  const SinkPosition* FindSink(std::string_view sink) const;
  /// The content of all sections that it needs, in bytes.
  std::uint64_t bytes() const;
};

/// A new section of a state.
struct NewSection {
  bool full = true;
  /// Chunks that are not in memory, read when the checkpoint is written; they come before the others.
  std::vector<detail::ChunkSource> sources = {};
  Chunks chunks = {};

  bool empty() const { return sources.empty() && chunks.empty(); }
};

/// A state at the barrier. Without a new section it is unchanged since the checkpoint before. A state whose layout is
/// not that of the checkpoint before begins with a full one. Several are applied in
/// order; a full one makes all earlier ones needless.
struct StateContents {
  StateDescription description = {};
  std::vector<NewSection> sections = {};
};

struct SinkContents {
  std::string sink = {};
  Chunks batch = {};
};

/// What the engine hands over. The sections are relative to the last checkpoint that was written without error (or
/// continued from): after a failed Write hand the failed deltas over again, before the new ones.
struct CheckpointContents {
  std::uint64_t generation = 0;
  std::uint64_t epoch = 0;
  std::uint64_t attempt = 0;
  std::string job_name = {};
  std::string mode = {};
  Timestamp created_at = {};
  Duration duration = {};  // from the barrier to the call of Write, which adds its own
  std::optional<Timestamp> watermark = {};
  std::vector<StateContents> states = {};  // all of them: one that is not named is gone
  std::vector<SourcePosition> sources = {};
  std::vector<SinkContents> sinks = {};
  std::map<std::string, StepMetrics> metrics = {};
  std::string digest = {};
};

}  // namespace millrace::storage
