#include "millrace/detail/spill.h"

#include <vector>

namespace millrace::detail {

namespace {

// By number, so that they come back in the order in which they went.
std::string ChunkKey(std::uint64_t number) {
  std::string key;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
  return key;
}

}  // namespace

void Spiller::Changed(std::string_view header, std::string_view entry) {
  if (!keeps_changes_) return;
  if (chunk_.empty() || header_ != header) {
    header_ = header;
    chunk_.append(header);
  }
  chunk_.append(entry);
  if (chunk_.size() >= StateWriter::kChunkBytes) PutChunk();
}

void Spiller::PutChunk() {
  if (changes_ == nullptr) changes_ = store_.NewTable();
  changes_->Put(0, ChunkKey(chunks_++), chunk_);
  chunk_.clear();
}

void Spiller::Save(StateWriter& writer, std::size_t state) {
  if (!writer.full() && changes_ != nullptr) {
    writer.Precede(state, [snapshot = changes_->Snapshot()](const ChunkVisitor& visit) {
      return snapshot->ForEach(
          [&visit](std::string_view, std::string_view chunk) { return visit(std::string(chunk)); });
    });
  }
  if (!writer.full() && !chunk_.empty()) {
    writer.Precede(state, [last = std::move(chunk_)](const ChunkVisitor& visit) { return visit(last); });
  }
  Forget();
}

void Spiller::Forget() {
  changes_.reset();
  chunk_.clear();
  chunks_ = 0;
}

ChunkSource ChunksOf(std::shared_ptr<const SpillSnapshot> snapshot, std::string header, std::string mark) {
  return [snapshot = std::move(snapshot), header = std::move(header),
          mark = std::move(mark)](const ChunkVisitor& visit) -> Status {
    std::string chunk;
    Status walked = snapshot->ForEach([&](std::string_view key, std::string_view value) -> Status {
      if (chunk.empty()) chunk = header;
      chunk.append(mark).append(key).append(value);
      if (chunk.size() < StateWriter::kChunkBytes) return OkStatus();
      Status visited = visit(std::move(chunk));
      chunk.clear();
      return visited;
    });
    if (!walked.ok() || chunk.empty()) return walked;
    return visit(std::move(chunk));
  };
}

}  // namespace millrace::detail
