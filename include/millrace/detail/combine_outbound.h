// Elements of other workers' keys on their way: combined in tables of partial accumulators by window, which are shipped
// before their windows may fire, or shipped as they are where that does not pay.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/detail/aggregate.h"
#include "millrace/detail/combine_row.h"
#include "millrace/detail/flat_table.h"
#include "millrace/detail/hash.h"
#include "millrace/detail/shuffle.h"

namespace millrace::detail {

/// Whether keys repeat often enough for partial accumulators: tried for a while, then for a longer while used or left
/// out.
class LiftingPays {
 public:
  /// For the next `rows` rows.
  bool Use(std::size_t rows) {
    left_ -= static_cast<std::int64_t>(rows);
    if (left_ > 0) return use_;
    use_ = trying_ ? hits_ * 4 >= kTrial : true;
    left_ = trying_ ? kStretch : kTrial;
    trying_ = !trying_;
    hits_ = 0;
    return use_;
  }
  /// That many rows found their key.
  void Hit(std::size_t rows) { hits_ += static_cast<std::int64_t>(rows); }

 private:
  static constexpr std::int64_t kTrial = 8'192;
  static constexpr std::int64_t kStretch = 32 * kTrial;
  bool use_ = true;
  bool trying_ = true;
  std::int64_t left_ = kTrial;
  std::int64_t hits_ = 0;
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

  void Open(OperatorContext& context, const AggregatePlan& plan, const WindowGate& gate) {
    context_ = &context;
    gate_ = &gate;
    slice_micros_ = plan.slice_micros;
    panes_ = plan.panes;
    outboxes_.resize(static_cast<std::size_t>(context.workers()));
    shuffle_.Open(context);
  }

  /// Takes the rows that `away` lists, whose keys are other workers'; `hashes` are those of all rows.
  void Add(Batch<Row>& rows, const Column<std::uint64_t>& hashes, const Column<std::uint32_t>& away) {
    if constexpr (kLift) {
      if (kGlobally || lifting_pays_.Use(away.size())) {
        if (!kGlobally && current_ != nullptr && current_->bytes() > kLargeBytes) {
          for (const std::uint32_t index : away) current_->Prefetch(HashAt(hashes, index));
        }
        const std::size_t before = entries_;
        for (const std::uint32_t index : away) Lift(rows, index, HashAt(hashes, index));
        const std::size_t fresh = entries_ - before;
        if (fresh < away.size()) lifting_pays_.Hit(away.size() - fresh);
        return;
      }
    }
    for (const std::uint32_t index : away) shuffle_.Add(rows, index, HashAt(hashes, index));
  }

  /// Takes rows `from` to `end`, which are in `window` and have the single key.
  void AddRun(Batch<Row>& rows, std::size_t from, std::size_t end, const BoundedWindow& window) {
    const std::uint64_t hash = KeyHash(SingleKey{});
    if constexpr (kLift) {
      if (!Seek(window, false)) {
        for (; from < end; ++from) shuffle_.Add(rows, from, hash);
        return;
      }
      Lifted& lifted = Find(hash, SingleKey{});
      lifted.count += static_cast<std::int64_t>(end - from);
      for (; from < end; ++from) fn_.AddInput(lifted.accumulator, rows.values[from]);
    } else {
      for (; from < end; ++from) shuffle_.Add(rows, from, hash);
    }
  }

  /// After each batch, with no reference into one's own state: other operators may run.
  void ShipFull() {
    if (entries_ > kEntriesMax || tables_.size() > kTablesMax) {
      Unload(Timestamp::Max());
      ShipPartials();
    }
    shuffle_.ShipFull();
  }

  /// Ships what others must have before they learn `watermark`, under the same condition: where windows fire once, only
  /// what belongs to windows that may then fire. Where keys fire panes, other workers' triggers wait for every element.
  void ShipDue(Timestamp watermark) {
    Unload(panes_ ? Timestamp::Max() : watermark);
    ShipPartials();
    shuffle_.ShipAll();
  }

 private:
  struct Lifted {
    Accumulator accumulator;
    std::int64_t count;
  };
  // A window or slice.
  struct Target {
    BoundedWindow window;
    bool is_slice = false;
    friend auto operator<=>(const Target&, const Target&) = default;
  };
  using Table = FlatTable<K, Lifted>;
  static constexpr std::size_t kEntriesMax = 16'384;
  static constexpr std::size_t kLargeBytes = std::size_t{1} << 18;  // prefetching pays from there on
  static constexpr std::size_t kTablesMax = 64;
  static constexpr std::size_t kSparesMax = 4;
  static constexpr std::size_t kShipElements = 2 * kBatchElements;

  static std::uint64_t HashAt(const Column<std::uint64_t>& hashes, std::size_t index) {
    if constexpr (kGlobally) {
      return KeyHash(SingleKey{});
    } else {
      return hashes[index];
    }
  }

  // Adds the row to the partial accumulators of its windows, or sends it as it is if it may be late for one of them.
  void Lift(Batch<Row>& rows, std::size_t index, std::uint64_t hash) {
    const Timestamp time = rows.timestamps[index];
    const WindowColumn& windows = rows.windows;
    bool in_time = true;
    if (windows.kind != WindowColumn::Kind::kImplicit) {
      in_time = Seek(windows.Of(index, time), false);
    } else if (windows.many() && (slice_micros_ == 0 || windows.fn.NearEndsOfTime(time))) {
      return LiftInEach(rows, index, hash);
    } else if (current_ == nullptr || current_target_.is_slice != windows.many() ||
               !(current_target_.window.start <= time && time < current_target_.window.end)) [[unlikely]] {
      in_time =
          Seek(windows.many() ? SliceAt(windows.fn, slice_micros_, time) : windows.fn.At(windows.fn.LastStart(time)),
               windows.many());
    }
    if (in_time) [[likely]] {
      AddRow(hash, rows.values[index]);
    } else {
      shuffle_.Add(rows, index, hash);
    }
  }

  [[gnu::noinline]] void LiftInEach(Batch<Row>& rows, std::size_t index, std::uint64_t hash) {
    const WindowFn& fn = rows.windows.fn;
    const Timestamp time = rows.timestamps[index];
    bool in_time = true;
    fn.ForEachWindow(
        time, [&](const BoundedWindow& window) { in_time = in_time && !gate_->MayBeLateElsewhere(window, false); });
    if (!in_time) return shuffle_.Add(rows, index, hash);
    fn.ForEachWindow(time, [&](const BoundedWindow& window) {
      Seek(window, false);
      AddRow(hash, rows.values[index]);
    });
  }

  void AddRow(std::uint64_t hash, const Row& row) {
    Lifted& lifted = Find(hash, Rows::KeyOf(row));
    ++lifted.count;
    fn_.AddInput(lifted.accumulator, Rows::ValueOf(row));
  }

  Lifted& Find(std::uint64_t hash, const K& key) {
    return current_
        ->FindOrInsert(hash, key,
                       [this] {
                         ++entries_;
                         return Lifted{fn_.CreateAccumulator(), 0};
                       })
        .value;
  }

  // Makes the table of a window or slice the current one; false if other workers may know that it has expired. What is
  // in a table is shipped before they learn that.
  [[gnu::noinline]] bool Seek(const BoundedWindow& window, bool is_slice) {
    const Target target{window, is_slice};
    if (current_ != nullptr && current_target_ == target) return true;
    if (gate_->MayBeLateElsewhere(window, is_slice)) return false;
    const auto [it, fresh] = tables_.try_emplace(target);
    if (fresh && !spares_.empty()) {
      it->second = std::move(spares_.back());
      spares_.pop_back();
    }
    current_ = &it->second;
    current_target_ = target;
    return true;
  }

  // Moves into the outboxes what belongs to windows whose last timestamp is not after `watermark`.
  [[gnu::noinline]] void Unload(Timestamp watermark) {
    for (auto it = tables_.begin(); it != tables_.end();) {
      if (it->first.window.max_timestamp() > watermark) {
        ++it;
        continue;
      }
      it->second.ForEach([&](auto& entry) { Unload(it->first, entry); });
      entries_ -= it->second.size();
      it->second.Reset();
      if (spares_.size() < kSparesMax) spares_.push_back(std::move(it->second));
      it = tables_.erase(it);
      current_ = nullptr;
    }
  }
  void Unload(const Target& target, typename Table::Entry& entry) {
    const std::uint64_t hash = KeyHash(entry.key);
    auto& outbox = outboxes_[static_cast<std::size_t>(OwnerOf(hash, context_->workers()))];
    if (outbox.empty() || outbox.back()->size() >= kShipElements) {
      outbox.push_back(SpareBatch<Batch<PartialRow>>(*context_));
      outbox.back()->windows.kind = WindowColumn::Kind::kEach;
    }
    Batch<PartialRow>& batch = *outbox.back();
    batch.values.Append(std::move(entry.key), std::move(entry.value.accumulator), entry.value.count, hash,
                        target.is_slice);
    batch.timestamps.Append(target.window.start);
    batch.windows.each.Append(target.window);
  }

  void ShipPartials() {
    for (std::size_t worker = 0; worker < outboxes_.size(); ++worker) {
      for (auto& batch : outboxes_[worker]) context_->Ship(static_cast<int>(worker), std::move(batch));
      outboxes_[worker].clear();
    }
  }

  const Fn& fn_;
  OperatorContext* context_ = nullptr;
  const WindowGate* gate_ = nullptr;
  std::int64_t slice_micros_ = 0;
  bool panes_ = false;
  std::map<Target, Table> tables_;
  std::vector<Table> spares_;
  std::size_t entries_ = 0;   // in all tables
  Table* current_ = nullptr;  // the table of `current_target_`
  Target current_target_;
  LiftingPays lifting_pays_;
  std::vector<std::vector<std::unique_ptr<Batch<PartialRow>>>> outboxes_;  // by worker
  Shuffle<Row> shuffle_;                                                   // of elements that are not lifted
};

}  // namespace millrace::detail
