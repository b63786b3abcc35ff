// View: names a keyed, windowed result, which readers look up while and after the pipeline runs.
//
//   counts | View("page_views").Key("page")
//
// The element is a KV. Key and value structs give a column per field; a scalar key's column is named by `.Key(...)`,
// a scalar value's by `.Value(...)`. Each pane writes the cell (key, window) anew, so views need accumulating panes
// wherever a window may fire more than once.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "millrace/core/pcollection.h"

namespace millrace {

struct View : detail::TransformBase {
  explicit View(std::string view_name) : name(std::move(view_name)) {}
  std::string DefaultLabel() const { return "View(" + name + ")"; }

  View Key(std::string column) const {
    View result = *this;
    result.key_column = std::move(column);
    return result;
  }
  View Value(std::string column) const {
    View result = *this;
    result.value_column = std::move(column);
    return result;
  }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!detail::kIsKv<T>) {
      static_assert(detail::kIsKv<T>,
                    "Millrace: a View needs a keyed result, PCollection<KV<K, V>>: the key is what "
                    "readers look up.");
      return detail::Poison{};
    } else {
      detail::Graph& graph = detail::GraphAccess::GraphOf(in);
      const T sample{};
      detail::ViewPayload payload;
      payload.name = name;
      payload.key_column = key_column;
      payload.value_column = value_column;
      payload.key_type = &TypeOf<typename T::Key>();
      payload.value_type = &TypeOf<typename T::Value>();
      payload.key_offset = Offset(sample, sample.key);
      payload.value_offset = Offset(sample, sample.value);
      graph.Add({detail::GraphAccess::IndexOf(in)}, {}, std::move(payload));
      return ViewHandle{name};
    }
  }

  /// Names the view that was made.
  struct ViewHandle {
    std::string name;
  };

  std::string name;
  std::string key_column = "key";
  std::string value_column = "value";

 private:
  template <class T, class M>
  static std::size_t Offset(const T& object, const M& member) {
    return static_cast<std::size_t>(reinterpret_cast<const char*>(&member) - reinterpret_cast<const char*>(&object));
  }
};

}  // namespace millrace
