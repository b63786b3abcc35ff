// How state is written into checkpoints: compact, in a fixed order, without field headers, so that a million entries
// take a few hundredths of a second. What was written is described by a layout text that is kept beside the bytes; a
// reader with another layout goes by it (`model/state_layout.cc`). The format is docs/formats/state.md.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/core/coder.h"
#include "millrace/core/schema.h"
#include "millrace/detail/exact_sum.h"
#include "millrace/detail/type_info.h"

namespace millrace::detail {

template <class T>
inline constexpr bool kIsTuple = false;
template <class... T>
inline constexpr bool kIsTuple<std::tuple<T...>> = true;
template <class A, class B>
inline constexpr bool kIsTuple<std::pair<A, B>> = true;
template <class T>
inline constexpr bool kIsVariant = false;
template <class... T>
inline constexpr bool kIsVariant<std::variant<T...>> = true;

/// Written as the bytes of the object.
template <class T>
inline constexpr bool kIsFixedState = (std::is_arithmetic_v<T> && !std::is_same_v<T, long double>) ||
                                      std::is_enum_v<T> || std::is_same_v<T, Timestamp> || std::is_same_v<T, Duration>;

template <class T>
struct StateParts;
template <template <class...> class Of, class... T>
struct StateParts<Of<T...>> {
  using Types = std::tuple<T...>;
};

template <class T>
constexpr bool StateCodable();

template <class... T>
constexpr bool AllStateCodable(std::tuple<T...>*) {
  return (StateCodable<T>() && ...);
}
template <class T>
constexpr bool FieldsStateCodable() {
  if constexpr (HasFieldList<T>) {
    return true;
  } else if constexpr (kFieldCount<T> == 0) {
    return true;
  } else {
    constexpr auto kProbe = [](const auto&... field) {
      return std::bool_constant<(StateCodable<std::remove_cvref_t<decltype(field)>>() && ...)>{};
    };
    return decltype(Bindings<kFieldCount<T>>::Apply(std::declval<const T&>(), kProbe))::value;
  }
}

/// Whether `T` can be kept in a checkpoint.
template <class T>
constexpr bool StateCodable() {
  if constexpr (kIsFixedState<T> || std::is_same_v<T, std::string> || std::is_same_v<T, ExactSum>) {
    return true;
  } else if constexpr (std::is_same_v<T, std::string_view> || std::is_pointer_v<T>) {
    return false;
  } else if constexpr (kIsVector<T> || kIsOptional<T>) {
    return StateCodable<typename T::value_type>();
  } else if constexpr (MapLike<T>) {
    return StateCodable<typename T::key_type>() && StateCodable<typename T::mapped_type>();
  } else if constexpr (kIsTuple<T> || kIsVariant<T>) {
    return AllStateCodable(static_cast<typename StateParts<T>::Types*>(nullptr));
  } else if constexpr (std::is_class_v<T> && Reflectable<T>) {
    return FieldsStateCodable<T>();
  } else {
    return false;
  }
}

template <class T>
void AppendFixed(const T& value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

/// Appends `value`. Only for types that are `StateCodable`.
template <class T>
void AppendState(const T& value, std::string* out) {
  if constexpr (kIsFixedState<T>) {
    AppendFixed(value, out);
  } else if constexpr (std::is_same_v<T, std::string>) {
    AppendVarint(value.size(), out);
    out->append(value);
  } else if constexpr (std::is_same_v<T, ExactSum>) {
    AppendState(value.Saved(), out);
  } else if constexpr (kIsVector<T>) {
    AppendVarint(value.size(), out);
    for (const auto& element : value) AppendState<typename T::value_type>(element, out);
  } else if constexpr (kIsOptional<T>) {
    out->push_back(value.has_value() ? 1 : 0);
    if (value.has_value()) AppendState(*value, out);
  } else if constexpr (MapLike<T>) {
    AppendVarint(value.size(), out);
    for (const auto& [key, mapped] : value) {
      AppendState(key, out);
      AppendState(mapped, out);
    }
  } else if constexpr (kIsTuple<T>) {
    std::apply([out](const auto&... part) { (AppendState(part, out), ...); }, value);
  } else if constexpr (kIsVariant<T>) {
    out->push_back(static_cast<char>(value.index()));
    std::visit([out](const auto& part) { AppendState(part, out); }, value);
  } else if constexpr (std::is_empty_v<T>) {
    out->push_back(0);  // so that a count of values never exceeds their bytes
  } else {
    ForEachField(value, [out](const auto& field) { AppendState(field, out); });
  }
}

template <class T>
bool ReadFixed(std::string_view* in, T* value) {
  if (in->size() < sizeof(T)) return false;
  std::memcpy(static_cast<void*>(value), in->data(), sizeof(T));
  in->remove_prefix(sizeof(T));
  return true;
}

/// A number of elements, each at least a byte long.
inline bool ReadStateCount(std::string_view* in, std::uint64_t* count) {
  return ReadVarint(in, count) && *count <= in->size();
}

template <class T>
bool ReadState(std::string_view* in, T* value);

template <class... T, std::size_t... kAt>
bool ReadVariantState(std::string_view* in, std::variant<T...>* value, std::size_t index, std::index_sequence<kAt...>) {
  bool read = false;
  const auto try_at = [&]<std::size_t kIndex>(std::integral_constant<std::size_t, kIndex>) {
    if (index == kIndex) read = ReadState(in, &value->template emplace<kIndex>());
  };
  (try_at(std::integral_constant<std::size_t, kAt>{}), ...);
  return read;
}

/// Reads what `AppendState` wrote from the front of `*in`; false if it is not there.
template <class T>
bool ReadState(std::string_view* in, T* value) {
  if constexpr (std::is_same_v<T, bool>) {
    std::uint8_t byte = 0;
    if (!ReadFixed(in, &byte) || byte > 1) return false;
    *value = byte == 1;
    return true;
  } else if constexpr (kIsFixedState<T>) {
    return ReadFixed(in, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    std::uint64_t size = 0;
    if (!ReadStateCount(in, &size)) return false;
    value->assign(in->data(), size);
    in->remove_prefix(size);
    return true;
  } else if constexpr (std::is_same_v<T, ExactSum>) {
    ExactSum::SavedParts parts;
    return ReadState(in, &parts) && value->Restore(std::move(parts));
  } else if constexpr (kIsVector<T>) {
    std::uint64_t count = 0;
    if (!ReadStateCount(in, &count)) return false;
    value->clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      typename T::value_type element{};
      if (!ReadState(in, &element)) return false;
      value->push_back(std::move(element));
    }
    return true;
  } else if constexpr (kIsOptional<T>) {
    bool there = false;
    if (!ReadState(in, &there)) return false;
    value->reset();
    return !there || ReadState(in, &value->emplace());
  } else if constexpr (MapLike<T>) {
    std::uint64_t count = 0;
    if (!ReadStateCount(in, &count)) return false;
    value->clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      typename T::key_type key{};
      if (!ReadState(in, &key) || !ReadState(in, &value->try_emplace(std::move(key)).first->second)) return false;
    }
    return true;
  } else if constexpr (kIsTuple<T>) {
    return std::apply([in](auto&... part) { return (ReadState(in, &part) && ...); }, *value);
  } else if constexpr (kIsVariant<T>) {
    std::uint8_t index = 0;
    return ReadFixed(in, &index) &&
           ReadVariantState(in, value, index, std::make_index_sequence<std::variant_size_v<T>>{});
  } else if constexpr (std::is_empty_v<T>) {
    std::uint8_t nothing = 0;
    return ReadFixed(in, &nothing) && nothing == 0;
  } else {
    bool read = true;
    ForEachField(*value, [&read, in](auto& field) { read = read && ReadState(in, &field); });
    return read;
  }
}

/// The layout of a type that has a schema, such as `{"id":int64,"tags":list<string>}`.
std::string LayoutOfType(const Type& type);

template <class... T>
std::string JoinLayouts(char open, char close, std::tuple<T...>*);

/// Describes what `AppendState` writes for `T`. Equal layouts are read alike.
template <class T>
std::string StateLayout() {
  if constexpr (DescribableThroughout<T>()) {
    return LayoutOfType(TypeOf<T>());
  } else if constexpr (std::is_same_v<T, ExactSum>) {
    return "exact_sum";
  } else if constexpr (kIsVector<T>) {
    return "list<" + StateLayout<typename T::value_type>() + ">";
  } else if constexpr (kIsOptional<T>) {
    return "optional<" + StateLayout<typename T::value_type>() + ">";
  } else if constexpr (MapLike<T>) {
    return "map<" + StateLayout<typename T::key_type>() + "," + StateLayout<typename T::mapped_type>() + ">";
  } else if constexpr (kIsTuple<T>) {
    return JoinLayouts('(', ')', static_cast<typename StateParts<T>::Types*>(nullptr));
  } else if constexpr (kIsVariant<T>) {
    return JoinLayouts('[', ']', static_cast<typename StateParts<T>::Types*>(nullptr));
  } else if constexpr (Reflectable<T>) {
    std::string text;
    const T sample{};
    ForEachField(sample, [&text](const auto& field) {
      text += (text.empty() ? "" : ",") + StateLayout<std::remove_cvref_t<decltype(field)>>();
    });
    return "(" + text + ")";
  } else {
    return "opaque";
  }
}

template <class... T>
std::string JoinLayouts(char open, char close, std::tuple<T...>*) {
  std::string text;
  ((text += (text.empty() ? "" : ",") + StateLayout<T>()), ...);
  return open + text + close;
}

/// Reads values that were written with another layout: a struct's new fields keep the defaults of a new object.
class EvolvedReader {
 public:
  /// Null if what was written as `written` cannot be read as `type`; `*why` then says so.
  static std::unique_ptr<EvolvedReader> Make(std::string_view written, const Type& type, std::string* why);
  virtual ~EvolvedReader() = default;
  /// As `ReadState`.
  virtual bool Read(std::string_view* in, void* value) const = 0;
};

/// The layout of a keyed state: the key's must stay as it is, for it decides where the key belongs.
template <class K>
std::string KeyedLayout(const std::string& kind, const std::string& value_layout) {
  return kind + "<" + StateLayout<K>() + "," + value_layout + ">";
}

/// A keyed layout taken apart. Empty parts if it is none.
struct KeyedLayoutParts {
  std::string kind;
  std::string key;
  std::string value;
  std::vector<std::pair<std::string, std::string>> fields;  // name and layout, of a value that is a struct
};
KeyedLayoutParts PartsOfKeyedLayout(std::string_view layout);

/// Why a state of values `T` cannot be kept in a checkpoint, for `StateDescription::problem`.
template <class T>
std::string StateProblem() {
  if constexpr (StateCodable<T>()) {
    return "";
  } else {
    return ShortTypeName(typeid(T)) +
           " cannot be written to a checkpoint; use numbers, std::string, Timestamp, Duration, and structs, vectors, "
           "maps, optionals and tuples of these (no pointer, no std::string_view)";
  }
}

/// Why state that was written with the layout `written` cannot be read with the layout `now`; empty if it can.
std::string LayoutProblem(std::string_view written, std::string_view now);

/// Reads values of type `T` of a section by the layout that they were written with.
template <class T>
class StateDecoder {
 public:
  /// False if the layouts do not fit.
  bool Open(std::string_view written, std::string* why) {
    if (written == StateLayout<T>()) return true;
    if constexpr (DescribableThroughout<T>()) {
      evolved_ = EvolvedReader::Make(written, TypeOf<T>(), why);
      return evolved_ != nullptr;
    } else {
      *why = "it was written as " + std::string(written) + ", and is now " + StateLayout<T>();
      return false;
    }
  }
  bool Read(std::string_view* in, T* value) const {
    return evolved_ == nullptr ? ReadState(in, value) : evolved_->Read(in, value);
  }

 private:
  std::unique_ptr<EvolvedReader> evolved_;
};

}  // namespace millrace::detail
