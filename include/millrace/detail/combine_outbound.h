// Elements of other workers' keys on their way: combined in a small direct-mapped table of partial accumulators that
// are shipped later, or shipped as they are where that does not pay.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "millrace/detail/aggregate.h"
#include "millrace/detail/combine_row.h"
#include "millrace/detail/hash.h"
#include "millrace/detail/shuffle.h"

namespace millrace::detail {

/// Whether keys repeat often enough for the table of partial accumulators: tried for a while, then for a longer while
/// used or left out.
class LiftingPays {
 public:
  bool Use() {
    if (--left_ > 0) return use_;
    use_ = trying_ ? hits_ * 4 >= kTrial : true;
    left_ = trying_ ? kStretch : kTrial;
    trying_ = !trying_;
    hits_ = 0;
    return use_;
  }
  void Hit() { ++hits_; }

 private:
  static constexpr int kTrial = 8'192;
  static constexpr int kStretch = 32 * kTrial;
  bool use_ = true;
  bool trying_ = true;
  int left_ = kTrial;
  int hits_ = 0;
};

/// `Fn` and `kLift` as the combine kernel has them. Only for more than one worker.
template <class K, class V, class Fn, bool kLift>
class CombineOutbound {
 public:
  using Rows = CombineRow<K, V>;
  using Row = typename Rows::Row;
  using Accumulator = decltype(std::declval<const Fn&>().CreateAccumulator());
  using PartialRow = Partial<K, Accumulator>;
  static constexpr bool kGlobally = Rows::kGlobally;

  explicit CombineOutbound(const Fn& fn) : fn_(fn) {}

  void Open(OperatorContext& context, std::int64_t slice_micros) {
    context_ = &context;
    slice_micros_ = slice_micros;
    if constexpr (kLift) lifted_.resize(kGlobally ? 1 : kLiftedSlots);
    partials_.resize(static_cast<std::size_t>(context.workers()));
    shuffle_.Open(context);
  }

  /// Takes row `index`, whose key has that hash and is another worker's.
  void Send(Batch<Row>& rows, std::size_t index, std::uint64_t hash) {
    if constexpr (!kLift) {
      shuffle_.Add(rows, index, hash);
    } else if (!kGlobally && !lifting_pays_.Use()) {
      shuffle_.Add(rows, index, hash);
    } else if (rows.windows.kind != WindowColumn::Kind::kImplicit) {
      Lift(rows, index, hash, rows.windows.Of(index, rows.timestamps[index]), false);
    } else if (rows.windows.many() && (slice_micros_ == 0 || rows.windows.fn.NearEndsOfTime(rows.timestamps[index]))) {
      rows.windows.fn.ForEachWindow(rows.timestamps[index],
                                    [&](const BoundedWindow& window) { Lift(rows, index, hash, window, false); });
    } else {
      const Timestamp time = rows.timestamps[index];
      const WindowFn& fn = rows.windows.fn;
      if (!(lifting_.start <= time && time < lifting_.end)) {
        lifting_ = rows.windows.many() ? SliceAt(fn, slice_micros_, time) : fn.At(fn.LastStart(time));
      }
      Lift(rows, index, hash, lifting_, rows.windows.many());
    }
  }

  /// Takes rows `from` to `end`, which are in one window and have the single key.
  void SendRun(Batch<Row>& rows, std::size_t from, std::size_t end, std::uint64_t hash) {
    if constexpr (kLift) {
      Send(rows, from++, hash);
      lifted_[0].count += static_cast<std::int64_t>(end - from);
      for (; from < end; ++from) fn_.AddInput(lifted_[0].accumulator, rows.values[from]);
    } else {
      for (; from < end; ++from) Send(rows, from, hash);
    }
  }

  /// Call it with no reference into one's own state: other operators may run.
  void ShipFull() {
    for (std::size_t worker = 0; worker < partials_.size(); ++worker) {
      if (partials_[worker] != nullptr && partials_[worker]->size() >= kShipElements) {
        ShipPartials(static_cast<int>(worker));
      }
    }
    shuffle_.ShipFull();
  }

  /// Ships everything that has been kept back, under the same condition.
  void ShipAll() {
    if constexpr (kLift) {
      for (Lifted& slot : lifted_) {
        if (slot.count > 0) Evict(slot);
      }
    }
    for (std::size_t worker = 0; worker < partials_.size(); ++worker) ShipPartials(static_cast<int>(worker));
    shuffle_.ShipAll();
  }

 private:
  struct Lifted {
    K key{};
    Accumulator accumulator{};
    BoundedWindow window;
    std::int64_t count = 0;
    std::uint64_t hash = 0;
    bool is_slice = false;
  };
  static constexpr std::size_t kLiftedSlots = 4096;
  static constexpr std::size_t kShipElements = 2 * kBatchElements;

  // Adds the row to a partial accumulator, which is shipped later.
  void Lift(Batch<Row>& rows, std::size_t index, std::uint64_t hash, const BoundedWindow& window, bool is_slice) {
    const Row& row = rows.values[index];
    Lifted& slot = lifted_[kGlobally ? 0 : (hash >> 8) & (kLiftedSlots - 1)];
    if (slot.count > 0) {
      if (slot.window == window && slot.hash == hash && slot.is_slice == is_slice &&
          KeyEqual(slot.key, Rows::KeyOf(row))) {
        ++slot.count;
        lifting_pays_.Hit();
        fn_.AddInput(slot.accumulator, Rows::ValueOf(row));
        return;
      }
      Evict(slot);
    }
    slot.key = Rows::KeyOf(row);
    slot.accumulator = fn_.CreateAccumulator();
    slot.window = window;
    slot.count = 1;
    slot.hash = hash;
    slot.is_slice = is_slice;
    fn_.AddInput(slot.accumulator, Rows::ValueOf(row));
  }

  void Evict(Lifted& slot) {
    Batch<PartialRow>& outbox = PartialsFor(slot.hash);
    outbox.values.Append(std::move(slot.key), std::move(slot.accumulator), slot.count, slot.hash, slot.is_slice);
    outbox.timestamps.Append(slot.window.start);
    outbox.windows.each.Append(slot.window);
    slot.count = 0;
  }

  Batch<PartialRow>& PartialsFor(std::uint64_t hash) {
    auto& outbox = partials_[static_cast<std::size_t>(OwnerOf(hash, context_->workers()))];
    if (outbox == nullptr) {
      outbox = SpareBatch<Batch<PartialRow>>(*context_);
      outbox->windows.kind = WindowColumn::Kind::kEach;
      outbox->values.Reserve(kShipElements);
      outbox->timestamps.Reserve(kShipElements);
      outbox->windows.each.Reserve(kShipElements);
    }
    return *outbox;
  }

  void ShipPartials(int worker) {
    auto& outbox = partials_[static_cast<std::size_t>(worker)];
    if (outbox != nullptr) context_->Ship(worker, std::move(outbox));
  }

  const Fn& fn_;
  OperatorContext* context_ = nullptr;
  std::int64_t slice_micros_ = 0;
  BoundedWindow lifting_{Timestamp::Max(), Timestamp::Max()};  // the window or slice of the last row
  std::vector<Lifted> lifted_;
  LiftingPays lifting_pays_;
  std::vector<std::unique_ptr<Batch<PartialRow>>> partials_;  // by worker
  Shuffle<Row> shuffle_;                                      // of elements that are not lifted
};

}  // namespace millrace::detail
