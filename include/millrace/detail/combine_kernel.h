// The combine table: the hot path of every aggregation. A batch's keys are hashed, a key of another worker goes on its
// way (`combine_outbound.h`), and a key of one's own goes into the table of its window or slice.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "millrace/detail/aggregate.h"
#include "millrace/detail/combine_outbound.h"
#include "millrace/detail/combine_output.h"
#include "millrace/detail/combine_row.h"
#include "millrace/detail/combine_state.h"
#include "millrace/detail/combine_stores.h"

namespace millrace::detail {

/// `Fn` has Beam's four calls over `V`. `kLift`: accumulators are smaller than the elements they stand for, so they are
/// built before the shuffle.
template <class K, class V, class Fn, bool kLift>
class CombineKernel final : public AggregateKernel {
 public:
  using Rows = CombineRow<K, V>;
  using Row = typename Rows::Row;
  using Accumulator = decltype(std::declval<const Fn&>().CreateAccumulator());
  using OutputRow = typename CombineOutput<K, Fn>::Row;
  using PartialRow = Partial<K, Accumulator>;
  static constexpr bool kGlobally = Rows::kGlobally;

  explicit CombineKernel(Fn fn) : fn_(std::move(fn)), outbound_(fn_), output_(fn_) {}

  [[gnu::cold]] void Open(OperatorContext& context, const AggregatePlan& plan, WindowGate& gate) override {
    context_ = &context;
    plan_ = plan;
    gate_ = &gate;
    self_ = context.worker();
    workers_ = context.workers();
    output_.Open(context.output(0));
    if (workers_ > 1) outbound_.Open(context, plan, gate);
    spiller_ = context.MakeSpiller();
  }

  void Add(BatchBase& batch) override {
    auto& rows = static_cast<Batch<Row>&>(batch);
    Hash(rows);
    now_micros_ = plan_.panes ? context_->processing_time().micros() : 0;
    if (workers_ == 1) {
      AddRows<false>(rows);
    } else {
      AddRows<true>(rows);
      outbound_.ShipFull();
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

  void FlushRemote(Timestamp watermark) override {
    if (workers_ > 1) outbound_.ShipDue(watermark);
  }

  void FireOnce(const BoundedWindow& window, std::span<const BoundedWindow> slices) override {
    if (slices.empty()) {
      const auto found = stores_.find(window);
      if (found == stores_.end()) return;
      LoseKeys(found->second.keys - output_.EmitAll(found->second.once, window));
      spares_.Keep(std::move(found->second.once));
      Drop(window);
      return;
    }
    std::int64_t keys = CloseUnits(stores_, window);
    for (const BoundedWindow& slice : slices) keys += CloseUnits(slices_, slice);
    if (spiller_ != nullptr) {
      for (int shard = 0; shard < kShards; ++shard) keys -= EmitMerged(window, slices, shard);
    } else {
      keys -= EmitMerged(window, slices, kAllShards);
    }
    LoseKeys(keys);
    stores_.erase(window);
  }

  void FirePanes(const BoundedWindow& window, FiringReason reason, bool is_last) override {
    const auto found = stores_.find(window);
    if (found == stores_.end()) return;
    const bool past = gate_->PastOnTime(window);
    now_micros_ = context_->processing_time().micros();
    std::int64_t next_deadline = kNoDeadline;
    std::int64_t keys = found->second.keys;
    found->second.panes.ForEachChanging([&](auto& entry) {
      --keys;
      PaneCell& pane = entry.value.pane;
      const bool fire = reason == FiringReason::kOnTime     ? true
                        : reason == FiringReason::kDeadline ? pane.deadline_micros <= now_micros_
                                                            : pane.count > 0;
      if (fire) {
        const auto timing =
            reason == FiringReason::kOnTime ? PaneInfo::Timing::kOnTime : pane.TimingOf(plan_.windowing.trigger, past);
        output_.EmitPane(entry, window, timing, is_last, plan_.windowing.accumulation_mode);
        if (output_.full()) FlushOutput();
      } else if (pane.deadline_micros < next_deadline) {
        next_deadline = pane.deadline_micros;
      }
      return fire;
    });
    LoseKeys(keys);
    FlushOutput();
    if (next_deadline != kNoDeadline) gate_->SetDeadline(window, next_deadline);
  }

  void Drop(const BoundedWindow& window) override {
    CloseUnits(stores_, window);
    stores_.erase(window);
    if (const auto slice = slices_.find(window); slice != slices_.end()) {
      spares_.Keep(std::move(slice->second.once));
      slices_.erase(slice);
    }
    current_ = nullptr;
  }
  void ForgetAdmissions() override { current_ = nullptr; }

  [[gnu::cold]] std::vector<TableContent> Contents() const override {
    std::vector<TableContent> contents;
    for (const auto& [window, store] : stores_) contents.push_back({window, false, store.units, store.keys});
    for (const auto& [slice, store] : slices_) contents.push_back({slice, true, store.units, store.keys});
    return contents;
  }
  [[gnu::cold]] void AddUnits(const BoundedWindow& window, bool is_slice, std::int64_t units) override {
    (is_slice ? slices_ : stores_)[window].units += units;
  }

  [[gnu::cold]] void EmitDefault() override { output_.EmitDefault(); }

  void FlushOutput() override { output_.Flush(); }

  std::size_t StateBytes() const override {
    std::size_t sum = 0;
    for (const auto& [window, store] : stores_) sum += store.once.bytes() + store.panes.bytes();
    for (const auto& [window, store] : slices_) sum += store.once.bytes();
    return sum;
  }

  [[gnu::cold]] StateDescription DescribeState() const override { return State::Describe(plan_.panes); }
  void SaveState(StateWriter& writer, std::size_t state) override {
    if (spiller_ != nullptr) spiller_->Save(writer, state);
    State::Save(stores_, false, writer, state);
    State::Save(slices_, true, writer, state);
  }
  [[gnu::cold]] std::size_t SpillState(std::size_t wanted) override {
    if (spiller_ == nullptr) return 0;
    const std::size_t given = State::Spill(stores_, false, *spiller_, wanted);
    return given >= wanted ? given : given + State::Spill(slices_, true, *spiller_, wanted - given);
  }
  [[gnu::cold]] Status RestoreState(const SavedSection& section) override {
    return State::Restore(section, plan_.panes, stores_, slices_,
                          [this](std::uint64_t hash) { return OwnerOf(hash, workers_) == self_; });
  }
  [[gnu::cold]] void FinishRestore() override {
    const auto closed = [this](bool is_slice) {
      return [this, is_slice](const auto& store) { return !gate_->IsOpen(store.first, is_slice); };
    };
    std::erase_if(stores_, closed(false));
    std::erase_if(slices_, closed(true));
    State::MakeClean(slices_);
    State::MakeClean(stores_, [this](const BoundedWindow& window, const PaneCell& pane) {
      if (pane.deadline_micros != kNoDeadline) gate_->SetDeadline(window, pane.deadline_micros);
    });
    if (spiller_ != nullptr) spiller_->Forget();
    current_ = nullptr;
  }

 private:
  static constexpr int kAllShards = -1;
  using Store = CombineStore<K, Accumulator>;
  using Stores = CombineStores<K, Accumulator>;
  using State = CombineState<K, Accumulator>;

  void Hash(Batch<Row>& rows) {
    if constexpr (!kGlobally) {
      const std::size_t count = rows.size();
      hashes_.Clear();
      std::uint64_t* hash = hashes_.Extend(count);
      for (std::size_t i = 0; i < count; ++i) hash[i] = KeyHash(rows.values[i].key);
    }
  }
  // The table of the current window will be asked for these rows.
  template <bool kShuffle>
  void Prefetch(std::size_t count) const {
    if constexpr (!kGlobally) {
      if (current_ == nullptr || !current_->once.large()) return;
      for (std::size_t n = 0; n < count; ++n) current_->once.Prefetch(hashes_[kShuffle ? own_[n] : n]);
    }
  }
  std::uint64_t HashAt(std::size_t index) const {
    if constexpr (kGlobally) {
      return KeyHash(SingleKey{});
    } else {
      return hashes_[index];
    }
  }

  // Lists one's own rows and those of others, without a branch per row that nobody can predict.
  void Divide(std::size_t count) {
    own_.Clear();
    away_.Clear();
    std::uint32_t* own = own_.Extend(count);
    std::uint32_t* away = away_.Extend(count);
    std::size_t owned = 0;
    for (std::size_t i = 0; i < count; ++i) {
      own[owned] = static_cast<std::uint32_t>(i);
      away[i - owned] = static_cast<std::uint32_t>(i);
      owned += OwnerOf(HashAt(i), workers_) == self_ ? 1 : 0;
    }
    own_.Truncate(owned);
    away_.Truncate(count - owned);
  }

  template <bool kShuffle>
  void AddRows(Batch<Row>& rows) {
    if constexpr (kGlobally) {
      if (!plan_.panes && !rows.windows.many()) return AddGlobally<kShuffle>(rows);
    }
    if constexpr (kShuffle) {
      Divide(rows.size());
      outbound_.Add(rows, hashes_, away_);
    }
    const std::size_t count = kShuffle ? own_.size() : rows.size();
    Prefetch<kShuffle>(count);
    if (rows.windows.kind == WindowColumn::Kind::kImplicit && (!rows.windows.many() || plan_.slice_micros > 0)) {
      return AddByTime<kShuffle>(rows);
    }
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t i = kShuffle ? own_[n] : n;
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
        outbound_.AddRun(rows, i, end, window);
        i = end;
        continue;
      }
      if ((current_ == nullptr || current_window_ != window || current_is_slice_) && !Seek(window)) {
        for (; i < end; ++i) DropLate(rows, i, window, false);
        continue;
      }
      auto& entry = current_->once.FindOrInsert(HashAt(i), SingleKey{}, [this] { return NewAccumulator(); });
      current_->units += static_cast<std::int64_t>(end - i);
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
    const std::size_t count = kShuffle ? own_.size() : rows.size();
    const bool slices = rows.windows.fn.assigns_many();
    const WindowFn& fn = rows.windows.fn;
    std::size_t counted = 0;  // rows whose tables know of them
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t i = kShuffle ? own_[n] : n;
      const Timestamp time = rows.timestamps[i];
      if (current_ == nullptr || current_is_slice_ != slices ||
          !(current_window_.start <= time && time < current_window_.end)) [[unlikely]] {
        if (current_ != nullptr) current_->units += static_cast<std::int64_t>(n - counted);
        counted = n;
        if (slices && fn.NearEndsOfTime(time)) {
          fn.ForEachWindow(time, [&](const BoundedWindow& window) { AddInWindow(rows, i, window); });
          ++counted;
          continue;
        }
        const BoundedWindow window = slices ? SliceAt(fn, plan_.slice_micros, time) : fn.At(fn.LastStart(time));
        if (slices ? !SeekSlice(window) : !Seek(window)) {
          DropLate(rows, i, window, slices);
          ++counted;
          continue;
        }
      }
      if (current_expired_ > 0) DropLate(rows, i, current_window_, true);
      AddValue(HashAt(i), rows.values[i]);
    }
    if (current_ != nullptr) current_->units += static_cast<std::int64_t>(count - counted);
  }

  [[gnu::noinline]] void AddInWindow(Batch<Row>& rows, std::size_t index, const BoundedWindow& window) {
    if (current_ == nullptr || current_window_ != window || current_is_slice_) {
      if (!Seek(window)) return DropLate(rows, index, window, false);
    }
    ++current_->units;
    AddValue(HashAt(index), rows.values[index]);
  }

  void AddValue(std::uint64_t hash, const Row& row) {
    if (plan_.panes) [[unlikely]] {
      AddToPane(hash, row);
    } else {
      auto& entry = current_->once.FindOrInsert(hash, Rows::KeyOf(row), [this] { return NewAccumulator(); });
      fn_.AddInput(entry.value, Rows::ValueOf(row));
    }
  }

  [[gnu::noinline]] void AddToPane(std::uint64_t hash, const Row& row) {
    auto& entry = PaneOf(hash, Rows::KeyOf(row));
    fn_.AddInput(entry.value.accumulator, Rows::ValueOf(row));
    Touch(entry, 1);
  }
  [[gnu::noinline]] auto& PaneOf(std::uint64_t hash, const K& key) {
    return current_->panes.FindOrInsert(hash, key, [this] { return Paned<Accumulator>{NewAccumulator(), {}}; });
  }

  // Elements have been added to a key of the current window.
  template <class Entry>
  [[gnu::noinline]] void Touch(Entry& entry, std::int64_t elements) {
    const Trigger& trigger = plan_.windowing.trigger;
    PaneCell& pane = entry.value.pane;
    if (pane.Add(trigger, current_past_, elements, now_micros_)) {
      output_.EmitPane(entry, current_window_, pane.TimingOf(trigger, current_past_), false,
                       plan_.windowing.accumulation_mode);
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
        const bool open = row.is_slice ? SeekSlice(window) : Seek(window);
        if (!open || current_expired_ > 0) throw PipelineFailure(LatePartial(*context_, window));
      }
      current_->units += row.count;
      if (plan_.panes) {
        auto& entry = PaneOf(row.hash, row.key);
        fn_.MergeAccumulators(entry.value.accumulator, row.accumulator);
        Touch(entry, row.count);
      } else {
        bool fresh = false;
        auto& entry = current_->once.FindOrInsert(row.hash, std::move(row.key), [&] {
          fresh = true;
          ++current_->keys;
          return std::move(row.accumulator);
        });
        if (!fresh) fn_.MergeAccumulators(entry.value, row.accumulator);
      }
    }
  }

  [[gnu::cold]] void DropLate(const Batch<Row>& rows, std::size_t index, const BoundedWindow& window, bool is_slice) {
    gate_->DropLate(window, is_slice, rows.timestamps[index], &rows.values[index], rows.OriginOf(index));
  }

  // Of a key that is new in the current window.
  Accumulator NewAccumulator() {
    ++current_->keys;
    return fn_.CreateAccumulator();
  }
  // The elements of a window or slice belong to a window that closes now; gives the number of its keys.
  std::int64_t CloseUnits(const Stores& stores, const BoundedWindow& window) {
    const auto found = stores.find(window);
    if (found == stores.end()) return 0;
    counts_.closed += found->second.units;
    return found->second.keys;
  }
  void LoseKeys(std::int64_t difference) { counts_.keys_lost += difference < 0 ? -difference : difference; }

  // Makes `window` the current one; false if it has expired.
  [[gnu::noinline]] bool Seek(const BoundedWindow& window) {
    if (!gate_->Admit(window)) return false;
    current_ = &spares_.StoreOf(stores_, window);
    current_window_ = window;
    current_is_slice_ = false;
    current_expired_ = 0;
    current_past_ = plan_.panes && gate_->PastOnTime(window);
    return true;
  }

  [[gnu::noinline]] bool SeekSlice(const BoundedWindow& slice) {
    int expired = 0;
    if (gate_->AdmitSlice(slice, &expired) == 0) return false;
    current_ = &spares_.StoreOf(slices_, slice);
    current_window_ = slice;
    current_is_slice_ = true;
    current_expired_ = expired;
    return true;
  }

  // Where state may be outside memory, it is merged shard by shard: all of it need not fit.
  // Gives the number of entries that were merged.
  [[gnu::noinline]] std::int64_t EmitMerged(const BoundedWindow& window, std::span<const BoundedWindow> slices,
                                            int shard) {
    std::int64_t keys = 0;
    for (const BoundedWindow& slice : slices) keys += MergeIn(slices_, slice, shard);
    keys += MergeIn(stores_, window, shard);
    output_.EmitAll(merged_, window);
    merged_.Reset();
    return keys;
  }
  [[gnu::noinline]] std::int64_t MergeIn(Stores& stores, const BoundedWindow& from, int shard) {
    const auto found = stores.find(from);
    if (found == stores.end()) return 0;
    std::int64_t keys = 0;
    const auto merge = [this, &keys](auto& entry) {
      ++keys;
      auto& merged = merged_.FindOrInsert(KeyHash(entry.key), entry.key, [this] { return fn_.CreateAccumulator(); });
      fn_.MergeAccumulators(merged.value, entry.value);
    };
    shard == kAllShards ? found->second.once.ForEach(merge) : found->second.once.ForEachOfShard(shard, merge);
    return keys;
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

  Column<std::uint64_t> hashes_;
  Column<std::uint32_t> own_;   // of the batch at hand
  Column<std::uint32_t> away_;  // the other rows
  CombineOutbound<K, V, Fn, kLift> outbound_;
  ShardedTable<K, Accumulator> merged_;
  SpareTables<K, Accumulator> spares_;
  CombineOutput<K, Fn> output_;
  std::unique_ptr<Spiller> spiller_;  // null: all state stays in memory
};

}  // namespace millrace::detail
