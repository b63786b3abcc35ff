// Gathers a side input's elements on one worker and publishes them per window.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/kv.h"
#include "millrace/detail/element_failure.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

/// Where a collector publishes; the runner shows it to the readers. Thread safe.
class SideInputStore {
 public:
  virtual ~SideInputStore() = default;
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
/// A window's value is fixed when the watermark has passed its end: what comes later is dropped and counted, so that
/// readers see the same value whenever they look.
template <class Collector>
class SideInputKernel final : public SideInputOperator {
 public:
  using T = typename Collector::Element;
  using Value = typename Collector::Value;

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
      if (it->first.end > watermark) {
        ++it;
        continue;
      }
      Publish(it->first, std::make_shared<const Value>(std::move(it->second)));
      it = open_.erase(it);
    }
    if (context().worker() == 0) store_->CompleteThrough(watermark);
    return watermark;
  }

  std::vector<StateDescription> States() const override {
    const std::string layout = "windows<" + StateLayout<Value>() + ">";
    return {{.name = "published", .layout = layout, .problem = StateProblem<Value>()},
            {.name = "open", .layout = layout, .problem = {}, .always_full = true}};
  }
  void SaveState(StateWriter& writer) override {
    if constexpr (StateCodable<Value>()) {
      for (auto& [window, published] : published_) {
        if (published.saved && !writer.full()) continue;
        AppendWindow(window, *published.value, writer.To(kPublished));
        published.saved = true;
      }
      for (const auto& [window, value] : open_) AppendWindow(window, value, writer.To(kOpen));
    }
  }
  Status RestoreState(const SavedSection& section) override {
    if constexpr (StateCodable<Value>()) {
      if (context().worker() != 0) return OkStatus();
      std::string_view rest = section.bytes;
      StateDecoder<Value> decoder;
      std::string why;
      const std::string_view layout = section.layout.substr(8, section.layout.size() - 9);  // within "windows<>"
      if (!decoder.Open(layout, &why)) return FailedPreconditionError(std::string(section.origin) + ": " + why);
      while (!rest.empty()) {
        BoundedWindow window;
        Value value{};
        if (!ReadState(&rest, &window) || !decoder.Read(&rest, &value)) return DamagedSection(section, rest);
        if (section.state == kOpen) {
          open_[window] = std::move(value);
        } else {
          Publish(window, std::make_shared<const Value>(std::move(value)));
          published_[window].saved = true;
        }
      }
    }
    return OkStatus();
  }
  void FinishRestore(Timestamp watermark) override { AdvanceWatermark(watermark); }

 private:
  static constexpr std::size_t kPublished = 0;
  static constexpr std::size_t kOpen = 1;

  // What readers see, kept for checkpoints.
  struct Published {
    std::shared_ptr<const Value> value;
    bool saved = false;  // by a checkpoint
  };

  void Publish(const BoundedWindow& window, std::shared_ptr<const Value> value) {
    published_[window] = {value, false};
    store_->Publish(window, std::move(value));
  }
  static void AppendWindow(const BoundedWindow& window, const Value& value, std::string* out) {
    AppendState(window, out);
    AppendState(value, out);
  }

  void Add(const BoundedWindow& window, Batch<T>& rows, std::size_t row) {
    if (window.end <= watermark_) {
      detail::Add(context().metrics().Cell(MetricKind::kCounter, "late_dropped").count, 1);
      context().RecordLate(window, rows.timestamps[row], &rows.values[row], rows.OriginOf(row));
      ++ledger_.late;
      return;
    }
    const auto [open, fresh] = open_.try_emplace(window);
    if (!Collector::Add(open->second, rows.values[row], fresh, rows.panes.Of(row).index == 0)) {
      throw PipelineFailure(FailedPreconditionError(context().label() + ": the side input does not take " +
                                                    DescribeElement(rows.values[row]) + " in window " +
                                                    window.ToString() + ": " + Collector::kRefusal));
    }
    ++ledger_.taken;
  }

  SideInputStore* store_ = nullptr;
  std::map<BoundedWindow, Value> open_;
  std::map<BoundedWindow, Published> published_;
  Timestamp watermark_ = Timestamp::Min();
};

template <class T>
struct SingletonCollector {
  using Element = T;
  using Value = T;
  static constexpr const char* kRefusal =
      "AsSingleton allows one element per window; combine them first, or use "
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
