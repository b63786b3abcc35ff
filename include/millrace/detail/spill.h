// Where keyed state goes that does not fit into memory. A table whose memory is wanted gives its entries away, encoded,
// and takes each back when its key is met again. What a checkpoint holds does not depend on where an entry was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/core/status.h"
#include "millrace/detail/saved_state.h"

namespace millrace::detail {

/// Gets an entry's encoded key and value. An error ends the walk.
using SpillVisitor = std::function<Status(std::string_view key, std::string_view value)>;

/// The entries of a table as they were at a moment. Any thread, one at a time.
class SpillSnapshot {
 public:
  virtual ~SpillSnapshot() = default;
  virtual Status ForEach(const SpillVisitor& visit) const = 0;
};

/// Entries of one table, by shard and encoded key, outside memory. Gone with the object. One thread. What fails (a full
/// disk) is thrown as a PipelineFailure.
class SpillTable {
 public:
  virtual ~SpillTable() = default;
  virtual void Put(int shard, std::string_view key, std::string_view value) = 0;
  virtual void Remove(int shard, std::string_view key) = 0;
  virtual bool Get(int shard, std::string_view key, std::string* value) = 0;
  /// The shard's entries in the order of their keys, as they were when the walk began.
  virtual void ForEach(int shard, const SpillVisitor& visit) = 0;
  /// Of all shards.
  virtual std::shared_ptr<const SpillSnapshot> Snapshot() = 0;
};

/// A state backend: makes the tables of all operators and workers. Thread safe.
class SpillStore {
 public:
  virtual ~SpillStore() = default;
  virtual std::unique_ptr<SpillTable> NewTable() = 0;
};

/// What the tables of one operator have in common when they spill: the store, and what has left memory since the last
/// barrier and belongs into the next checkpoint.
class Spiller {
 public:
  /// `keeps_changes`: there are checkpoints.
  Spiller(SpillStore& store, bool keeps_changes) : store_(store), keeps_changes_(keeps_changes) {}

  std::unique_ptr<SpillTable> NewTable() { return store_.NewTable(); }

  /// An entry that has changed since the last barrier leaves memory. `header` stands before the entries of its table.
  void Changed(std::string_view header, std::string_view entry);
  /// At a barrier: what has changed goes into the checkpoint, unless all of the state does.
  void Save(StateWriter& writer, std::size_t state);
  /// What has changed is saved already.
  void Forget();

 private:
  void PutChunk();

  SpillStore& store_;
  const bool keeps_changes_;
  std::string header_;  // of the entry added last
  std::string chunk_;
  std::uint64_t chunks_ = 0;  // in `changes_`
  std::unique_ptr<SpillTable> changes_;
};

/// The entries of a snapshot as pieces of a checkpoint, each of which begins with `header`; `mark` stands before each
/// entry.
ChunkSource ChunksOf(std::shared_ptr<const SpillSnapshot> snapshot, std::string header, std::string mark);

}  // namespace millrace::detail
