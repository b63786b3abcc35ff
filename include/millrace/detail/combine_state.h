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

  [[gnu::noinline]] static void Save(Stores& stores, bool are_slices, bool panes, StateWriter& writer,
                                     std::size_t state) {
    if constexpr (kCodable) {
      for (auto& [window, store] : stores) {
        std::string* named = writer.To(state);
        named->push_back(are_slices ? kSliceFollows : kWindowFollows);
        AppendState(window, named);
        if (panes) {
          store.panes.ForEachSaving(writer.full(), [&](const auto& entry) {
            std::string* out = AppendEntry(entry.key, entry.value.accumulator, writer, state);
            AppendPane(entry.value.pane, out);
          });
        } else {
          store.once.ForEachSaving(writer.full(),
                                   [&](const auto& entry) { AppendEntry(entry.key, entry.value, writer, state); });
        }
      }
    }
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
      store.panes.ForEachDirty([&, &at = window](auto& entry) { visit(at, entry.value.pane); });
    }
  }
  static void MakeClean(Stores& stores) {
    MakeClean(stores, [](const BoundedWindow&, const PaneCell&) {});
  }

 private:
  static constexpr char kWindowFollows = 'W';
  static constexpr char kSliceFollows = 'S';
  static constexpr char kEntryFollows = 'E';

  [[gnu::noinline]] static std::string* AppendEntry(const K& key, const Accumulator& accumulator, StateWriter& writer,
                                                    std::size_t state) {
    std::string* out = writer.To(state);
    out->push_back(kEntryFollows);
    AppendState(key, out);
    AppendState(accumulator, out);
    return out;
  }

  [[gnu::noinline]] static void AppendPane(const PaneCell& pane, std::string* out) {
    AppendVarint(static_cast<std::uint64_t>(pane.count), out);
    AppendFixed(pane.deadline_micros, out);
    AppendVarint(static_cast<std::uint64_t>(pane.index), out);
    AppendVarint(static_cast<std::uint64_t>(pane.nonspeculative_index) << 1 | (pane.all_late ? 1U : 0U), out);
  }

  [[gnu::cold]] static bool ReadPane(std::string_view* in, PaneCell* pane) {
    constexpr std::uint64_t kIndexMax = 0x3fff'ffff;
    std::uint64_t count = 0;
    std::uint64_t index = 0;
    std::uint64_t rest = 0;
    if (!ReadVarint(in, &count) || !ReadFixed(in, &pane->deadline_micros) || !ReadVarint(in, &index) ||
        !ReadVarint(in, &rest) || index > kIndexMax || rest >> 1 > kIndexMax || count >> 63 != 0) {
      return false;
    }
    pane->count = static_cast<std::int64_t>(count);
    pane->index = static_cast<std::int32_t>(index);
    pane->nonspeculative_index = static_cast<std::int32_t>(rest >> 1) & 0x3fff'ffff;
    pane->all_late = (rest & 1) != 0;
    return true;
  }

  [[gnu::cold]] static void Put(CombineStore<K, Accumulator>& store, bool panes, std::uint64_t hash, K&& key,
                                Paned<Accumulator>&& value) {
    if (panes) {
      auto& entry = store.panes.FindOrInsert(hash, std::move(key), [] { return Paned<Accumulator>{}; });
      entry.value = std::move(value);
    } else {
      auto& entry = store.once.FindOrInsert(hash, std::move(key), [] { return Accumulator{}; });
      entry.value = std::move(value.accumulator);
    }
  }
};

}  // namespace millrace::detail
