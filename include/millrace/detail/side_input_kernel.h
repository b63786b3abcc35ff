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

/// `Collector` has Element, Value and `static bool Add(Value&, const Element&,
/// std::int64_t already)`, which is false if the element does not fit beside those `already` there.
template <class Collector>
class SideInputKernel final : public SideInputOperator {
 public:
  using T = typename Collector::Element;
  using Value = typename Collector::Value;

  void Attach(SideInputStore& store) override { store_ = &store; }
  SideInputValue Empty() const override { return std::make_shared<const Value>(); }

  void Process(BatchBase& batch, int /*input*/) override {
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
    for (auto it = open_.begin(); it != open_.end();) {
      if (it->first.end > watermark) {
        ++it;
        continue;
      }
      store_->Publish(it->first, std::make_shared<const Value>(std::move(it->second.value)));
      it = open_.erase(it);
    }
    if (context().worker() == 0) store_->CompleteThrough(watermark);
    return watermark;
  }

 private:
  // A later pane replaces what an earlier one gave.
  struct Open {
    Value value{};
    std::int64_t pane = 0;
    std::int64_t elements = 0;
  };

  void Add(const BoundedWindow& window, Batch<T>& rows, std::size_t row) {
    Open& open = open_[window];
    const std::int64_t pane = rows.panes.Of(row).index;
    if (pane > open.pane) open = Open{.value = Value{}, .pane = pane, .elements = 0};
    if (pane < open.pane) return;
    if (!Collector::Add(open.value, rows.values[row], open.elements++)) {
      throw PipelineFailure(FailedPreconditionError(context().label() + ": the side input does not take " +
                                                    DescribeElement(rows.values[row]) + " in window " +
                                                    window.ToString() + ": " + Collector::kRefusal));
    }
  }

  SideInputStore* store_ = nullptr;
  std::map<BoundedWindow, Open> open_;
};

template <class T>
struct SingletonCollector {
  using Element = T;
  using Value = T;
  static constexpr const char* kRefusal = "AsSingleton allows one element per window; combine them first, or use "
                                          "AsIterable";
  static bool Add(Value& value, const T& element, std::int64_t already) {
    value = element;
    return already == 0;
  }
};

template <class T>
struct IterableCollector {
  using Element = T;
  using Value = std::vector<T>;
  static constexpr const char* kRefusal = "";
  static bool Add(Value& value, const T& element, std::int64_t /*already*/) {
    value.push_back(element);
    return true;
  }
};

template <class K, class V>
struct MapCollector {
  using Element = KV<K, V>;
  using Value = std::map<K, V>;
  static constexpr const char* kRefusal = "its key is there already; combine the values per key first";
  static bool Add(Value& value, const Element& element, std::int64_t /*already*/) {
    return value.emplace(element.key, element.value).second;
  }
};

}  // namespace millrace::detail
