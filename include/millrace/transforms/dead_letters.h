// DeadLetters: keeps elements that could not be processed, for a person to look at and to inject again.
#pragma once

#include <string>
#include <utility>

#include "millrace/core/pcollection.h"

namespace millrace {

/// `rejects | DeadLetters("clicks")`: the elements are kept as JSON under that name and the step that gave them.
struct DeadLetters : detail::TransformBase {
  explicit DeadLetters(std::string n) : name(std::move(n)) {}
  std::string DefaultLabel() const { return "DeadLetters(" + name + ")"; }

  template <class T>
  void Expand(const PCollection<T>& in) const {
    static_assert(detail::kDescribable<T>,
                  "Millrace: a dead letter is kept as JSON, so its type needs a schema: a plain "
                  "struct, a string or a number.");
    detail::GraphAccess::GraphOf(in).Add({detail::GraphAccess::IndexOf(in)}, {}, detail::DeadLettersPayload{name});
  }

  std::string name;
};

}  // namespace millrace
