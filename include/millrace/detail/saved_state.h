// What operators and checkpoints say to each other. An operator describes its states once; at a barrier it writes them,
// wholly or only what has changed since the barrier before; after a restart it is given back, in order, what was
// written, of all workers, and keeps what belongs to its own keys.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/core/status.h"

namespace millrace::detail {

/// One state of an operator. Found again after a restart by the step's label and this name; `layout` says how its bytes
/// were written.
struct StateDescription {
  std::string name;
  std::string layout;
  /// Not empty: why it cannot be kept in a checkpoint. A run with checkpoints is then refused.
  std::string problem{};
  /// Written wholly at each barrier: it is small, or all of it changes.
  bool always_full = false;
};

/// Gets the pieces of a state. An error ends the reading.
using ChunkVisitor = std::function<Status(std::string chunk)>;
/// Reads pieces of a state from where they are, from the first one on at each call. Any thread, one at a time.
using ChunkSource = std::function<Status(const ChunkVisitor& visit)>;

/// Where an operator writes its states. One per operator, worker and barrier.
class StateWriter {
 public:
  /// About so long a piece becomes.
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

  StateWriter(std::size_t states, bool full) : full_(full), chunks_(states), sources_(states) {}

  /// Write everything, not only what has changed.
  bool full() const { return full_; }
  /// Where the bytes of state `index` are appended. Ask again before each entry: what is large is cut into chunks, and
  /// each of them, which has been given back empty, must be readable by itself.
  std::string* To(std::size_t index) {
    std::vector<std::string>& chunks = chunks_[index];
    if (chunks.empty() || chunks.back().size() >= kChunkBytes) {
      chunks.emplace_back();
      if (chunks.size() > 1) chunks.back().reserve(kChunkBytes + kChunkBytes / 16);
    }
    return &chunks.back();
  }
  std::vector<std::string> TakeChunks(std::size_t index) { return std::move(chunks_[index]); }
  /// Pieces that are not in memory. They come before those that are, and are read when the checkpoint is written, while
  /// the operator goes on.
  void Precede(std::size_t index, ChunkSource source) { sources_[index].push_back(std::move(source)); }
  std::vector<ChunkSource> TakeSources(std::size_t index) { return std::move(sources_[index]); }

 private:
  bool full_;
  std::vector<std::vector<std::string>> chunks_;   // by state
  std::vector<std::vector<ChunkSource>> sources_;  // by state
};

/// A piece of a state that comes back, as one worker wrote it at one barrier.
struct SavedSection {
  std::size_t state = 0;    // index in what the operator describes
  std::string_view layout;  // that it was written with
  std::string_view bytes;
  std::string_view origin;  // where it is from, for errors
};

/// The error of a section whose bytes are not what its operator wrote.
inline Status DamagedSection(const SavedSection& section, std::string_view rest) {
  return DataLossError(std::string(section.origin) + ": damaged at byte " +
                       std::to_string(section.bytes.size() - rest.size()) + " of " +
                       std::to_string(section.bytes.size()));
}

}  // namespace millrace::detail
