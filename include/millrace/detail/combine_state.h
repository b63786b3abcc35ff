// How the tables of an aggregation are written into checkpoints and read back; docs/formats/state.md has the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/detail/combine_stores.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

template <class K, class Accumulator>
struct CombineState {
  using Stores = CombineStores<K, Accumulator>;
  static constexpr bool kCodable = StateCodable<K>() && StateCodable<Accumulator>();

  [[gnu::cold]] static StateDescription Describe(bool panes) {
    std::string problem = StateProblem<K>();
    if (problem.empty()) problem = StateProblem<Accumulator>();
    return {.name = "accumulators",
            .layout = KeyedLayout<K>(panes ? "paned" : "keyed", StateLayout<Accumulator>()),
            .problem = std::move(problem)};
  }

  [[gnu::noinline]] static void Save(Stores& stores, bool are_slices, StateWriter& writer, std::size_t state) {
    if constexpr (kCodable) {
      for (auto& [window, store] : stores) {
        const EntryFrame frame = FrameOf(window, are_slices);
        SaveEntries(store.once, frame, writer, state);
        SaveEntries(store.panes, frame, writer, state);
      }
    }
  }

  /// Moves at least `wanted` bytes out of memory, the windows that end first first, and returns how many.
  [[gnu::cold]] static std::size_t Spill(Stores& stores, bool are_slices, Spiller& spiller, std::size_t wanted) {
    std::size_t given = 0;
    for (auto& [window, store] : stores) {
      const EntryFrame frame = FrameOf(window, are_slices);
      if (given < wanted) given += store.once.Spill(spiller, frame, wanted - given);
      if (given < wanted) given += store.panes.Spill(spiller, frame, wanted - given);
    }
    return given;
  }

  /// Keeps the keys whose hashes `owns` takes.
  template <class Owns>
  [[gnu::cold]] static Status Restore(const SavedSection& section, bool panes, Stores& stores, Stores& slices,
                                      Owns&& owns) {
    if constexpr (kCodable) {
      StateDecoder<Accumulator> decoder;
      std::string why;
      if (!decoder.Open(PartsOfKeyedLayout(section.layout).value, &why)) {
        return FailedPreconditionError(std::string(section.origin) + ": " + why);
      }
      std::string_view rest = section.bytes;
      CombineStore<K, Accumulator>* store = nullptr;
      while (!rest.empty()) {
        char tag = 0;
        ReadFixed(&rest, &tag);
        if (tag == kWindowFollows || tag == kSliceFollows) {
          BoundedWindow window;
          if (!ReadState(&rest, &window)) return DamagedSection(section, rest);
          store = &(tag == kSliceFollows ? slices : stores)[window];
          continue;
        }
        K key{};
        Paned<Accumulator> value{};
        if (tag != kEntryFollows || store == nullptr || !ReadState(&rest, &key) ||
            !decoder.Read(&rest, &value.accumulator) || (panes && !ReadPane(&rest, &value.pane))) {
          return DamagedSection(section, rest);
        }
        const std::uint64_t hash = KeyHash(key);
        if (owns(hash)) Put(*store, panes, hash, std::move(key), std::move(value));
      }
    }
    return OkStatus();
  }

  /// Takes every entry as saved, and calls `visit(window, pane)` for those with panes.
  template <class Visit>
  [[gnu::cold]] static void MakeClean(Stores& stores, Visit&& visit) {
    for (auto& [window, store] : stores) {
      store.once.ForEachDirty([](auto&) {});
      store.panes.ForEach([&, &at = window](auto& entry) { visit(at, entry.value.pane); });
      store.panes.ForEachDirty([](auto&) {});
    }
  }
  static void MakeClean(Stores& stores) {
    MakeClean(stores, [](const BoundedWindow&, const PaneCell&) {});
  }

 private:
  static constexpr char kWindowFollows = 'W';
  static constexpr char kSliceFollows = 'S';
  static constexpr char kEntryFollows = 'E';

  static EntryFrame FrameOf(const BoundedWindow& window, bool is_slice) {
    EntryFrame frame{std::string(1, is_slice ? kSliceFollows : kWindowFollows), std::string(1, kEntryFollows)};
    AppendState(window, &frame.header);
    return frame;
  }

  [[gnu::cold]] static void Put(CombineStore<K, Accumulator>& store, bool panes, std::uint64_t hash, K&& key,
                                Paned<Accumulator>&& value) {
    if (panes) {
      auto& entry = store.panes.FindOrInsert(hash, std::move(key), [&store] {
        ++store.keys;
        return Paned<Accumulator>{};
      });
      entry.value = std::move(value);
    } else {
      auto& entry = store.once.FindOrInsert(hash, std::move(key), [&store] {
        ++store.keys;
        return Accumulator{};
      });
      entry.value = std::move(value.accumulator);
    }
  }
};

}  // namespace millrace::detail
