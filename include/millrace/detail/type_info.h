// What the untyped graph knows of the element type of a PCollection.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "millrace/core/schema.h"
#include "millrace/detail/batch.h"

namespace millrace::detail {

/// A short readable name of a type, for default labels: the last part of its C++ name without template arguments.
std::string ShortTypeName(const std::type_info& type);

template <class T>
constexpr bool DescribableThroughout();

template <class T>
constexpr bool FieldsDescribable() {
  if constexpr (HasFieldList<T>) {
    return true;  // its author says so
  } else if constexpr (kFieldCount<T> == 0) {
    return true;
  } else {
    constexpr auto kProbe = [](const auto&... field) {
      return std::bool_constant<(DescribableThroughout<std::remove_cvref_t<decltype(field)>>() && ...)>{};
    };
    return decltype(Bindings<kFieldCount<T>>::Apply(std::declval<const T&>(), kProbe))::value;
  }
}

/// `T` and all that it is made of have a schema. Unlike `TypeOf` it asks and does not insist.
template <class T>
constexpr bool DescribableThroughout() {
  if constexpr (!IsDescribable<T>()) {
    return false;
  } else if constexpr (ScalarKind<T>().has_value() || std::is_enum_v<T>) {
    return true;
  } else if constexpr (kIsOptional<T>) {
    return !kIsOptional<typename T::value_type> && DescribableThroughout<typename T::value_type>();
  } else if constexpr (kIsVector<T>) {
    return !std::is_same_v<typename T::value_type, bool> && DescribableThroughout<typename T::value_type>();
  } else if constexpr (MapLike<T>) {
    return DescribableThroughout<typename T::key_type>() && DescribableThroughout<typename T::mapped_type>();
  } else {
    return FieldsDescribable<T>();
  }
}
template <class T>
inline constexpr bool kDescribable = DescribableThroughout<T>();

/// The element as JSON, for messages; cut to a readable length.
std::string DescribeUntyped(const Type& type, const void* object);

/// A readable name of a C++ type that has no schema.
std::string ReadableTypeName(const std::type_info& type);

struct TypeInfo {
  const std::type_info* cpp_type;
  const Type* type = nullptr;  // null where the type cannot be described: it then stays inside the process
  std::unique_ptr<BatchBase> (*make_batch)() = nullptr;

  std::string Name() const { return type != nullptr ? type->ToString() : ReadableTypeName(*cpp_type); }
};

template <class T>
const TypeInfo& TypeInfoOf() {
  static const TypeInfo info = [] {
    TypeInfo made{.cpp_type = &typeid(T)};
    if constexpr (kDescribable<T>) made.type = &TypeOf<T>();
    made.make_batch = []() -> std::unique_ptr<BatchBase> { return std::make_unique<Batch<T>>(); };
    return made;
  }();
  return info;
}

}  // namespace millrace::detail
