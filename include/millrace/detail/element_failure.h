// What happens when user code throws: the element is tried again, then isolated or the job fails with its label.
#pragma once

#include <exception>
#include <string>
#include <string_view>

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

/// Calls `attempt()`, again after each exception, `kElementAttempts` times in all. `rewind()` undoes a failed attempt.
/// True if one succeeded; else `*error` says why not.
template <class Attempt, class Rewind>
bool TryElement(Attempt&& attempt, Rewind&& rewind, std::string* error) {
  for (int tried = 0; tried < kElementAttempts; ++tried) {
    try {
      attempt();
      return true;
    } catch (const PipelineFailure&) {
      throw;
    } catch (...) {
      *error = CurrentExceptionText();
      rewind();
    }
  }
  return false;
}

}  // namespace detail
}  // namespace millrace
