// Run-time types out of C++ types: aggregate reflection without a macro. What it cannot describe is one static_assert
// that says what to write instead. Include "millrace/core/schema.h", which includes this.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/kv.h"
#include "millrace/core/schema.h"
#include "millrace/core/timestamp.h"
#include "millrace/detail/reflect_fields.h"

namespace millrace::detail {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <class T>
inline constexpr bool kIsVector = false;
template <class T, class A>
inline constexpr bool kIsVector<std::vector<T, A>> = true;

template <class T>
inline constexpr bool kIsChronoDuration = false;
template <class R, class P>
inline constexpr bool kIsChronoDuration<std::chrono::duration<R, P>> = true;

/// std::map and std::unordered_map, without including either.
template <class T>
concept MapLike = std::is_class_v<T> && requires(T map, typename T::key_type key) {
  typename T::mapped_type;
  map.try_emplace(std::move(key));
  map.clear();
  map.size();
  map.begin()->second;
};

template <class T>
inline constexpr bool kIsCharacter =
    std::is_same_v<T, char> || std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
    std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

/// The kind of a number, a text, a time; nothing for what has parts.
template <class T>
constexpr std::optional<FieldKind> ScalarKind() {
  if constexpr (std::is_same_v<T, bool>) {
    return FieldKind::kBool;
  } else if constexpr (std::is_integral_v<T> && !kIsCharacter<T> && sizeof(T) <= 8) {
    constexpr int kSize = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return static_cast<FieldKind>(static_cast<int>(std::is_signed_v<T> ? FieldKind::kInt8 : FieldKind::kUint8) + kSize);
  } else if constexpr (std::is_same_v<T, float>) {
    return FieldKind::kFloat;
  } else if constexpr (std::is_same_v<T, double>) {
    return FieldKind::kDouble;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return FieldKind::kString;
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return FieldKind::kStringView;
  } else if constexpr (std::is_same_v<T, std::vector<std::byte>>) {
    return FieldKind::kBytes;
  } else if constexpr (std::is_same_v<T, Timestamp>) {
    return FieldKind::kTimestamp;
  } else if constexpr (std::is_same_v<T, Duration>) {
    return FieldKind::kDuration;
  } else {
    return std::nullopt;
  }
}

/// One field as the compiler knows it; the names are still pretty function names.
struct FieldSeed {
  const char* name;
  std::size_t offset;
  const Type& (*type)();
};

/// The schema of those fields. `pretty_type` is a pretty function name; so are the fields' names unless `plain_names`.
Schema MakeSchema(const char* pretty_type, const FieldSeed* fields, std::size_t count, bool plain_names);

/// Ends the process: a struct that contains itself (through a list, a map or an optional) has no schema.
[[noreturn]] void DieOfRecursiveType(const char* pretty_type);

/// A default object whose addresses give the offsets.
template <class T>
const T& SampleOf() {
  static const T sample{};
  return sample;
}

/// In bytes from the start of the object.
template <class C, class M>
std::size_t MemberOffset(M C::* member) {
  const C& sample = SampleOf<C>();
  return static_cast<std::size_t>(reinterpret_cast<const char*>(std::addressof(sample.*member)) -
                                  reinterpret_cast<const char*>(std::addressof(sample)));
}

template <class T>
inline constexpr auto kFieldAddresses = Bindings<kFieldCount<T>>::Addresses(NamedObject<T>());

template <class T, std::size_t... kIndex>
Schema AggregateSchema(std::index_sequence<kIndex...>) {
  if constexpr (sizeof...(kIndex) == 0) {
    return MakeSchema(PrettyType<T>(), nullptr, 0, false);
  } else {
    const T& sample = SampleOf<T>();
    auto offset = [&sample](const void* field) {
      return static_cast<std::size_t>(static_cast<const char*>(field) -
                                      reinterpret_cast<const char*>(std::addressof(sample)));
    };
    return Bindings<sizeof...(kIndex)>::Apply(sample, [&offset](const auto&... field) {
      const FieldSeed seeds[] = {{PrettyMember<kFieldAddresses<T>[kIndex]>(), offset(std::addressof(field)),
                                  &TypeOfImpl<std::remove_cvref_t<decltype(field)>>}...};
      return MakeSchema(PrettyType<T>(), seeds, sizeof...(kIndex), false);
    });
  }
}

template <class T, class... C, class... M>
Schema ListedSchema(const FieldList<NamedMember<C, M>...>& list) {
  static_assert(sizeof...(M) > 0, "Millrace: Fields() needs at least one Named(\"name\", &Class::member).");
  return std::apply(
      [](const NamedMember<C, M>&... named) {
        const FieldSeed seeds[] = {{named.name, MemberOffset(named.member), &TypeOfImpl<std::remove_cv_t<M>>}...};
        return MakeSchema(PrettyType<T>(), seeds, sizeof...(M), true);
      },
      list.members);
}

/// What every type has: making, removing and copying a value.
template <class T>
constexpr Type BaseType(FieldKind kind) {
  Type type{.kind = kind, .size = sizeof(T)};
  type.create = []() -> void* { return new T{}; };
  type.destroy = [](void* object) { delete static_cast<T*>(object); };
  type.assign = [](void* to, const void* from) { *static_cast<T*>(to) = *static_cast<const T*>(from); };
  return type;
}

template <class T>
Type OptionalType() {
  Type type = BaseType<T>(FieldKind::kOptional);
  type.element = &TypeOfImpl<typename T::value_type>();
  type.optional_get = [](const void* object) -> const void* {
    const T& optional = *static_cast<const T*>(object);
    return optional ? std::addressof(*optional) : nullptr;
  };
  type.optional_emplace = [](void* object) -> void* { return std::addressof(static_cast<T*>(object)->emplace()); };
  type.optional_reset = [](void* object) { static_cast<T*>(object)->reset(); };
  return type;
}

template <class T>
Type ListType() {
  Type type = BaseType<T>(FieldKind::kList);
  type.element = &TypeOfImpl<typename T::value_type>();
  type.list_size = [](const void* object) { return static_cast<const T*>(object)->size(); };
  type.list_at = [](const void* object, std::size_t index) -> const void* {
    return std::addressof((*static_cast<const T*>(object))[index]);
  };
  type.list_append = [](void* object) -> void* { return std::addressof(static_cast<T*>(object)->emplace_back()); };
  type.list_clear = [](void* object) { static_cast<T*>(object)->clear(); };
  return type;
}

template <class T>
Type MapType() {
  Type type = BaseType<T>(FieldKind::kMap);
  type.key = &TypeOfImpl<typename T::key_type>();
  type.element = &TypeOfImpl<typename T::mapped_type>();
  type.map_size = [](const void* object) -> std::size_t { return static_cast<const T*>(object)->size(); };
  type.map_visit = [](const void* object, void* context, void (*visit)(void*, const void*, const void*)) {
    for (const auto& entry : *static_cast<const T*>(object)) {
      visit(context, std::addressof(entry.first), std::addressof(entry.second));
    }
  };
  type.map_insert = [](void* object, void* key) -> void* {
    auto& from = *static_cast<typename T::key_type*>(key);
    return std::addressof(static_cast<T*>(object)->try_emplace(std::move(from)).first->second);
  };
  type.map_clear = [](void* object) { static_cast<T*>(object)->clear(); };
  return type;
}

template <class T>
inline constexpr bool kNever = false;

/// One error for a type that has none.
template <class T>
constexpr void ExplainUndescribable() {
  if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_null_pointer_v<T>) {
    static_assert(kNever<T>,
                  "Millrace: a pointer has no schema. Hold the value itself, std::string for a text, or "
                  "std::optional where it may be missing.");
  } else if constexpr (std::is_reference_v<T>) {
    static_assert(kNever<T>, "Millrace: a reference has no schema. Hold the value itself.");
  } else if constexpr (std::is_array_v<T>) {
    static_assert(kNever<T>, "Millrace: a C array has no schema. Write std::vector, or std::string for a text.");
  } else if constexpr (kIsCharacter<T>) {
    static_assert(kNever<T>,
                  "Millrace: a character has no schema. Write std::int8_t for a number, std::string for a "
                  "text.");
  } else if constexpr (std::is_arithmetic_v<T>) {
    static_assert(kNever<T>, "Millrace: this number is too wide. The widest are std::int64_t and double.");
  } else if constexpr (kIsChronoDuration<T>) {
    static_assert(kNever<T>, "Millrace: a duration is stored in microseconds. Write millrace::Duration.");
  } else if constexpr (!std::is_class_v<T>) {
    static_assert(kNever<T>,
                  "Millrace: this type (a union, a function or void) has no schema. Write a struct of "
                  "values.");
  } else if constexpr (kStructProblem<T> == StructProblem::kNoDefault) {
    static_assert(kNever<T>,
                  "Millrace: this struct cannot be made without arguments (a reference or a member without a "
                  "default). Hold values that have defaults.");
  } else if constexpr (kStructProblem<T> == StructProblem::kNoCopy) {
    static_assert(kNever<T>,
                  "Millrace: this struct cannot be copied (a const member, or one that can only be moved). Hold values "
                  "that can be copied and assigned.");
  } else if constexpr (kStructProblem<T> == StructProblem::kBase) {
    static_assert(kNever<T>,
                  "Millrace: this struct has a base, which reflection cannot see into. Make the base a "
                  "field, or give the fields in a friend MillraceFields (millrace/core/schema.h).");
  } else if constexpr (kStructProblem<T> == StructProblem::kTooManyFields) {
    static_assert(kNever<T>,
                  "Millrace: this struct has more than 40 fields. Group some into a nested struct, or give "
                  "the fields in a friend MillraceFields (millrace/core/schema.h).");
  } else if constexpr (kStructProblem<T> == StructProblem::kArray) {
    static_assert(kNever<T>,
                  "Millrace: this struct holds a C array, a std::array or a field that {} cannot make. "
                  "Write std::vector, or std::string for a text.");
  } else if constexpr (kStructProblem<T> == StructProblem::kBitField) {
    static_assert(kNever<T>,
                  "Millrace: this struct has a bit-field, which has no address. Write a whole integer or "
                  "a bool.");
  } else {
    static_assert(kNever<T>,
                  "Millrace: this class has no schema: it has constructors or private members. Write a "
                  "plain struct of public values (numbers, std::string, Timestamp, optional, vector, map, "
                  "structs), or give the fields in a friend MillraceFields (millrace/core/schema.h).");
  }
}

template <class T>
constexpr bool IsDescribable() {
  if constexpr (std::is_class_v<T>) {
    return ScalarKind<T>().has_value() || kIsOptional<T> || kIsVector<T> || MapLike<T> || Reflectable<T>;
  } else {
    return ScalarKind<T>().has_value() || std::is_enum_v<T>;
  }
}

/// The type of the struct `T`, made at the first call.
template <class T>
const Type& StructType() {
  static std::atomic<const Type*> made = nullptr;
  if (const Type* type = made.load(std::memory_order_acquire)) [[likely]]
    return *type;
  static thread_local bool making = false;
  if (making) DieOfRecursiveType(PrettyType<T>());
  making = true;
  static const Schema schema = [] {
    if constexpr (HasFieldList<T>) {
      return ListedSchema<T>(MillraceFields(static_cast<const T*>(nullptr)));
    } else {
      return AggregateSchema<T>(std::make_index_sequence<kFieldCount<T>>());
    }
  }();
  static const Type type = [] {
    Type result = BaseType<T>(FieldKind::kStruct);
    result.schema = &schema;
    result.is_kv = kIsKv<T>;
    return result;
  }();
  making = false;
  made.store(&type, std::memory_order_release);
  return type;
}

template <class T>
const Type& TypeOfImpl() {
  if constexpr (!IsDescribable<T>()) {
    ExplainUndescribable<T>();
    return TypeOfImpl<bool>();  // never reached: keeps the mistake from causing further errors
  } else if constexpr (ScalarKind<T>().has_value()) {
    static constexpr Type kType = BaseType<T>(*ScalarKind<T>());
    return kType;
  } else if constexpr (!std::is_enum_v<T> && !kIsOptional<T> && !kIsVector<T> && !MapLike<T>) {
    return StructType<T>();
  } else {
    static const Type type = [] {
      if constexpr (std::is_enum_v<T>) {
        Type made = BaseType<T>(FieldKind::kEnum);
        made.element = &TypeOfImpl<std::underlying_type_t<T>>();
        return made;
      } else if constexpr (kIsOptional<T>) {
        static_assert(!kIsOptional<typename T::value_type>,
                      "Millrace: an optional of an optional has no schema: a missing value is one thing only.");
        return OptionalType<T>();
      } else if constexpr (kIsVector<T>) {
        static_assert(
            !std::is_same_v<typename T::value_type, bool>,
            "Millrace: the elements of std::vector<bool> have no addresses. Write std::vector<std::uint8_t>.");
        if constexpr (std::is_same_v<typename T::value_type, bool>) {
          return BaseType<T>(FieldKind::kList);
        } else {
          return ListType<T>();
        }
      } else {
        return MapType<T>();
      }
    }();
    return type;
  }
}

}  // namespace millrace::detail
