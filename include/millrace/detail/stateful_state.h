// What a stateful ParDo keeps per key and window, and how it is written into checkpoints and read back;
// docs/formats/state.md has the bytes. A state cell or timer is found again by its name.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "millrace/core/dofn.h"
#include "millrace/detail/dofn_traits.h"
#include "millrace/detail/saved_state.h"
#include "millrace/detail/sharded_table.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

template <class List>
struct CellsOf;
template <class... S>
struct CellsOf<TypeList<S...>> {
  std::tuple<StateCell<typename S::Value>...> cells;
};

template <class K, class States, class Timers>
struct StatefulState;
template <class K, class... S, class... T>
struct StatefulState<K, TypeList<S...>, TypeList<T...>> {
  /// Which timers are in processing time; one more, so that it is never empty.
  static constexpr std::array<bool, sizeof...(T) + 1> kIsProcessing{T::domain() == TimeDomain::kProcessingTime...,
                                                                    false};
  static constexpr bool kAnyProcessing = ((T::domain() == TimeDomain::kProcessingTime) || ...);
  struct NoStamps {};

  struct KeyState {
    CellsOf<TypeList<S...>> cells;
    std::array<Timestamp, sizeof...(T) + 1> timers;  // Max(): not set
    /// Of timers in processing time: the timestamp of the element that set them.
    [[no_unique_address]] std::conditional_t<kAnyProcessing, std::array<Timestamp, sizeof...(T) + 1>, NoStamps>
        stamps{};
    KeyState() { timers.fill(Timestamp::Max()); }
    std::span<const Timestamp> TimersInUse() const { return std::span(timers).first(sizeof...(T)); }

    static constexpr bool kCodable = (StateCodable<typename S::Value>() && ...);
    void AppendTo(std::string* out) const {
      std::apply([out](const auto&... cell) { (AppendState(cell.value, out), ...); }, cells.cells);
      for (std::size_t timer = 0; timer < sizeof...(T); ++timer) {
        AppendState(timers[timer], out);
        if constexpr (kAnyProcessing) {
          if (kIsProcessing[timer]) AppendState(stamps[timer], out);
        }
      }
    }
    bool ReadFrom(std::string_view* in) {
      bool read = std::apply([in](auto&... cell) { return (ReadState(in, &cell.value) && ...); }, cells.cells);
      for (std::size_t timer = 0; timer < sizeof...(T); ++timer) read = read && ReadTimer(in, timer);
      return read;
    }
    bool ReadTimer(std::string_view* in, std::size_t timer) {
      if (!ReadState(in, &timers[timer])) return false;
      if constexpr (kAnyProcessing) return !kIsProcessing[timer] || ReadState(in, &stamps[timer]);
      return true;
    }
  };
  static constexpr bool kCodable = StateCodable<K>() && KeyState::kCodable;

  static StateDescription Describe() {
    std::string fields;
    const auto add = [&fields](const std::string& name, const std::string& layout) {
      fields.append(fields.empty() ? "" : ",").append(1, '"').append(name).append("\":").append(layout);
    };
    (add(std::string(S::name()), StateLayout<std::optional<typename S::Value>>()), ...);
    (add(TimerField(T::name(), T::domain()), TimerLayout(T::domain())), ...);
    std::string problem = StateProblem<K>();
    ((problem += problem.empty() ? StateProblem<typename S::Value>() : ""), ...);
    return {.name = "cells", .layout = KeyedLayout<K>("keyed", "{" + fields + "}"), .problem = std::move(problem)};
  }

  static void Save(const BoundedWindow& window, ShardedTable<K, KeyState>& table, StateWriter& writer) {
    if constexpr (kCodable) SaveEntries(table, FrameOf(window), writer, 0);
  }
  static EntryFrame FrameOf(const BoundedWindow& window) {
    EntryFrame frame{std::string(1, kWindowFollows), std::string(1, kEntryFollows)};
    AppendState(window, &frame.header);
    return frame;
  }

  /// Calls `put(window, K&&, KeyState&&)` for each entry.
  template <class Put>
  static Status Restore(const SavedSection& section, Put&& put) {
    if constexpr (kCodable) {
      std::vector<FieldReader> fields;
      for (const auto& [name, layout] : PartsOfKeyedLayout(section.layout).fields) {
        FieldReader reader = ReaderOf(name, layout, std::index_sequence_for<S...>{});
        if (reader == nullptr) {
          return FailedPreconditionError(std::string(section.origin) + ": there is no \"" + name + "\" as " + layout +
                                         " any more");
        }
        fields.push_back(std::move(reader));
      }
      std::string_view rest = section.bytes;
      BoundedWindow window;
      while (!rest.empty()) {
        char tag = 0;
        ReadFixed(&rest, &tag);
        if (tag == kWindowFollows && ReadState(&rest, &window)) continue;
        K key{};
        if (tag != kEntryFollows || !ReadState(&rest, &key)) return DamagedSection(section, rest);
        KeyState state;
        for (const FieldReader& field : fields) {
          if (!field(&rest, &state)) return DamagedSection(section, rest);
        }
        put(window, std::move(key), std::move(state));
      }
    }
    return OkStatus();
  }

 private:
  using FieldReader = std::function<bool(std::string_view*, KeyState*)>;
  static constexpr char kWindowFollows = 'W';
  static constexpr char kEntryFollows = 'E';

  static std::string TimerField(std::string_view name, TimeDomain domain) {
    return (domain == TimeDomain::kProcessingTime ? "processing timer " : "timer ") + std::string(name);
  }
  static const char* TimerLayout(TimeDomain domain) {
    return domain == TimeDomain::kProcessingTime ? "(timestamp,timestamp)" : "timestamp";
  }

  // How a field of that name is read, or null.
  template <std::size_t... kAt>
  static FieldReader ReaderOf(const std::string& name, const std::string& layout, std::index_sequence<kAt...>) {
    FieldReader reader;
    (TryCell<kAt, S>(name, layout, &reader), ...);
    std::size_t timer = 0;
    (TryTimer(name, TimerField(T::name(), T::domain()), timer++, &reader), ...);
    return reader;
  }
  template <std::size_t kAt, class State>
  static void TryCell(const std::string& name, const std::string& layout, FieldReader* reader) {
    if (name != State::name()) return;
    auto decoder = std::make_shared<StateDecoder<std::optional<typename State::Value>>>();
    std::string why;
    if (!decoder->Open(layout, &why)) return;
    *reader = [decoder](std::string_view* in, KeyState* state) {
      return decoder->Read(in, &std::get<kAt>(state->cells.cells).value);
    };
  }
  static void TryTimer(const std::string& name, const std::string& field, std::size_t timer, FieldReader* reader) {
    if (name != field) return;
    *reader = [timer](std::string_view* in, KeyState* state) { return state->ReadTimer(in, timer); };
  }
};

}  // namespace millrace::detail
