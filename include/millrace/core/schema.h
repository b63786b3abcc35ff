// Schemas: what a struct looks like at run time. A plain struct needs no macro: its fields' names, types and offsets
// are derived (`detail/reflect.h`). One description serves the row coder, JSON, CSV, Parquet, SQL columns and the
// views, each written once over `(const Type&, void*)` and no template.
//
// A class that is no aggregate gives its fields itself, in a friend that is found by argument-dependent look-up:
//
//   class Click {
//     std::string id_;
//     friend auto MillraceFields(const Click*) { return millrace::Fields(millrace::Named("id", &Click::id_)); }
//   };
//
// The semantics are Beam's (https://beam.apache.org/documentation/programming-guide/#schemas): ordered named fields,
// nullable where the field is a std::optional.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

enum class FieldKind : std::uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat,
  kDouble,
  kString,      // std::string
  kStringView,  // std::string_view on storage that outlives the pipeline; can be written, never read into
  kBytes,       // std::vector<std::byte>
  kTimestamp,   // millrace::Timestamp
  kDuration,    // millrace::Duration
  kEnum,        // an enum, stored and written as its underlying integer (`Type::element`)
  kOptional,    // std::optional<element>
  kList,        // std::vector<element>
  kMap,         // std::map or std::unordered_map of key to element
  kStruct,      // `Type::schema`
};

class Schema;
struct Type;

/// The most fields that a schema may have.
inline constexpr std::size_t kMaxSchemaFields = 256;

namespace detail {
template <class T>
const Type& TypeOfImpl();
}  // namespace detail

/// A type at run time. All instances are static: they live as long as the process and are compared by address only
/// when they come from the same C++ type; `SameStructure` below compares structure.
struct Type {
  FieldKind kind;
  std::size_t size;                // sizeof the C++ type, in bytes
  const Type* element = nullptr;   // of kOptional, kList, kMap (the value) and kEnum (the underlying integer)
  const Type* key = nullptr;       // of kMap
  const Schema* schema = nullptr;  // of kStruct
  bool is_kv = false;              // of kStruct: it is a KV, which as an element has Beam's kv coder

  // kOptional: the address of the value or null; make a default value and give its address; make empty.
  const void* (*optional_get)(const void* object) = nullptr;
  void* (*optional_emplace)(void* object) = nullptr;
  void (*optional_reset)(void* object) = nullptr;
  // kList: the number of elements; the address of one; add a default one and give its address; remove all.
  std::size_t (*list_size)(const void* object) = nullptr;
  const void* (*list_at)(const void* object, std::size_t index) = nullptr;
  void* (*list_append)(void* object) = nullptr;
  void (*list_clear)(void* object) = nullptr;
  // kMap: call `visit(context, key, value)` for each entry in the order of the container; insert a default value under
  // the key that `*key` holds (it is moved from) and give the value's address; remove all.
  std::size_t (*map_size)(const void* object) = nullptr;
  void (*map_visit)(const void* object, void* context, void (*visit)(void*, const void*, const void*)) = nullptr;
  void* (*map_insert)(void* object, void* key) = nullptr;
  void (*map_clear)(void* object) = nullptr;
  // Every type: a default value on the heap and its removal, and a copy, for readers that need a scratch object.
  void* (*create)() = nullptr;
  void (*destroy)(void* object) = nullptr;
  void (*assign)(void* to, const void* from) = nullptr;

  /// "int64", "string", "optional<list<double>>", "row<Click>", "timestamp".
  std::string ToString() const;
};

/// One named field of a struct.
struct Field {
  std::string name;        // not empty, unique; no quote, backslash or control character
  std::size_t offset = 0;  // in bytes from the start of the struct
  const Type* type = nullptr;

  const void* In(const void* object) const { return static_cast<const char*>(object) + offset; }
  void* In(void* object) const { return static_cast<char*>(object) + offset; }
};

/// The ordered fields of a struct. Immutable, static, thread safe.
class Schema {
 public:
  Schema(std::string name, std::vector<Field> fields);

  const std::string& name() const { return name_; }
  const std::vector<Field>& fields() const { return fields_; }
  /// The field of that name, or null.
  const Field* Find(std::string_view name) const;
  /// The field at that offset in bytes, or null; the way from a member pointer to its name (`FieldOf`).
  const Field* FindOffset(std::size_t offset) const;
  /// Depends on the fields' names, types and order, not on the struct's C++ name: state and files are found by it.
  std::uint64_t fingerprint() const { return fingerprint_; }
  /// "Click{id: string, at: timestamp}".
  std::string ToString() const;

 private:
  std::string name_;
  std::vector<Field> fields_;
  std::uint64_t fingerprint_;
};

/// Whether both have the same kinds, field names and order all the way down, whatever their C++ types are called.
bool SameStructure(const Type& a, const Type& b);

}  // namespace millrace

#include "millrace/detail/reflect.h"

namespace millrace {

/// The run-time type of `T`; a `static_assert` says what to write instead where `T` has none.
template <class T>
const Type& TypeOf() {
  return detail::TypeOfImpl<T>();
}

/// The schema of a struct `T`.
template <class T>
const Schema& SchemaOf() {
  static_assert(detail::Reflectable<T>, "Millrace: SchemaOf needs a struct; TypeOf describes any type.");
  return *TypeOf<T>().schema;
}

/// The field that a member pointer means, such as `FieldOf(&Click::user)`; null when the class's `MillraceFields`
/// leaves it out.
template <class C, class M>
  requires std::is_object_v<M>
const Field* FieldOf(M C::* member) {
  return SchemaOf<C>().FindOffset(detail::MemberOffset(member));
}

}  // namespace millrace
