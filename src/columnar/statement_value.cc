// Statement::Bind: a C++ value as a parameter. See database.h.
#include <cstring>
#include <string_view>
#include <vector>

#include "columnar/database_impl.h"
#include "columnar/temporal.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {
namespace {

template <class Native>
Native Load(const void* value) {
  Native native;
  std::memcpy(&native, value, sizeof(native));
  return native;
}

StatusOr<duckdb_value> ValueOf(const Type& type, const void* value);

StatusOr<duckdb_value> StructValue(const Type& type, const void* value) {
  std::vector<ValueHandle> members;
  std::vector<LogicalTypeHandle> types;
  std::vector<duckdb_value> raw_members;
  std::vector<duckdb_logical_type> raw_types;
  std::vector<const char*> names;
  for (const Field& field : type.schema->fields()) {
    StatusOr<duckdb_value> member = ValueOf(*field.type, field.In(value));
    if (!member.ok()) return member.status().WithContext("field " + field.name);
    members.emplace_back(*member);
    raw_members.push_back(*member);
    raw_types.push_back(duckdb_get_value_type(*member));  // belongs to the value
    names.push_back(field.name.c_str());
  }
  LogicalTypeHandle struct_type(duckdb_create_struct_type(raw_types.data(), names.data(), names.size()));
  return duckdb_create_struct_value(struct_type.get(), raw_members.data());
}

StatusOr<duckdb_value> TextValue(const Type& type, const void* value) {
  const std::string_view text = type.kind == FieldKind::kString
                                    ? std::string_view(*static_cast<const std::string*>(value))
                                    : *static_cast<const std::string_view*>(value);
  duckdb_value made = duckdb_create_varchar_length(text.data(), text.size());
  if (made == nullptr) return InvalidArgumentError("a text is not valid UTF-8");
  return made;
}

StatusOr<duckdb_value> TimestampValue(const void* value) {
  std::int64_t micros = 0;
  const Timestamp time = Load<Timestamp>(value);
  if (!ToDuckdbMicros(time, &micros)) {
    return InvalidArgumentError("the time " + time.ToString() + " lies before the first one that DuckDB can hold");
  }
  return duckdb_create_timestamp({micros});
}

StatusOr<duckdb_value> ValueOf(const Type& type, const void* value) {
  if (value == nullptr) return duckdb_create_null_value();
  switch (type.kind) {
    case FieldKind::kBool: return duckdb_create_bool(Load<bool>(value));
    case FieldKind::kInt8: return duckdb_create_int8(Load<std::int8_t>(value));
    case FieldKind::kInt16: return duckdb_create_int16(Load<std::int16_t>(value));
    case FieldKind::kInt32: return duckdb_create_int32(Load<std::int32_t>(value));
    case FieldKind::kDuration:
    case FieldKind::kInt64: return duckdb_create_int64(Load<std::int64_t>(value));
    case FieldKind::kUint8: return duckdb_create_uint8(Load<std::uint8_t>(value));
    case FieldKind::kUint16: return duckdb_create_uint16(Load<std::uint16_t>(value));
    case FieldKind::kUint32: return duckdb_create_uint32(Load<std::uint32_t>(value));
    case FieldKind::kUint64: return duckdb_create_uint64(Load<std::uint64_t>(value));
    case FieldKind::kFloat: return duckdb_create_float(Load<float>(value));
    case FieldKind::kDouble: return duckdb_create_double(Load<double>(value));
    case FieldKind::kString:
    case FieldKind::kStringView: return TextValue(type, value);
    case FieldKind::kBytes: {
      const auto& bytes = *static_cast<const std::vector<std::byte>*>(value);
      return duckdb_create_blob(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    case FieldKind::kTimestamp: return TimestampValue(value);
    case FieldKind::kEnum: return ValueOf(*type.element, value);
    case FieldKind::kOptional: return ValueOf(*type.element, type.optional_get(value));
    case FieldKind::kStruct: return StructValue(type, value);
    case FieldKind::kList:
    case FieldKind::kMap: break;
  }
  return UnimplementedError("a " + type.ToString() + " cannot be a parameter of a query");
}

}  // namespace

Status Statement::Bind(std::size_t position, const Type& type, const void* value) {
  StatusOr<duckdb_value> made = ValueOf(type, value);
  if (!made.ok()) return made.status().WithContext("parameter " + std::to_string(position));
  ValueHandle owned(*made);
  if (duckdb_bind_value(impl_->handle.get(), position, owned.get()) == DuckDBSuccess) return OkStatus();
  return InvalidArgumentError("the statement has no parameter " + std::to_string(position));
}

}  // namespace millrace::columnar
