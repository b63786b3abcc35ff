// The stateful ParDo: state cells and timers per key and window.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "millrace/detail/par_do_kernel.h"
#include "millrace/detail/sharded_table.h"
#include "millrace/detail/shuffle.h"
#include "millrace/detail/stateful_state.h"

namespace millrace::detail {

template <class A, class B>
struct Concat;
template <class... A, class... B>
struct Concat<TypeList<A...>, TypeList<B...>> {
  using Result = TypeList<A..., B...>;
};

/// The parameters of a timer's handler, or none.
template <class T>
using HandlerParameters = typename Signature<std::decay_t<decltype(T::handler())>>::Parameters;
template <class List>
struct AllHandlerParameters {
  using Result = TypeList<>;
};
template <class T, class... Rest>
struct AllHandlerParameters<TypeList<T, Rest...>> {
  using Result =
      typename Concat<HandlerParameters<T>, typename AllHandlerParameters<TypeList<Rest...>>::Result>::Result;
};
template <class D>
struct ExpirationParameters {
  using Result = TypeList<>;
};
template <class D>
  requires requires { &D::OnWindowExpiration; }
struct ExpirationParameters<D> {
  using Result = typename Signature<decltype(&D::OnWindowExpiration)>::Parameters;
};

/// The state cells and timers that any method of `D` names.
template <class D>
struct StatefulTraits {
  using Direct = typename DoFnTraits<D>::Arguments;
  using Timers = typename DoFnTraits<D>::Timers;
  using All = typename Concat<typename Concat<Direct, typename AllHandlerParameters<Timers>::Result>::Result,
                              typename ExpirationParameters<D>::Result>::Result;
  using States = typename Select<PickState, true, TypeList<>, All>::Result;
};

template <class List>
struct UndosOf;
template <class... S>
struct UndosOf<TypeList<S...>> {
  std::tuple<StateUndo<typename S::Value>...> undos;
};

template <class D>
class StatefulKernel final : public DoFnKernel<D>, private TimerRequests {
  using Traits = DoFnTraits<D>;
  using Base = DoFnKernel<D>;
  using Base::context;
  using Base::fn_;
  using Base::ledger_;
  using Base::outputs_;
  using StateTypes = typename StatefulTraits<D>::States;
  using Timers = typename StatefulTraits<D>::Timers;

 public:
  using Element = typename Traits::Element;
  using K = typename Element::Key;

  StatefulKernel(D fn, bool isolates, WindowingStrategy windowing)
      : Base(std::move(fn)), isolates_(isolates), windowing_(windowing) {}

  void Open(OperatorContext& to) override {
    Base::Open(to);
    shuffle_.Open(to);
    spiller_ = to.MakeSpiller();
    if (isolates_) failed_.Open(to.output(static_cast<int>(Traits::Outputs::kSize)));
  }

  void Process(BatchBase& batch, int /*input*/) override {
    if (batch.windows.many()) {
      Batch<Element> exploded;
      ExplodeWindows(batch, exploded);
      return Process(exploded, 0);
    }
    auto& rows = static_cast<Batch<Element>&>(batch);
    ledger_.units += static_cast<std::int64_t>(rows.size());
    if (!shuffle_.needed()) return ProcessRows(rows);
    Batch<Element> own;
    own.CopyHeader(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const std::uint64_t hash = KeyHash(rows.values[row].key);
      if (shuffle_.Owns(hash)) {
        own.CopyRow(rows, row);
      } else {
        shuffle_.Add(rows, row, hash);
      }
    }
    ProcessRows(own);
    shuffle_.ShipFull();
  }
  void ProcessRemote(BatchBase& batch) override { ProcessRows(static_cast<Batch<Element>&>(batch)); }
  void FlushRemote() override { shuffle_.ShipAll(); }

  /// Fires the timers that are due in the order of their times, and expires windows among them.
  Timestamp AdvanceWatermark(Timestamp watermark) override {
    watermark_ = watermark;
    const MetricsScope scope(context().metrics());
    for (;;) {
      const bool expires = !windows_.empty() && Expired(windows_.begin()->first);
      const bool fires = !timers_.empty() && timers_.top().time <= watermark;
      if (fires && (!expires || timers_.top().time <= windowing_.ExpiryOf(windows_.begin()->first))) {
        FireTimer();
      } else if (expires) {
        if (!FireAtTheEnd()) ExpireWindow();
      } else {
        break;
      }
    }
    outputs_.Flush();
    return watermark;
  }

  void AdvanceProcessingTime(Timestamp now) override {
    if (processing_timers_.empty()) return;
    const MetricsScope scope(context().metrics());
    std::vector<Pending> due;  // what a handler sets now fires the next time
    for (; !processing_timers_.empty() && processing_timers_.top().time <= now; processing_timers_.pop()) {
      due.push_back(processing_timers_.top());
    }
    for (const Pending& pending : due) Fire(pending);
    outputs_.Flush();
  }
  Timestamp NextProcessingTime() const override {
    return processing_timers_.empty() ? Timestamp::Max() : processing_timers_.top().time;
  }

  /// A timer was set to a time that the watermark has passed already.
  bool Due() const override { return !timers_.empty() && timers_.top().time <= watermark_; }

  std::size_t StateBytes() const override {
    std::size_t sum = 0;
    for (const auto& [window, table] : windows_) sum += table.bytes();
    return sum;
  }

  std::vector<StateDescription> States() const override { return {Saved::Describe()}; }
  void SaveState(StateWriter& writer) override {
    if (spiller_ != nullptr) spiller_->Save(writer, 0);
    for (auto& [window, table] : windows_) Saved::Save(window, table, writer);
  }
  std::size_t SpillState(std::size_t wanted) override {
    std::size_t given = 0;
    for (auto& [window, table] : windows_) {
      if (spiller_ != nullptr && given < wanted)
        given += table.Spill(*spiller_, Saved::FrameOf(window), wanted - given);
    }
    return given;
  }
  Status RestoreState(const SavedSection& section) override {
    return Saved::Restore(section, [this](const BoundedWindow& window, K&& key, KeyState&& state) {
      const std::uint64_t hash = KeyHash(key);
      if (!shuffle_.Owns(hash)) return;
      windows_[window].FindOrInsert(hash, std::move(key), [] { return KeyState(); }).value = std::move(state);
    });
  }
  void FinishRestore(Timestamp watermark) override {
    watermark_ = watermark;
    std::erase_if(windows_, [this](const auto& window) { return Expired(window.first); });
    for (auto& [window, table] : windows_) {
      table.ForEach([&, &at = window](auto& entry) {
        std::size_t timer = 0;
        for (const Timestamp& time : entry.value.TimersInUse()) Enqueue(Pending{time, at, timer++, entry.key});
      });
      table.ForEachDirty([](auto&) {});
    }
    if (spiller_ != nullptr) spiller_->Forget();
  }

 private:
  using Saved = StatefulState<K, StateTypes, Timers>;
  using KeyState = typename Saved::KeyState;
  using Table = ShardedTable<K, KeyState>;
  // Windows in the order in which they end.
  struct ByEnd {
    bool operator()(const BoundedWindow& a, const BoundedWindow& b) const {
      return std::pair(a.end, a.start) < std::pair(b.end, b.start);
    }
  };
  struct Pending {
    Timestamp time;
    BoundedWindow window;
    std::size_t timer;
    K key;
    friend bool operator<(const Pending& a, const Pending& b) { return a.time > b.time; }
  };
  struct Call {
    BoundedWindow window;
    Timestamp time;
    PaneInfo pane;
    std::size_t row = 0;
    bool outside_batch = false;
  };

  bool Expired(const BoundedWindow& window) const { return windowing_.ExpiryOf(window) < watermark_; }

  void ProcessRows(Batch<Element>& rows) {
    const MetricsScope scope(context().metrics());
    Base::BeginBundle();
    outputs_.Begin(rows);
    failed_.Begin(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const BoundedWindow window = rows.windows.Of(row, rows.timestamps[row]);
      if (Expired(window)) {
        detail::Add(context().metrics().Cell(MetricKind::kCounter, "late_dropped").count, 1);
        ++ledger_.late;
        context().RecordLate(window, rows.timestamps[row], &rows.values[row], rows.OriginOf(row));
        continue;
      }
      outputs_.FlushFull();
      ProcessRow(rows, row, window);
    }
    outputs_.Flush();
    failed_.Flush();
  }

  void ProcessRow(Batch<Element>& rows, std::size_t row, const BoundedWindow& window) {
    const Element& element = rows.values[row];
    const std::uint64_t hash = KeyHash(element.key);
    Table& table = windows_[window];
    auto& entry = table.FindOrInsert(hash, element.key, [] { return KeyState(); });
    const Call call{.window = window, .time = rows.timestamps[row], .pane = rows.panes.Of(row), .row = row};
    outputs_.Mark();
    std::string error;
    const bool done = TryElement(
        [&] {
          Invoke(entry.value, call, typename Traits::Arguments{},
                 [&](auto&&... arguments) { Traits::Process::Call(fn_, element, arguments...); });
        },
        [&] { RollBack(entry.value); }, &error);
    if (done) {
      ++(outputs_.marked() ? ledger_.emitted : ledger_.filtered);
      return Commit(entry.value, entry.key, window);
    }
    if (!isolates_) throw PipelineFailure(ElementFailure(context().label(), DescribeElement(element), error));
    ++ledger_.failed;
    failed_.Emit(FailedElement<Element>{element, error}, row);
  }

  // Calls `function` with the arguments of types `P`.
  template <class Function, class... P>
  void Invoke(KeyState& state, const Call& call, TypeList<P...>, Function&& function) {
    window_ = call.window;
    time_ = call.time;
    InvokeIndexed(state, call, TypeList<P...>{}, std::index_sequence_for<P...>{}, function);
  }
  template <class Function, class... P, std::size_t... kAt>
  void InvokeIndexed(KeyState& state, const Call& call, TypeList<P...>, std::index_sequence<kAt...>,
                     Function&& function) {
    function(Bind<std::remove_cvref_t<P>, TypeList<P...>, kAt>(state, call)...);
  }

  template <class P, class List, std::size_t kAt>
  P Bind(KeyState& state, const Call& call) {
    if constexpr (kIsOutput<P>) {
      if (call.outside_batch) return P(outputs_.template OfType<typename P::Element>(), 0);
      return P(std::get<OutputRanks<List>::kRank[kAt]>(outputs_.buffers), call.row);
    } else if constexpr (kIsState<P>) {
      constexpr std::size_t kIndex = kIndexOf<StateTypes, P>;
      return P(std::get<kIndex>(state.cells.cells), std::get<kIndex>(undos_.undos));
    } else if constexpr (kIsTimerNamed<P>) {
      constexpr std::size_t kIndex = TimerIndex<Timers>::Of(P::name());
      static_assert(kIndex < Timers::kSize,
                    "Millrace: TimerNamed<\"name\"> names no timer of this DoFn; ProcessElement "
                    "declares a timer as Timer<\"name\", &Self::Handler>.");
      return P(*this, kIndex);
    } else if constexpr (kIsTimer<P>) {
      return P(*this, kIndexOf<Timers, P>);
    } else if constexpr (kIsSideInput<P>) {
      const SideInputValue side =
          context().GetSideInput(static_cast<int>(kIndexOf<typename Traits::SideInputs, P>), call.window);
      if (side == nullptr) {
        throw PipelineFailure(UnimplementedError(context().label() + ": side input \"" + std::string(P::name()) +
                                                 "\" of a stateful DoFn is not ready for window " +
                                                 call.window.ToString() + "; use one in the global window"));
      }
      kept_side_inputs_.push_back(side);
      return P(static_cast<const typename P::Value*>(side.get()));
    } else if constexpr (std::is_same_v<P, Timestamp>) {
      return call.time;
    } else if constexpr (std::is_same_v<P, BoundedWindow>) {
      return call.window;
    } else {
      return call.pane;
    }
  }

  void Set(std::size_t timer, Timestamp time) override {
    if (Saved::kIsProcessing[timer]) {
      throw std::invalid_argument("a timer in processing time is set to an event time; use SetRelative(delay)");
    }
    if (time > windowing_.ExpiryOf(window_)) {
      throw std::invalid_argument("a timer is set to " + time.ToString() + ", but its window " + window_.ToString() +
                                  " expires at " + windowing_.ExpiryOf(window_).ToString() +
                                  ", and the timer with it; set it to that at most, or use OnWindowExpiration");
    }
    requested_.push_back({timer, time, time});
  }
  void SetRelative(std::size_t timer, Duration delay) override {
    if (!Saved::kIsProcessing[timer]) {
      throw std::invalid_argument("a timer in event time is set by Set(time), not by SetRelative(delay)");
    }
    const Timestamp time = context().processing_time() + delay;
    requested_.push_back({timer, std::min(time, Timestamp::Max() - Duration(1)), time_});
  }
  void Clear(std::size_t timer) override { requested_.push_back({timer, Timestamp::Max(), Timestamp::Max()}); }

  void Commit(KeyState& state, const K& key, const BoundedWindow& window) {
    std::apply([](auto&... undo) { (undo.Forget(), ...); }, undos_.undos);
    kept_side_inputs_.clear();
    for (const auto& [timer, time, stamp] : requested_) {
      state.timers[timer] = time;
      if constexpr (Saved::kAnyProcessing) state.stamps[timer] = stamp;
      Enqueue(Pending{time, window, timer, key});
    }
    requested_.clear();
  }
  void Enqueue(Pending pending) {
    if (pending.time == Timestamp::Max()) return;
    if (!Saved::kIsProcessing[pending.timer]) {
      timers_.push(std::move(pending));
    } else if (context().streaming()) {
      processing_timers_.push(std::move(pending));
    }
  }

  void RollBack(KeyState& state) {
    outputs_.Rewind();
    requested_.clear();
    kept_side_inputs_.clear();
    RestoreCells(state, std::make_index_sequence<StateTypes::kSize>{});
  }
  template <std::size_t... kAt>
  void RestoreCells(KeyState& state, std::index_sequence<kAt...>) {
    (std::get<kAt>(undos_.undos).Restore(std::get<kAt>(state.cells.cells)), ...);
  }

  void FireTimer() {
    const Pending due = timers_.top();
    timers_.pop();
    Fire(due);
  }
  void Fire(const Pending& due) {
    const auto table = windows_.find(due.window);
    if (table == windows_.end()) return;
    auto* entry = table->second.Find(KeyHash(due.key), due.key);
    if (entry == nullptr || entry->value.timers[due.timer] != due.time) return;  // moved or cleared
    table->second.MarkDirty(KeyHash(due.key), *entry);
    entry->value.timers[due.timer] = Timestamp::Max();
    CallOutside(*entry, due.window, TimeOf(due, entry->value), [&](const Call& call) {
      DispatchTimer(entry->value, entry->key, call, due.timer, std::make_index_sequence<Timers::kSize>{});
    });
  }

  // The timestamp of what the handler emits.
  Timestamp TimeOf(const Pending& due, [[maybe_unused]] const KeyState& state) const {
    if constexpr (Saved::kAnyProcessing) {
      if (Saved::kIsProcessing[due.timer]) {
        return std::max(state.stamps[due.timer], std::min(watermark_, due.window.max_timestamp()));
      }
    }
    return due.time;
  }

  // In batch mode the end of a window is when its timers in processing time fire: true if some did now.
  bool FireAtTheEnd() {
    if constexpr (Saved::kAnyProcessing) {
      auto& [window, table] = *windows_.begin();
      if (context().streaming() || fired_at_the_end_ == window) return false;
      fired_at_the_end_ = window;
      std::priority_queue<Pending> pending;
      table.ForEach([&, &at = window](auto& entry) {
        for (std::size_t timer = 0; timer < Timers::kSize; ++timer) {
          const Timestamp time = entry.value.timers[timer];
          if (Saved::kIsProcessing[timer] && time != Timestamp::Max())
            pending.push(Pending{time, at, timer, entry.key});
        }
      });
      for (; !pending.empty(); pending.pop()) Fire(pending.top());
      return true;
    } else {
      return false;
    }
  }

  template <std::size_t... kAt>
  void DispatchTimer(KeyState& state, const K& key, const Call& call, std::size_t timer, std::index_sequence<kAt...>) {
    ((timer == kAt ? CallHandler<TimerAt<kAt>>(state, key, call) : void()), ...);
  }
  template <std::size_t kAt, class... T>
  static auto NthTimer(TypeList<T...>) -> std::tuple_element_t<kAt, std::tuple<T...>>;
  template <std::size_t kAt>
  using TimerAt = decltype(NthTimer<kAt>(Timers{}));

  template <class T>
  void CallHandler(KeyState& state, const K& key, const Call& call) {
    CallMethod(state, key, call, T::handler(), HandlerParameters<T>{});
  }

  // A method whose first parameter may be the key.
  template <class Method, class List>
  void CallMethod(KeyState& state, const K& key, const Call& call, Method method, List) {
    if constexpr (std::is_same_v<typename Split<List>::Head, K> && !kIsDoFnParameter<K>) {
      Invoke(state, call, typename Split<List>::Tail{}, [&](auto&&... arguments) { (fn_.*method)(key, arguments...); });
    } else {
      Invoke(state, call, List{}, [&](auto&&... arguments) { (fn_.*method)(arguments...); });
    }
  }

  // Runs a handler as an element of its own: with attempts, and outputs in its window at its time.
  template <class Entry, class Body>
  void CallOutside(Entry& entry, const BoundedWindow& window, Timestamp time, Body&& body) {
    outputs_.Flush();
    frame_.Clear();
    frame_.timestamps.Append(time);
    frame_.windows.SetUniform(window);
    frame_.panes.SetUniform(PaneInfo{});
    outputs_.Begin(frame_);
    outputs_.Mark();
    const Call call{.window = window, .time = time, .pane = PaneInfo{}, .row = 0, .outside_batch = true};
    std::string error;
    if (!TryElement([&] { body(call); }, [&] { RollBack(entry.value); }, &error)) {
      throw PipelineFailure(ElementFailure(context().label(), "key " + DescribeElement(entry.key), error));
    }
    Commit(entry.value, entry.key, window);
    outputs_.Flush();
  }

  void ExpireWindow() {
    const auto first = windows_.begin();
    const BoundedWindow window = first->first;
    if constexpr (requires { &D::OnWindowExpiration; }) {
      first->second.ForEach([&](auto& entry) {
        CallOutside(entry, window, window.max_timestamp(), [&](const Call& call) {
          CallMethod(entry.value, entry.key, call, &D::OnWindowExpiration, typename ExpirationParameters<D>::Result{});
        });
      });
    }
    windows_.erase(first);
  }

  bool isolates_;
  WindowingStrategy windowing_;
  Timestamp watermark_ = Timestamp::Min();
  Shuffle<Element> shuffle_;
  std::map<BoundedWindow, Table, ByEnd> windows_;
  struct Request {
    std::size_t timer;
    Timestamp time;
    Timestamp stamp;
  };
  std::priority_queue<Pending> timers_;             // in event time
  std::priority_queue<Pending> processing_timers_;  // in streaming mode
  std::optional<BoundedWindow> fired_at_the_end_;
  BoundedWindow window_;  // of the call that is running
  Timestamp time_;        // likewise
  std::vector<Request> requested_;
  UndosOf<StateTypes> undos_;
  std::vector<SideInputValue> kept_side_inputs_;
  OutputBuffer<FailedElement<Element>> failed_;
  Batch<Element> frame_;
  std::unique_ptr<Spiller> spiller_;  // null: all state stays in memory
};

}  // namespace millrace::detail
