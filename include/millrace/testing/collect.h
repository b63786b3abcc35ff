// Collects what a PCollection holds, with timestamps, windows and panes, for tests of pipelines.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "millrace/millrace.h"

namespace millrace::testing {

template <class T>
struct Collected {
  T value;
  Timestamp timestamp;
  BoundedWindow window;
  PaneInfo pane;
};

/// Filled while the pipeline runs.
template <class T>
struct Collection {
  mutable std::mutex mutex;
  std::vector<Collected<T>> elements;

  /// What has come since the last call. Thread safe.
  std::vector<Collected<T>> Take() {
    const std::lock_guard lock(mutex);
    return std::exchange(elements, {});
  }
  /// How much is there now. Thread safe.
  std::size_t size() const {
    const std::lock_guard lock(mutex);
    return elements.size();
  }

  std::vector<T> values() const {
    std::vector<T> all;
    for (const auto& element : elements) all.push_back(element.value);
    return all;
  }
};

template <class T>
struct CollectInto {
  std::shared_ptr<Collection<T>> collection;
  void ProcessElement(const T& value, Timestamp time, BoundedWindow window, PaneInfo pane) const {
    const std::lock_guard lock(collection->mutex);
    collection->elements.push_back({value, time, window, pane});
  }
};

/// `auto seen = Collect(pc);` then run, then look at `seen->elements`.
template <class T>
std::shared_ptr<Collection<T>> Collect(const PCollection<T>& pcollection, const std::string& label = "Collect") {
  auto collection = std::make_shared<Collection<T>>();
  pcollection.Apply(label, ParDo(CollectInto<T>{collection}));
  return collection;
}

}  // namespace millrace::testing
