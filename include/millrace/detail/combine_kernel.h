// The combine table: the hot path of every aggregation. A batch's keys are hashed, a key of another worker goes through
// a small direct-mapped table into a partial accumulator that is shipped later, and a key of one's own goes into the
// table of its window or slice.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/core/kv.h"
#include "millrace/detail/aggregate.h"
#include "millrace/detail/output_buffer.h"
#include "millrace/detail/sharded_table.h"
#include "millrace/detail/shuffle.h"

namespace millrace::detail {

/// The one key of CombineGlobally.
struct SingleKey {
  friend bool operator==(SingleKey, SingleKey) { return true; }
};

/// What is shipped of a key: its accumulator over `count` elements of one window or slice (the batch's window column).
template <class K, class Accumulator>
struct Partial {
  K key;
  Accumulator accumulator;
  std::int64_t count;
  std::uint64_t hash;
  bool is_slice;
};

/// `Fn` has Beam's four calls over `V`. `kLift`: accumulators are smaller than the elements they stand for, so they are
/// built before the shuffle.
template <class K, class V, class Fn, bool kLift>
class CombineKernel final : public AggregateKernel {
 public:
  static constexpr bool kGlobally = std::is_same_v<K, SingleKey>;
  using Accumulator = decltype(std::declval<const Fn&>().CreateAccumulator());
  using Extracted = decltype(std::declval<const Fn&>().ExtractOutput(std::declval<const Accumulator&>()));
  using Row = std::conditional_t<kGlobally, V, KV<K, V>>;
  using OutputRow = std::conditional_t<kGlobally, Extracted, KV<K, Extracted>>;
  using PartialRow = Partial<K, Accumulator>;

  explicit CombineKernel(Fn fn) : fn_(std::move(fn)) {}

  void Open(OperatorContext& context, const AggregatePlan& plan, WindowGate& gate) override {
    context_ = &context;
    plan_ = plan;
    gate_ = &gate;
    self_ = context.worker();
    workers_ = context.workers();
    output_.Open(context.output(0));
    if (workers_ == 1) return;
    if constexpr (kLift) lifted_.resize(kGlobally ? 1 : kLiftedSlots);
    partials_.resize(static_cast<std::size_t>(workers_));
    shuffle_.Open(context);
  }

  void Add(BatchBase& batch) override {
    auto& rows = static_cast<Batch<Row>&>(batch);
    Hash(rows);
    now_micros_ = plan_.panes ? context_->processing_time().micros() : 0;
    if (workers_ == 1) {
      AddRows<false>(rows);
    } else {
      AddRows<true>(rows);
      ShipFull();
    }
    FlushOutput();
  }

  void AddRemote(BatchBase& batch) override {
    now_micros_ = plan_.panes ? context_->processing_time().micros() : 0;
    if (auto* partials = dynamic_cast<Batch<PartialRow>*>(&batch)) {
      AddPartials(*partials);
    } else {
      auto& rows = static_cast<Batch<Row>&>(batch);
      Hash(rows);
      AddRows<false>(rows);
    }
    FlushOutput();
  }

  void FlushRemote() override {
    if (workers_ == 1) return;
    if constexpr (kLift) {
      for (Lifted& slot : lifted_) {
        if (slot.count > 0) Evict(slot);
      }
    }
    for (int worker = 0; worker < workers_; ++worker) ShipPartials(worker);
    shuffle_.ShipAll();
  }

  void FireOnce(const BoundedWindow& window, std::span<const BoundedWindow> slices) override {
    if (slices.empty()) {
      const auto found = stores_.find(window);
      if (found == stores_.end()) return;
      EmitAll(found->second.once, window);
      Keep(std::move(found->second.once));
      Drop(window);
      return;
    }
    for (const BoundedWindow& slice : slices) MergeInto(merged_, slices_, slice);
    MergeInto(merged_, stores_, window);
    stores_.erase(window);
    EmitAll(merged_, window);
    merged_.Reset();
  }

  void FirePanes(const BoundedWindow& window, FiringReason reason, bool is_last) override {
    const auto found = stores_.find(window);
    if (found == stores_.end()) return;
    const bool past = gate_->PastOnTime(window);
    now_micros_ = context_->processing_time().micros();
    std::int64_t next_deadline = kNoDeadline;
    found->second.panes.ForEach([&](auto& entry) {
      PaneCell& pane = entry.value.pane;
      const bool fire = reason == FiringReason::kOnTime     ? true
                        : reason == FiringReason::kDeadline ? pane.deadline_micros <= now_micros_
                                                            : pane.count > 0;
      if (fire) {
        const auto timing =
            reason == FiringReason::kOnTime ? PaneInfo::Timing::kOnTime : pane.TimingOf(plan_.windowing.trigger, past);
        EmitPane(entry, window, timing, is_last);
        if (output_.full()) FlushOutput();
      } else if (pane.deadline_micros < next_deadline) {
        next_deadline = pane.deadline_micros;
      }
    });
    FlushOutput();
    if (next_deadline != kNoDeadline) gate_->SetDeadline(window, next_deadline);
  }

  void Drop(const BoundedWindow& window) override {
    stores_.erase(window);
    if (const auto slice = slices_.find(window); slice != slices_.end()) {
      Keep(std::move(slice->second.once));
      slices_.erase(slice);
    }
    current_ = nullptr;
  }
  void ForgetAdmissions() override { current_ = nullptr; }

  void EmitDefault() override {
    if constexpr (kGlobally) {
      output_.EmitIn(fn_.ExtractOutput(fn_.CreateAccumulator()), BoundedWindow::Global().max_timestamp(),
                     BoundedWindow::Global(), PaneInfo{.timing = PaneInfo::Timing::kOnTime});
      FlushOutput();
    }
  }

  void FlushOutput() override { output_.Flush(); }

  std::size_t StateBytes() const override {
    std::size_t sum = 0;
    for (const auto& [window, store] : stores_) sum += store.once.bytes() + store.panes.bytes();
    for (const auto& [window, store] : slices_) sum += store.once.bytes();
    return sum;
  }

 private:
  struct Paned {
    Accumulator accumulator;
    PaneCell pane;
  };
  struct Store {
    ShardedTable<K, Accumulator> once;
    ShardedTable<K, Paned> panes;
  };
  using Stores = std::map<BoundedWindow, Store>;
  struct Lifted {
    K key{};
    Accumulator accumulator{};
    BoundedWindow window;
    std::int64_t count = 0;
    std::uint64_t hash = 0;
    bool is_slice = false;
  };
  // Whether keys repeat often enough for the table of partial accumulators: tried for a while, then for a longer while
  // used or left out.
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
  static constexpr std::size_t kSparesMax = 8;
  static constexpr std::size_t kLiftedSlots = 4096;
  static constexpr std::size_t kShipElements = 2 * kBatchElements;

  static const K& KeyOf(const Row& row) {
    if constexpr (kGlobally) {
      static constexpr SingleKey kOnly;
      return kOnly;
    } else {
      return row.key;
    }
  }
  static const V& ValueOf(const Row& row) {
    if constexpr (kGlobally) {
      return row;
    } else {
      return row.value;
    }
  }

  void Hash(Batch<Row>& rows) {
    if constexpr (!kGlobally) {
      const std::size_t count = rows.size();
      hashes_.Clear();
      std::uint64_t* hash = hashes_.Extend(count);
      for (std::size_t i = 0; i < count; ++i) hash[i] = KeyHash(rows.values[i].key);
      if (current_ != nullptr && current_->once.large()) {
        for (std::size_t i = 0; i < count; ++i) current_->once.Prefetch(hash[i]);
      }
    }
  }
  std::uint64_t HashAt(std::size_t index) const {
    if constexpr (kGlobally) {
      return KeyHash(SingleKey{});
    } else {
      return hashes_[index];
    }
  }

  // Is row `index` another worker's? It is then on its way.
  template <bool kShuffle>
  bool SentAway(Batch<Row>& rows, std::size_t index) {
    if (!kShuffle || OwnerOf(HashAt(index), workers_) == self_) return false;
    SendAway(rows, index);
    return true;
  }

  template <bool kShuffle>
  void AddRows(Batch<Row>& rows) {
    const std::size_t count = rows.size();
    if constexpr (kGlobally) {
      if (!plan_.panes && !rows.windows.many()) return AddGlobally<kShuffle>(rows);
    }
    if (rows.windows.kind == WindowColumn::Kind::kImplicit && (!rows.windows.many() || plan_.slice_micros > 0)) {
      return AddByTime<kShuffle>(rows);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (SentAway<kShuffle>(rows, i)) continue;
      if (rows.windows.many()) {
        rows.windows.fn.ForEachWindow(rows.timestamps[i],
                                      [&](const BoundedWindow& window) { AddInWindow(rows, i, window); });
      } else {
        AddInWindow(rows, i, rows.windows.Of(i, rows.timestamps[i]));
      }
    }
  }

  // The single key: its accumulator is looked up once per run of elements in the same window.
  template <bool kShuffle>
  void AddGlobally(Batch<Row>& rows) {
    const std::size_t count = rows.size();
    const bool away = kShuffle && OwnerOf(HashAt(0), workers_) != self_;
    for (std::size_t i = 0; i < count;) {
      const BoundedWindow window = rows.windows.Of(i, rows.timestamps[i]);
      const std::size_t end = EndOfRun(rows, i, window);
      if (away) {
        SendAway(rows, i++);
        if constexpr (kLift) {  // the row has opened the slot
          lifted_[0].count += static_cast<std::int64_t>(end - i);
          for (; i < end; ++i) fn_.AddInput(lifted_[0].accumulator, rows.values[i]);
        }
        continue;
      }
      if ((current_ == nullptr || current_window_ != window || current_is_slice_) &&
          !Seek(window, static_cast<std::int64_t>(end - i))) {
        i = end;
        continue;
      }
      auto& entry = current_->once.FindOrInsert(HashAt(i), SingleKey{}, [this] { return fn_.CreateAccumulator(); });
      for (; i < end; ++i) fn_.AddInput(entry.value, rows.values[i]);
    }
  }
  static std::size_t EndOfRun(const Batch<Row>& rows, std::size_t from, const BoundedWindow& window) {
    const std::size_t count = rows.size();
    if (rows.windows.kind == WindowColumn::Kind::kUniform) return count;
    std::size_t end = from + 1;
    if (rows.windows.kind == WindowColumn::Kind::kEach) {
      while (end < count && rows.windows.each[end] == window) ++end;
    } else {
      while (end < count && window.start <= rows.timestamps[end] && rows.timestamps[end] < window.end) ++end;
    }
    return end;
  }

  // Windows that follow from the timestamp and do not overlap, or slices of those that do.
  template <bool kShuffle>
  void AddByTime(Batch<Row>& rows) {
    const std::size_t count = rows.size();
    const bool slices = rows.windows.fn.assigns_many();
    const WindowFn& fn = rows.windows.fn;
    for (std::size_t i = 0; i < count; ++i) {
      const Timestamp time = rows.timestamps[i];
      if (SentAway<kShuffle>(rows, i)) continue;
      if (current_ == nullptr || current_is_slice_ != slices ||
          !(current_window_.start <= time && time < current_window_.end)) [[unlikely]] {
        if (slices && fn.NearEndsOfTime(time)) {
          fn.ForEachWindow(time, [&](const BoundedWindow& window) { AddInWindow(rows, i, window); });
          continue;
        }
        if (slices ? !SeekSlice(SliceOf(fn, time), 1) : !Seek(fn.At(fn.LastStart(time)), 1)) continue;
      }
      if (current_expired_ > 0) gate_->CountLate(current_window_, current_expired_);
      AddValue(HashAt(i), rows.values[i]);
    }
  }

  void AddInWindow(Batch<Row>& rows, std::size_t index, const BoundedWindow& window) {
    if (current_ == nullptr || current_window_ != window || current_is_slice_) {
      if (!Seek(window, 1)) return;
    }
    AddValue(HashAt(index), rows.values[index]);
  }

  BoundedWindow SliceOf(const WindowFn& fn, Timestamp time) const {
    std::int64_t offset = (time.micros() - fn.offset_micros) % plan_.slice_micros;
    if (offset < 0) offset += plan_.slice_micros;
    const Timestamp start = time - Duration(offset);
    return {start, start + Duration(plan_.slice_micros)};
  }

  void AddValue(std::uint64_t hash, const Row& row) {
    if (plan_.panes) {
      auto& entry =
          current_->panes.FindOrInsert(hash, KeyOf(row), [this] { return Paned{fn_.CreateAccumulator(), {}}; });
      fn_.AddInput(entry.value.accumulator, ValueOf(row));
      Touch(entry, 1);
    } else {
      auto& entry = current_->once.FindOrInsert(hash, KeyOf(row), [this] { return fn_.CreateAccumulator(); });
      fn_.AddInput(entry.value, ValueOf(row));
    }
  }

  // Elements have been added to a key of the current window.
  template <class Entry>
  void Touch(Entry& entry, std::int64_t elements) {
    const Trigger& trigger = plan_.windowing.trigger;
    PaneCell& pane = entry.value.pane;
    if (pane.Add(trigger, current_past_, elements, now_micros_)) {
      EmitPane(entry, current_window_, pane.TimingOf(trigger, current_past_), false);
    } else if (pane.count == elements && pane.deadline_micros != kNoDeadline) {
      gate_->SetDeadline(current_window_, pane.deadline_micros);
    }
  }

  void AddPartials(Batch<PartialRow>& rows) {
    if (current_ != nullptr && current_->once.large()) {
      for (PartialRow& row : rows.values) current_->once.Prefetch(row.hash);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      PartialRow& row = rows.values[i];
      const BoundedWindow& window = rows.windows.each[i];
      if (current_ == nullptr || current_window_ != window || current_is_slice_ != row.is_slice) {
        if (row.is_slice ? !SeekSlice(window, row.count) : !Seek(window, row.count)) continue;
      }
      if (current_expired_ > 0) gate_->CountLate(window, current_expired_ * row.count);
      if (plan_.panes) {
        auto& entry =
            current_->panes.FindOrInsert(row.hash, row.key, [this] { return Paned{fn_.CreateAccumulator(), {}}; });
        fn_.MergeAccumulators(entry.value.accumulator, row.accumulator);
        Touch(entry, row.count);
      } else {
        auto& entry = current_->once.FindOrInsert(row.hash, row.key, [this] { return fn_.CreateAccumulator(); });
        fn_.MergeAccumulators(entry.value, row.accumulator);
      }
    }
  }

  // A new window takes over the memory of one that has fired: it will hold about as many keys.
  Store& StoreOf(Stores& stores, const BoundedWindow& window) {
    const auto [it, fresh] = stores.try_emplace(window);
    if (fresh && !spares_.empty()) {
      it->second.once = std::move(spares_.back());
      spares_.pop_back();
    }
    return it->second;
  }
  void Keep(ShardedTable<K, Accumulator>&& table) {
    if (table.divided() || spares_.size() >= kSparesMax) return;
    table.Reset();
    spares_.push_back(std::move(table));
  }

  // Makes `window` the current one; false if `elements` for it are late.
  bool Seek(const BoundedWindow& window, std::int64_t elements) {
    if (!gate_->Admit(window)) {
      gate_->CountLate(window, elements);
      return false;
    }
    current_ = &StoreOf(stores_, window);
    current_window_ = window;
    current_is_slice_ = false;
    current_expired_ = 0;
    current_past_ = plan_.panes && gate_->PastOnTime(window);
    return true;
  }

  bool SeekSlice(const BoundedWindow& slice, std::int64_t elements) {
    int expired = 0;
    const int open = gate_->AdmitSlice(slice, &expired);
    if (open == 0) {
      gate_->CountLate(slice, expired * elements);
      return false;
    }
    current_ = &StoreOf(slices_, slice);
    current_window_ = slice;
    current_is_slice_ = true;
    current_expired_ = expired;
    return true;
  }

  void SendAway(Batch<Row>& rows, std::size_t index) {
    if constexpr (!kLift) {
      shuffle_.Add(rows, index, HashAt(index));
    } else if (!kGlobally && !lifting_pays_.Use()) {
      shuffle_.Add(rows, index, HashAt(index));
    } else if (rows.windows.kind != WindowColumn::Kind::kImplicit) {
      Lift(rows, index, rows.windows.Of(index, rows.timestamps[index]), false);
    } else if (rows.windows.many() &&
               (plan_.slice_micros == 0 || rows.windows.fn.NearEndsOfTime(rows.timestamps[index]))) {
      rows.windows.fn.ForEachWindow(rows.timestamps[index],
                                    [&](const BoundedWindow& window) { Lift(rows, index, window, false); });
    } else {
      const Timestamp time = rows.timestamps[index];
      const WindowFn& fn = rows.windows.fn;
      if (!(lifting_.start <= time && time < lifting_.end)) {
        lifting_ = rows.windows.many() ? SliceOf(fn, time) : fn.At(fn.LastStart(time));
      }
      Lift(rows, index, lifting_, rows.windows.many());
    }
  }

  // Adds the row to a partial accumulator, which is shipped later.
  void Lift(Batch<Row>& rows, std::size_t index, const BoundedWindow& window, bool is_slice) {
    const std::uint64_t hash = HashAt(index);
    const Row& row = rows.values[index];
    Lifted& slot = lifted_[kGlobally ? 0 : (hash >> 8) & (kLiftedSlots - 1)];
    if (slot.count > 0) {
      if (slot.window == window && slot.hash == hash && slot.is_slice == is_slice && KeyEqual(slot.key, KeyOf(row))) {
        ++slot.count;
        lifting_pays_.Hit();
        fn_.AddInput(slot.accumulator, ValueOf(row));
        return;
      }
      Evict(slot);
    }
    slot.key = KeyOf(row);
    slot.accumulator = fn_.CreateAccumulator();
    slot.window = window;
    slot.count = 1;
    slot.hash = hash;
    slot.is_slice = is_slice;
    fn_.AddInput(slot.accumulator, ValueOf(row));
  }

  Batch<PartialRow>& PartialsFor(std::uint64_t hash) {
    auto& outbox = partials_[static_cast<std::size_t>(OwnerOf(hash, workers_))];
    if (outbox == nullptr) {
      outbox = SpareBatch<Batch<PartialRow>>(*context_);
      outbox->windows.kind = WindowColumn::Kind::kEach;
      outbox->values.Reserve(kShipElements);
      outbox->timestamps.Reserve(kShipElements);
      outbox->windows.each.Reserve(kShipElements);
    }
    return *outbox;
  }

  void Evict(Lifted& slot) {
    Batch<PartialRow>& outbox = PartialsFor(slot.hash);
    outbox.values.Append(std::move(slot.key), std::move(slot.accumulator), slot.count, slot.hash, slot.is_slice);
    outbox.timestamps.Append(slot.window.start);
    outbox.windows.each.Append(slot.window);
    slot.count = 0;
  }

  void ShipFull() {
    for (std::size_t worker = 0; worker < partials_.size(); ++worker) {
      if (partials_[worker] != nullptr && partials_[worker]->size() >= kShipElements) {
        ShipPartials(static_cast<int>(worker));
      }
    }
    shuffle_.ShipFull();
  }

  void ShipPartials(int worker) {
    auto& outbox = partials_[static_cast<std::size_t>(worker)];
    if (outbox != nullptr) context_->Ship(worker, std::move(outbox));
  }

  void MergeInto(ShardedTable<K, Accumulator>& target, Stores& stores, const BoundedWindow& from) {
    const auto found = stores.find(from);
    if (found == stores.end()) return;
    found->second.once.ForEach([&](auto& entry) {
      auto& merged = target.FindOrInsert(KeyHash(entry.key), entry.key, [this] { return fn_.CreateAccumulator(); });
      fn_.MergeAccumulators(merged.value, entry.value);
    });
  }

  void EmitAll(ShardedTable<K, Accumulator>& table, const BoundedWindow& window) {
    Batch<OutputRow>& batch = output_.batch();
    const PaneInfo pane{.timing = PaneInfo::Timing::kOnTime};
    table.ForEach([&](auto& entry) {
      batch.timestamps.Append(window.max_timestamp());
      if constexpr (kGlobally) {
        batch.values.Append(fn_.ExtractOutput(std::move(entry.value)));
      } else {
        batch.values.Append(std::move(entry.key), fn_.ExtractOutput(std::move(entry.value)));
      }
      if (batch.size() >= kBatchElements) {
        batch.windows.SetUniform(window);
        batch.panes.SetUniform(pane);
        FlushOutput();
      }
    });
    batch.windows.SetUniform(window);
    batch.panes.SetUniform(pane);
    FlushOutput();
  }

  template <class Entry>
  void EmitPane(Entry& entry, const BoundedWindow& window, PaneInfo::Timing timing, bool is_last) {
    const PaneInfo pane = entry.value.pane.Fire(timing, is_last);
    if constexpr (kGlobally) {
      output_.EmitIn(fn_.ExtractOutput(entry.value.accumulator), window.max_timestamp(), window, pane);
    } else {
      output_.EmitIn(OutputRow{entry.key, fn_.ExtractOutput(entry.value.accumulator)}, window.max_timestamp(), window,
                     pane);
    }
    if (plan_.windowing.accumulation_mode == AccumulationMode::kDiscarding) {
      entry.value.accumulator = fn_.CreateAccumulator();
    }
  }

  Fn fn_;
  OperatorContext* context_ = nullptr;
  WindowGate* gate_ = nullptr;
  AggregatePlan plan_;
  int self_ = 0;
  int workers_ = 1;
  std::int64_t now_micros_ = 0;

  Stores stores_;
  Stores slices_;
  Store* current_ = nullptr;  // the store of `current_window_`, which has been admitted
  BoundedWindow current_window_;
  bool current_is_slice_ = false;
  bool current_past_ = false;
  int current_expired_ = 0;
  BoundedWindow lifting_{Timestamp::Max(), Timestamp::Max()};

  Column<std::uint64_t> hashes_;
  std::vector<Lifted> lifted_;
  LiftingPays lifting_pays_;
  std::vector<std::unique_ptr<Batch<PartialRow>>> partials_;  // by worker
  Shuffle<Row> shuffle_;                                      // of elements that are not lifted
  ShardedTable<K, Accumulator> merged_;
  std::vector<ShardedTable<K, Accumulator>> spares_;
  OutputBuffer<OutputRow> output_;
};

}  // namespace millrace::detail
