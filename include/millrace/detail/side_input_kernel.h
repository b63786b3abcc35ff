// Gathers a side input's elements on one worker and publishes them per window, pane by pane.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/kv.h"
#include "millrace/detail/element_failure.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/pane.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

/// Where a collector publishes; the runner shows it to the readers. Thread safe.
class SideInputStore {
 public:
  virtual ~SideInputStore() = default;
  /// Takes the place of what was published for the window before.
  virtual void Publish(const BoundedWindow& window, SideInputValue value) = 0;
  /// Windows that end at or before `watermark` and were not published are empty.
  virtual void CompleteThrough(Timestamp watermark) = 0;
};

class SideInputOperator : public Operator {
 public:
  virtual void Attach(SideInputStore& store) = 0;
  /// The value for a window without elements.
  virtual SideInputValue Empty() const = 0;
};

/// `Collector` has Element, Value and `static bool Add(Value&, const Element&, bool fresh, bool
/// first_pane)`, where `fresh` means that nothing is there yet; it is false if the element does not fit beside what is
/// there. An element of a later pane replaces what an earlier one gave.
///
/// As in Beam, a window's elements make panes by the trigger of the side input's windowing, and each pane takes the
/// place of the one before: with all that came so far, or, in discarding mode, with what has come since. In batch mode
/// there is one pane, when the watermark has passed the window's end. What comes after the allowed lateness is dropped
/// and counted.
template <class Collector>
class SideInputKernel final : public SideInputOperator {
 public:
  using T = typename Collector::Element;
  using Value = typename Collector::Value;

  explicit SideInputKernel(const WindowingStrategy& windowing) : windowing_(windowing) {}

  void Open(OperatorContext& context) override {
    Operator::Open(context);
    if (context.streaming()) return;
    windowing_.trigger = AfterWatermark{};
    windowing_.allowed_lateness = Duration(0);
  }
  void Attach(SideInputStore& store) override { store_ = &store; }
  SideInputValue Empty() const override { return std::make_shared<const Value>(); }

  void Process(BatchBase& batch, int /*input*/) override {
    ledger_.units += CountInWindows(batch);
    if (context().worker() == 0) return ProcessRemote(batch);
    auto outbox = std::make_unique<Batch<T>>();
    outbox->CopyHeader(batch);
    for (std::size_t row = 0; row < batch.size(); ++row) outbox->CopyRow(batch, row);
    context().Ship(0, std::move(outbox));
  }

  void ProcessRemote(BatchBase& batch) override {
    auto& rows = static_cast<Batch<T>&>(batch);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (rows.windows.many()) {
        rows.windows.fn.ForEachWindow(rows.timestamps[row],
                                      [&](const BoundedWindow& window) { Add(window, rows, row); });
      } else {
        Add(rows.windows.Of(row, rows.timestamps[row]), rows, row);
      }
    }
  }

  Timestamp AdvanceWatermark(Timestamp watermark) override {
    watermark_ = watermark;
    for (auto it = open_.begin(); it != open_.end();) {
      auto& [window, gathering] = *it;
      if (windowing_.trigger.on_time && !gathering.fired_on_time && window.max_timestamp() < watermark) {
        gathering.fired_on_time = true;
        if (gathering.pane.count > 0) Fire(window, gathering);
      }
      const bool expired = windowing_.ExpiryOf(window) < watermark;
      if (expired && gathering.pane.count > 0) Fire(window, gathering);
      it = expired ? open_.erase(it) : std::next(it);
    }
    if (context().worker() == 0) store_->CompleteThrough(watermark);
    return watermark;
  }
  void AdvanceProcessingTime(Timestamp now) override {
    next_deadline_micros_ = kNoDeadline;
    for (auto& [window, gathering] : open_) {
      if (gathering.pane.deadline_micros <= now.micros()) Fire(window, gathering);
      next_deadline_micros_ = std::min(next_deadline_micros_, gathering.pane.deadline_micros);
    }
  }
  Timestamp NextProcessingTime() const override {
    return next_deadline_micros_ == kNoDeadline ? Timestamp::Max() : Timestamp::FromMicros(next_deadline_micros_);
  }

  std::vector<StateDescription> States() const override {
    const std::string layout = "panes<" + StateLayout<Value>() + ">";
    return {{.name = "published", .layout = layout, .problem = StateProblem<Value>()},
            {.name = "open", .layout = layout, .problem = {}, .always_full = true}};
  }
  void SaveState(StateWriter& writer) override {
    if constexpr (StateCodable<Value>()) {
      for (auto& [window, published] : published_) {
        if (published.saved && !writer.full()) continue;
        std::string* out = writer.To(kPublished);
        AppendState(window, out);
        AppendVarint(published.version, out);
        AppendState(*published.value, out);
        published.saved = true;
      }
      for (const auto& [window, gathering] : open_) {
        std::string* out = writer.To(kOpen);
        AppendState(window, out);
        AppendPane(gathering.pane, out);
        out->push_back(static_cast<char>((gathering.fresh ? 1 : 0) | (gathering.fired_on_time ? 2 : 0)));
        AppendState(gathering.value, out);
      }
    }
  }
  Status RestoreState(const SavedSection& section) override {
    if constexpr (StateCodable<Value>()) {
      if (context().worker() != 0) return OkStatus();
      std::string_view rest = section.bytes;
      StateDecoder<Value> decoder;
      std::string why;
      const std::string_view layout = section.layout.substr(6, section.layout.size() - 7);  // within "panes<>"
      if (!decoder.Open(layout, &why)) return FailedPreconditionError(std::string(section.origin) + ": " + why);
      while (!rest.empty()) {
        BoundedWindow window;
        Gathering gathering;
        std::uint64_t version = 0;
        std::uint8_t flags = 0;
        const bool read = ReadState(&rest, &window) &&
                          (section.state == kOpen ? ReadPane(&rest, &gathering.pane) && ReadFixed(&rest, &flags)
                                                  : ReadVarint(&rest, &version)) &&
                          decoder.Read(&rest, &gathering.value);
        if (!read || flags > 3) return DamagedSection(section, rest);
        gathering.fresh = (flags & 1) != 0;
        gathering.fired_on_time = (flags & 2) != 0;
        if (section.state == kOpen) {
          open_[window] = std::move(gathering);
        } else {
          Publish(window, std::make_shared<const Value>(std::move(gathering.value)), version);
          published_[window].saved = true;
        }
      }
    }
    return OkStatus();
  }
  void FinishRestore(Timestamp watermark) override {
    AdvanceWatermark(watermark);
    for (const auto& [window, gathering] : open_) {
      next_deadline_micros_ = std::min(next_deadline_micros_, gathering.pane.deadline_micros);
    }
  }

 private:
  static constexpr std::size_t kPublished = 0;
  static constexpr std::size_t kOpen = 1;

  // What readers see, kept for checkpoints. The version is the number of the pane, from 1.
  struct Published {
    std::shared_ptr<const Value> value;
    std::uint64_t version = 0;
    bool saved = false;  // by a checkpoint
  };
  // A window that may still make a pane.
  struct Gathering {
    Value value{};
    PaneCell pane;
    bool fresh = true;  // nothing is in `value`
    bool fired_on_time = false;
  };

  void Publish(const BoundedWindow& window, std::shared_ptr<const Value> value, std::uint64_t version) {
    published_[window] = {value, version, false};
    store_->Publish(window, std::move(value));
  }
  void Fire(const BoundedWindow& window, Gathering& gathering) {
    gathering.pane.Fire(PaneInfo::Timing::kUnknown, false);
    const auto version = static_cast<std::uint64_t>(gathering.pane.index);
    if (windowing_.accumulation_mode == AccumulationMode::kAccumulating) {
      return Publish(window, std::make_shared<const Value>(gathering.value), version);
    }
    Publish(window, std::make_shared<const Value>(std::move(gathering.value)), version);
    gathering.value = Value{};
    gathering.fresh = true;
  }

  void Add(const BoundedWindow& window, Batch<T>& rows, std::size_t row) {
    if (windowing_.ExpiryOf(window) < watermark_) {
      detail::Add(context().metrics().Cell(MetricKind::kCounter, "late_dropped").count, 1);
      context().RecordLate(window, rows.timestamps[row], &rows.values[row], rows.OriginOf(row));
      ++ledger_.late;
      return;
    }
    Gathering& gathering = open_[window];
    if (!Collector::Add(gathering.value, rows.values[row], gathering.fresh, rows.panes.Of(row).index == 0)) {
      throw PipelineFailure(FailedPreconditionError(context().label() + ": the side input does not take " +
                                                    DescribeElement(rows.values[row]) + " in window " +
                                                    window.ToString() + ": " + Collector::kRefusal));
    }
    ++ledger_.taken;
    gathering.fresh = false;
    const bool past = window.max_timestamp() < watermark_;
    gathering.fired_on_time = gathering.fired_on_time || past;
    if (gathering.pane.Add(windowing_.trigger, past, 1, context().processing_time().micros())) {
      Fire(window, gathering);
    } else {
      next_deadline_micros_ = std::min(next_deadline_micros_, gathering.pane.deadline_micros);
    }
  }

  WindowingStrategy windowing_;
  SideInputStore* store_ = nullptr;
  std::map<BoundedWindow, Gathering> open_;
  std::map<BoundedWindow, Published> published_;
  Timestamp watermark_ = Timestamp::Min();
  std::int64_t next_deadline_micros_ = kNoDeadline;
};

template <class T>
struct SingletonCollector {
  using Element = T;
  using Value = T;
  static constexpr const char* kRefusal =
      "AsSingleton allows one element per window and pane; combine them first, or use "
      "AsIterable";
  static bool Add(Value& value, const T& element, bool fresh, bool first_pane) {
    value = element;
    return fresh || !first_pane;
  }
};

template <class T>
struct IterableCollector {
  using Element = T;
  using Value = std::vector<T>;
  static constexpr const char* kRefusal = "";
  static bool Add(Value& value, const T& element, bool /*fresh*/, bool /*first_pane*/) {
    value.push_back(element);
    return true;
  }
};

template <class K, class V>
struct MapCollector {
  using Element = KV<K, V>;
  using Value = std::map<K, V>;
  static constexpr const char* kRefusal = "its key is there already; combine the values per key first";
  static bool Add(Value& value, const Element& element, bool /*fresh*/, bool first_pane) {
    return value.insert_or_assign(element.key, element.value).second || !first_pane;
  }
};

}  // namespace millrace::detail
