// What a transform gives when it cannot be applied: the mistake has been reported by a static_assert, and everything
// that is done with the result afterwards compiles, so that no other error follows.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "millrace/core/windowing.h"

namespace millrace {

template <class T>
class PCollection;

namespace detail {

/// Stands for a PCollection whose element type is not known. Never made at run time.
struct Poison {
  template <class X>
  friend Poison operator|(Poison, const X&) {
    return {};
  }
  template <class X>
  Poison Apply(std::string_view, const X&) const {
    return {};
  }
  /// As the result of Flatten and CoGroupByKey.
  Poison As(const std::string&) const { return {}; }
  WindowingStrategy windowing() const { return {}; }
  /// Where the author wrote the type of the result. Declared only: no program that needs it compiles.
  template <class T>
  operator PCollection<T>() const;  // NOLINT: implicit by design
};

template <class T>
inline constexpr bool kIsPoison = std::is_same_v<std::remove_cvref_t<T>, Poison>;

/// A transform that was made of something wrong.
struct PoisonTransform {
  template <class Input>
  Poison Expand(const Input&) const {
    return {};
  }
  template <class Side>
  PoisonTransform WithSideInput(const std::string&, const Side&) const {
    return {};
  }
  PoisonTransform OnError() const { return {}; }
};

}  // namespace detail
}  // namespace millrace
