// What a DoFn may ask for. The first parameter of `ProcessElement` (or of a plain function, or of a lambda) is the
// element; each further one is found by its type:
//
//   Output<T>                    an output PCollection, one per parameter
//   Timestamp                    the element's event time
//   BoundedWindow                the element's window; the element is then processed once per window
//   PaneInfo                     the pane that it came in
//   SideInput<"name", T>         a side input, bound with .WithSideInput("name", AsMap(...))
//   State<"name", T>             a value kept per key and window; the element must be a KV
//   CombiningState<"name", Fn>   an accumulator kept per key and window
//   Timer<"name", &Self::OnX>    an event-time timer per key and window; OnX is declared earlier in the class
//   Timer<"name", &Self::OnX, TimeDomain::kProcessingTime>    a timer in processing time
//   TimerNamed<"name">           in a handler: that timer again, so that it can be set anew
//
// A class may also have Setup(), StartBundle(), FinishBundle(Output<T>...), Teardown(), and with state
// OnWindowExpiration(...) and timer handlers, which take the key (const K&) and the parameters above but the element.
// The meaning is Beam's (https://beam.apache.org/documentation/programming-guide/#pardo). Each worker has an instance
// of its own, so no DoFn needs a lock.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "millrace/core/kv.h"
#include "millrace/core/window.h"
#include "millrace/detail/fixed_string.h"
#include "millrace/detail/output_buffer.h"

namespace millrace {

/// Where a DoFn emits. Cheap to copy; valid during the call it was given to.
template <class T>
class Output {
 public:
  using Element = T;

  /// Emits with the timestamp, windows and pane of the element that is being processed.
  template <class U = T>
  void Emit(U&& value) const {
    buffer_->Emit(std::forward<U>(value), row_);
  }
  /// Emits with another timestamp; the windows stay those of the element, as in Beam. A timestamp before the element's
  /// own may be late and fails the element, as in Beam's Java SDK.
  void Emit(T value, Timestamp time) const { buffer_->EmitMoved(std::move(value), row_, time); }
  /// Emits into a window. For FinishBundle.
  void Emit(T value, Timestamp time, const BoundedWindow& window) const {
    buffer_->EmitIn(std::move(value), time, window, PaneInfo{});
  }

  Output(detail::OutputBuffer<T>& buffer, std::size_t row) : buffer_(&buffer), row_(row) {}

 private:
  detail::OutputBuffer<T>* buffer_;
  std::size_t row_;
};

/// A side input's contents for the window of the element: `*side`, `side->find(key)`.
template <detail::FixedString kName, class T>
class SideInput {
 public:
  using Value = T;
  static constexpr std::string_view name() { return kName.view(); }

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_; }
  const T& Get() const { return *value_; }

  explicit SideInput(const T* value) : value_(value) {}

 private:
  const T* value_;
};

namespace detail {
/// One state cell; the value that it had before the current element is kept until the element has succeeded.
template <class T>
struct StateCell {
  std::optional<T> value;
};

/// Undoes the writes of an element that fails.
template <class T>
struct StateUndo {
  bool saved = false;
  std::optional<T> before;
  void Save(const StateCell<T>& cell) {
    if (saved) return;
    saved = true;
    before = cell.value;
  }
  void Restore(StateCell<T>& cell) {
    if (saved) cell.value = std::move(before);
    saved = false;
  }
  void Forget() {
    saved = false;
    before.reset();
  }
};
}  // namespace detail

/// Beam's ValueState.
template <detail::FixedString kName, class T>
class State {
 public:
  using Value = T;
  static constexpr std::string_view name() { return kName.view(); }

  bool IsEmpty() const { return !cell_->value.has_value(); }
  /// The value last written, or `T{}`.
  T Read() const { return cell_->value.has_value() ? *cell_->value : T{}; }
  void Write(T value) const {
    undo_->Save(*cell_);
    cell_->value = std::move(value);
  }
  void Clear() const {
    undo_->Save(*cell_);
    cell_->value.reset();
  }

  State(detail::StateCell<T>& cell, detail::StateUndo<T>& undo) : cell_(&cell), undo_(&undo) {}

 private:
  detail::StateCell<T>* cell_;
  detail::StateUndo<T>* undo_;
};

namespace detail {
/// What `fn.CreateAccumulator()` gives; one error if `fn` is no CombineFn.
template <class Fn>
auto AccumulatorOf([[maybe_unused]] const Fn& fn) {
  constexpr bool kCombines = requires { fn.CreateAccumulator(); };
  static_assert(kCombines,
                "Millrace: CombiningState needs a CombineFn for one type of value: CountFn<V>, SumFn<V>, "
                "MeanFn<V> or one of your own, not Count, Sum or Mean.");
  if constexpr (kCombines) {
    return fn.CreateAccumulator();
  } else {
    return 0;
  }
}
}  // namespace detail

/// Beam's CombiningState over a CombineFn.
template <detail::FixedString kName, class Fn>
class CombiningState {
 public:
  using Value = decltype(detail::AccumulatorOf(std::declval<const Fn&>()));
  static constexpr std::string_view name() { return kName.view(); }

  bool IsEmpty() const { return !cell_->value.has_value(); }
  template <class V>
  void Add(const V& value) const {
    undo_->Save(*cell_);
    if (!cell_->value.has_value()) cell_->value = Fn{}.CreateAccumulator();
    Fn{}.AddInput(*cell_->value, value);
  }
  /// The output of the accumulator; of an empty one, if nothing was added.
  auto Read() const { return Fn{}.ExtractOutput(cell_->value.has_value() ? *cell_->value : Fn{}.CreateAccumulator()); }
  void Clear() const {
    undo_->Save(*cell_);
    cell_->value.reset();
  }

  CombiningState(detail::StateCell<Value>& cell, detail::StateUndo<Value>& undo) : cell_(&cell), undo_(&undo) {}

 private:
  detail::StateCell<Value>* cell_;
  detail::StateUndo<Value>* undo_;
};

namespace detail {
/// Collects what an element asks of the timers; carried out when it has succeeded.
class TimerRequests {
 public:
  virtual ~TimerRequests() = default;
  virtual void Set(std::size_t timer, Timestamp time) = 0;
  virtual void SetRelative(std::size_t timer, Duration delay) = 0;
  virtual void Clear(std::size_t timer) = 0;
};
}  // namespace detail

/// What makes a timer fire: the watermark, or the time of day.
enum class TimeDomain : std::uint8_t { kEventTime, kProcessingTime };

/// Beam's timer: one per name, key and window; setting it again moves it.
/// In event time it fires when the watermark has reached its time. In processing time it fires when its delay is over;
/// it goes with its window, and neither it nor what it emits holds the watermark back: its handler's outputs have the
/// timestamp of the element that set it, or that of the watermark (within the window) if this is later. In batch mode
/// no processing time passes, so what is still set when the window ends fires then, in the order of the delays, once.
template <detail::FixedString kName, auto kHandler, TimeDomain kDomain = TimeDomain::kEventTime>
class Timer {
 public:
  static constexpr std::string_view name() { return kName.view(); }
  static constexpr auto handler() { return kHandler; }
  static constexpr TimeDomain domain() { return kDomain; }

  void Set(Timestamp time) const {
    static_assert(kDomain == TimeDomain::kEventTime,
                  "Millrace: a timer in processing time is set by SetRelative(delay); Set(time) is for event time.");
    requests_->Set(index_, time);
  }
  /// `delay` from now on. For timers in processing time.
  void SetRelative(Duration delay) const {
    static_assert(kDomain == TimeDomain::kProcessingTime,
                  "Millrace: SetRelative(delay) is for timers in processing time, Timer<\"name\", &Self::Handler, "
                  "TimeDomain::kProcessingTime>; a timer in event time is set by Set(time).");
    requests_->SetRelative(index_, delay);
  }
  void Clear() const { requests_->Clear(index_); }

  Timer(detail::TimerRequests& requests, std::size_t index) : requests_(&requests), index_(index) {}

 private:
  detail::TimerRequests* requests_;
  std::size_t index_;
};

/// A timer that ProcessElement declares as `Timer<kName, ...>`, by its name alone: a handler cannot name itself in its
/// own parameters. Setting it as its time domain does not allow fails the element.
template <detail::FixedString kName>
class TimerNamed {
 public:
  static constexpr std::string_view name() { return kName.view(); }

  void Set(Timestamp time) const { requests_->Set(index_, time); }
  void SetRelative(Duration delay) const { requests_->SetRelative(index_, delay); }
  void Clear() const { requests_->Clear(index_); }

  TimerNamed(detail::TimerRequests& requests, std::size_t index) : requests_(&requests), index_(index) {}

 private:
  detail::TimerRequests* requests_;
  std::size_t index_;
};

}  // namespace millrace
