// What happens when user code throws: the element is tried again, then isolated or the job fails with its label.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "millrace/core/json.h"
#include "millrace/core/status.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/type_info.h"

namespace millrace {

/// An element on which a DoFn failed, where `.OnError()` was asked for.
template <class T>
struct FailedElement {
  T element{};
  std::string error;
};

namespace detail {

/// The text of the exception that is being handled.
std::string CurrentExceptionText();

/// The element as JSON, cut to a readable length; its C++ type's name where it has no schema.
template <class T>
std::string DescribeElement(const T& element) {
  if constexpr (kDescribable<T>) {
    std::string text = DescribeUntyped(TypeOf<T>(), &element);
    return text;
  } else {
    return std::string("an element of type ") + typeid(T).name();
  }
}

/// The status of a job that ends because user code failed on one element every time.
Status ElementFailure(const std::string& label, const std::string& element, const std::string& error);

/// A reference to something that can be called without arguments; cheaper to compile than std::function.
class Callback {
 public:
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Callback>)
  Callback(F&& function)  // NOLINT: implicit by design
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
        call_([](void* object) { (*static_cast<std::remove_reference_t<F>*>(object))(); }) {}
  void operator()() const { call_(object_); }

 private:
  void* object_;
  void (*call_)(void*);
};

/// Calls `attempt()`, again after each exception, `kElementAttempts` times in all. `rewind()` undoes a failed attempt.
/// True if one succeeded; else `*error` says why not.
bool TryElement(Callback attempt, Callback rewind, std::string* error);

}  // namespace detail
}  // namespace millrace
