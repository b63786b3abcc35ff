// Sends the rows of a batch to the workers that own their keys: for keyed operators that ship elements, not
// accumulators.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "millrace/detail/operator.h"

namespace millrace::detail {

template <class Row>
class Shuffle {
 public:
  void Open(OperatorContext& context) {
    context_ = &context;
    open_.resize(static_cast<std::size_t>(context.workers()));
  }
  bool needed() const { return context_->workers() > 1; }
  /// Whether the key is this worker's; with one worker each is.
  bool Owns(std::uint64_t hash) const { return OwnerOf(hash, context_->workers()) == context_->worker(); }

  /// Copies row `index` for its owner, which is another worker: a watermark does not wait for what one sends oneself.
  /// Nothing is sent before `ShipFull`.
  void Add(Batch<Row>& batch, std::size_t index, std::uint64_t hash) {
    AddTo(batch, index, static_cast<std::size_t>(OwnerOf(hash, context_->workers())));
  }
  void AddTo(Batch<Row>& batch, std::size_t index, std::size_t worker) {
    auto& outbox = open_[worker];
    if (outbox != nullptr && (outbox->size() >= kBatchElements || !outbox->SameHeader(batch))) {
      full_.emplace_back(static_cast<int>(worker), std::move(outbox));
    }
    if (outbox == nullptr) {
      outbox = SpareBatch<Batch<Row>>(*context_);
      outbox->CopyHeader(batch);
    }
    if (batch.shared) {
      outbox->values.Append(std::as_const(batch.values[index]));
    } else {
      outbox->values.Append(std::move(batch.values[index]));
    }
    outbox->AppendRow(batch, index);
  }

  /// Call it with no reference into one's own state: other operators may run.
  void ShipFull() {
    while (!full_.empty()) {
      auto [worker, batch] = std::move(full_.back());
      full_.pop_back();
      context_->Ship(worker, std::move(batch));
    }
  }
  void ShipAll() {
    ShipFull();
    for (std::size_t worker = 0; worker < open_.size(); ++worker) {
      if (open_[worker] != nullptr) context_->Ship(static_cast<int>(worker), std::move(open_[worker]));
    }
  }

 private:
  OperatorContext* context_ = nullptr;
  std::vector<std::unique_ptr<Batch<Row>>> open_;  // by worker
  std::vector<std::pair<int, std::unique_ptr<Batch<Row>>>> full_;
};

/// Redistributes elements evenly; what comes after it is no longer fused with what comes before.
template <class T>
class ReshuffleKernel final : public Operator {
 public:
  void Open(OperatorContext& context) override {
    Operator::Open(context);
    shuffle_.Open(context);
  }
  void Process(BatchBase& batch, int /*input*/) override {
    ledger_.units += static_cast<std::int64_t>(batch.size());
    if (!shuffle_.needed()) return ProcessRemote(batch);
    auto& rows = static_cast<Batch<T>&>(batch);
    own_.CopyHeader(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (static_cast<int>(next_) == context().worker()) {
        own_.CopyRow(rows, row);
      } else {
        shuffle_.AddTo(rows, row, next_);
      }
      next_ = (next_ + 1) % static_cast<std::size_t>(context().workers());
    }
    ProcessRemote(own_);
    own_.Clear();
    shuffle_.ShipFull();
  }
  void ProcessRemote(BatchBase& batch) override {
    ledger_.emitted += static_cast<std::int64_t>(batch.size());
    context().output(0).Deliver(batch);
  }
  bool EmitsOneEach() const override { return true; }
  void FlushRemote() override { shuffle_.ShipAll(); }

 private:
  Shuffle<T> shuffle_;
  Batch<T> own_;  // the rows that stay here
  std::size_t next_ = 0;
};

}  // namespace millrace::detail
