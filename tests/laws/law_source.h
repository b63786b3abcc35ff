// A source for laws: elements in partitions, each partition in a given order, dealt out as restrictions.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/millrace.h"
#include "millrace/runner/rocksdb_state.h"

namespace millrace::laws {

struct Event {
  std::int64_t key = 0;
  std::int64_t value = 0;
  Timestamp at;
};

using Partition = std::vector<Event>;

/// Reads each partition as one restriction. Event times come with the elements.
struct EventSource {
  using Element = Event;

  std::shared_ptr<const std::vector<Partition>> partitions;
  bool endless = false;  // as if they were partitions of a log; each ends all the same

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    std::vector<Restriction> restrictions;
    for (std::size_t i = 0; i < partitions->size(); ++i) {
      Restriction restriction{.partition = std::to_string(i), .from = 0};
      if (!endless) restriction.to = static_cast<std::int64_t>((*partitions)[i].size());
      restrictions.push_back(restriction);
    }
    return restrictions;
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Event>& out) {
    const Partition& events = (*partitions)[std::stoul(tracker.partition())];
    const auto count = static_cast<std::int64_t>(events.size());
    for (std::int64_t i = tracker.from(); i < count && tracker.TryClaim(i); ++i) {
      out.Emit(events[static_cast<std::size_t>(i)], events[static_cast<std::size_t>(i)].at);
    }
    return ProcessContinuation::Stop();
  }
};

/// How an input is spread and how a pipeline runs; all of it must make no difference to the result.
struct Chance {
  explicit Chance(std::uint64_t seed) : random(seed) {}

  /// Events over about an hour, in up to six partitions, each out of order by at most `disorder`.
  std::shared_ptr<const std::vector<Partition>> Events(std::int64_t count, std::int64_t keys, Duration disorder) {
    auto partitions = std::make_shared<std::vector<Partition>>(random.Below(6) + 1);
    const Timestamp start = Timestamp::FromSeconds(random.Between(-2'000, 2'000));
    for (std::int64_t i = 0; i < count; ++i) {
      const Event event{.key = random.Between(0, keys - 1),
                        .value = random.Between(-1'000, 1'000),
                        .at = start + Duration(random.Between(0, 3'600'000'000))};
      (*partitions)[random.Below(partitions->size())].push_back(event);
    }
    // Sorted by a time that is moved ahead by at most the disorder: what comes after an event is at most so much older.
    for (Partition& partition : *partitions) {
      std::vector<std::pair<Timestamp, Event>> order;
      for (const Event& event : partition) {
        order.emplace_back(event.at + Duration(random.Between(0, disorder.count())), event);
      }
      std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      for (std::size_t i = 0; i < order.size(); ++i) partition[i] = order[i].second;
    }
    return partitions;
  }

  RunOptions Options(bool streaming) {
    RunOptions options;
    options.streaming = streaming;
    options.threads = static_cast<int>(random.Between(1, 8));
    options.bundle_elements = random.Between(1, 1'000);
    options.queue_batches = static_cast<int>(random.Between(1, 4));
    if (random.Chance(0.3)) options.state = SmallMemory();
    return options;
  }
  /// State has to leave memory: all of it after each bundle, or some.
  StateOptions SmallMemory() {
    constexpr std::int64_t kBytes[] = {1, 20'000, 500'000};
    static std::atomic<int> made{0};
    const std::string name = "millrace-state-" + std::to_string(::getpid()) + "-" + std::to_string(made++);
    return RocksdbState({.folder = (std::filesystem::temp_directory_path() / name).string(),
                         .memory_bytes = kBytes[random.Below(std::size(kBytes))]});
  }
  WindowFn Windows() {
    const std::int64_t size = random.Between(1, 1'500) * 1'000'000;
    const Duration offset(random.Between(0, 600'000'000));
    switch (random.Below(3)) {
      case 0: return GlobalWindows{};
      case 1: return FixedWindows{Duration(size), offset};
      default: {
        // At most about 20 windows per element; sometimes a period that does not divide the size.
        const std::int64_t period =
            random.Chance(0.5) ? size / random.Between(1, 10) : random.Between(size / 20 + 1, size);
        return SlidingWindows{Duration(period * (size / period)), Duration(period), offset};
      }
    }
  }

  base::Random random;
};

inline std::string Describe(const RunOptions& options) {
  return std::string(options.streaming ? "streaming" : "batch") + ", " + std::to_string(options.threads) +
         " threads, bundles of " + std::to_string(options.bundle_elements) + ", queues of " +
         std::to_string(options.queue_batches) +
         (options.state.backend == StateBackend::kMemory
              ? ""
              : ", state of " + std::to_string(options.state.memory_bytes) + " bytes in memory");
}

}  // namespace millrace::laws
