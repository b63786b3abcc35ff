// Deduplicate: the first element of each id within an event-time horizon survives.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "millrace/detail/map_kernel.h"
#include "millrace/detail/sharded_table.h"
#include "millrace/detail/shuffle.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

/// An id is forgotten when the watermark has passed the event time of its first element by the horizon, which is an
/// event-time timer for each id, carried out by a sweep: the table is walked each eighth of a horizon.
template <class T, class Id, class F>
class DeduplicateKernel final : public Operator {
 public:
  DeduplicateKernel(F id, Duration horizon) : id_(std::move(id)), horizon_(horizon) {}

  void Open(OperatorContext& context) override {
    Operator::Open(context);
    shuffle_.Open(context);
    spiller_ = context.MakeSpiller();
  }

  void Process(BatchBase& batch, int /*input*/) override {
    auto& rows = static_cast<Batch<T>&>(batch);
    ledger_.units += static_cast<std::int64_t>(rows.size());
    Hash(rows);
    output_.CopyHeader(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (shuffle_.needed() && !shuffle_.Owns(hashes_[row])) {
        shuffle_.Add(rows, row, hashes_[row]);
      } else {
        Check(rows, row);
      }
    }
    Emit();
    shuffle_.ShipFull();
  }

  void ProcessRemote(BatchBase& batch) override {
    auto& rows = static_cast<Batch<T>&>(batch);
    Hash(rows);
    output_.CopyHeader(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) Check(rows, row);
    Emit();
  }

  void FlushRemote() override { shuffle_.ShipAll(); }

  Timestamp AdvanceWatermark(Timestamp watermark) override {
    watermark_ = watermark;
    if (watermark >= next_sweep_) {
      const Timestamp forgotten = watermark - horizon_;
      seen_.EraseIf([forgotten](const auto& entry) { return entry.value < forgotten; });
      next_sweep_ = watermark + std::max(horizon_ / 8, Duration(1));
    }
    return watermark;
  }

  std::vector<StateDescription> States() const override {
    return {{.name = "ids", .layout = KeyedLayout<Id>("keyed", "timestamp"), .problem = StateProblem<Id>()}};
  }
  void SaveState(StateWriter& writer) override {
    if (spiller_ != nullptr) spiller_->Save(writer, 0);
    if constexpr (StateCodable<Id>()) SaveEntries(seen_, {}, writer, 0);
  }
  std::size_t SpillState(std::size_t wanted) override {
    return spiller_ == nullptr ? 0 : seen_.Spill(*spiller_, {}, wanted);
  }
  Status RestoreState(const SavedSection& section) override {
    if constexpr (StateCodable<Id>()) {
      std::string_view rest = section.bytes;
      Id id{};
      Timestamp time;
      while (!rest.empty()) {
        if (!ReadState(&rest, &id) || !ReadState(&rest, &time)) return DamagedSection(section, rest);
        const std::uint64_t hash = KeyHash<Id>(id);
        if (shuffle_.Owns(hash)) seen_.FindOrInsert(hash, id, [] { return Timestamp(); }).value = time;
      }
    }
    return OkStatus();
  }
  void FinishRestore(Timestamp watermark) override {
    seen_.ForEachDirty([](auto&) {});
    if (spiller_ != nullptr) spiller_->Forget();
    AdvanceWatermark(watermark);
  }
  std::size_t StateBytes() const override { return seen_.bytes(); }
  bool EmitsOneEach() const override { return true; }

 private:
  void Hash(Batch<T>& rows) {
    hashes_.Clear();
    std::uint64_t* hash = hashes_.Extend(rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      hash[row] = KeyHash<Id>(std::invoke(id_, std::as_const(rows.values[row])));
      seen_.Prefetch(hash[row]);
    }
  }

  void Check(Batch<T>& rows, std::size_t row) {
    const Timestamp time = rows.timestamps[row];
    bool fresh = false;
    auto& entry = seen_.FindOrInsert(hashes_[row], Id(std::invoke(id_, std::as_const(rows.values[row]))), [&] {
      fresh = true;
      return time;
    });
    if (!fresh) {
      // An id that is forgotten but not swept yet is fresh: what survives must not depend on when the sweep runs.
      if (entry.value >= watermark_ - horizon_) {
        ++duplicates_;
        return;
      }
      entry.value = time;
    }
    if (rows.shared) {
      output_.values.Append(std::as_const(rows.values[row]));
    } else {
      output_.values.Append(std::move(rows.values[row]));
    }
    output_.AppendRow(rows, row);
  }

  void Emit() {
    if (duplicates_ > 0) {
      Add(context().metrics().Cell(MetricKind::kCounter, "duplicates").count, duplicates_);
      ledger_.duplicates += duplicates_;
      duplicates_ = 0;
    }
    ledger_.emitted += static_cast<std::int64_t>(output_.values.size());
    context().output(0).Deliver(output_);
    output_.Clear();
  }

  F id_;
  Duration horizon_;
  Timestamp watermark_ = Timestamp::Min();
  Timestamp next_sweep_ = Timestamp::Min();
  std::int64_t duplicates_ = 0;
  Shuffle<T> shuffle_;
  ShardedTable<Id, Timestamp> seen_;  // the event time of the first element
  std::unique_ptr<Spiller> spiller_;  // null: all state stays in memory
  Column<std::uint64_t> hashes_;
  Batch<T> output_;
};

}  // namespace millrace::detail
