#include "columnar/column_encoder.h"

#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "columnar/duckdb_handle.h"
#include "columnar/temporal.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {
namespace {

void SetNull(duckdb_vector vector, std::size_t row) {
  duckdb_vector_ensure_validity_writable(vector);
  duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), row);
}

template <class Native>
Status EncodeNative(duckdb_vector vector, const ColumnSource& source, std::size_t first, std::size_t count,
                    std::size_t at) {
  Native* data = static_cast<Native*>(duckdb_vector_get_data(vector)) + at;
  for (std::size_t i = 0; i < count; ++i) {
    const void* value = source.At(first + i);
    if (value == nullptr) {
      SetNull(vector, at + i);
    } else {
      std::memcpy(&data[i], value, sizeof(Native));
    }
  }
  return OkStatus();
}

bool IsAscii(std::string_view text) {
  unsigned char bits = 0;
  for (char c : text) bits |= static_cast<unsigned char>(c);
  return bits < 0x80;
}

// Short strings live inside the 16-byte entry; writing them here saves a call per value.
void PutString(duckdb_vector vector, duckdb_string_t* data, std::size_t row, std::string_view text) {
  if (text.size() <= sizeof(data[row].value.inlined.inlined)) {
    duckdb_string_t entry;
    std::memset(&entry, 0, sizeof(entry));
    entry.value.inlined.length = static_cast<std::uint32_t>(text.size());
    if (!text.empty()) std::memcpy(entry.value.inlined.inlined, text.data(), text.size());
    data[row] = entry;
  } else {
    duckdb_unsafe_vector_assign_string_element_len(vector, row, text.data(), text.size());
  }
}

template <class Text>
Status EncodeText(duckdb_vector vector, const ColumnSource& source, std::size_t first, std::size_t count,
                  std::size_t at) {
  auto* data = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector));
  for (std::size_t i = 0; i < count; ++i) {
    const auto* value = static_cast<const Text*>(source.At(first + i));
    if (value == nullptr) {
      SetNull(vector, at + i);
      continue;
    }
    const std::string_view text(reinterpret_cast<const char*>(value->data()), value->size());
    if constexpr (!std::is_same_v<Text, std::vector<std::byte>>) {
      if (!IsUtf8(text)) {
        return InvalidArgumentError("row " + std::to_string(i) + ": a text is not valid UTF-8; use bytes for raw data");
      }
    }
    if (text.size() > kStringBytesMax) {
      return InvalidArgumentError("row " + std::to_string(i) + ": a text of " + std::to_string(text.size()) +
                                  " bytes is longer than DuckDB's limit of 4 GiB");
    }
    PutString(vector, data, at + i, text);
  }
  return OkStatus();
}

Status EncodeTimestamps(duckdb_vector vector, const ColumnSource& source, std::size_t first, std::size_t count,
                        std::size_t at) {
  std::int64_t* data = static_cast<std::int64_t*>(duckdb_vector_get_data(vector)) + at;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* value = static_cast<const Timestamp*>(source.At(first + i));
    if (value == nullptr) {
      SetNull(vector, at + i);
    } else if (!ToDuckdbMicros(*value, &data[i])) {
      return InvalidArgumentError("row " + std::to_string(i) + ": the time " + value->ToString() +
                                  " lies before the first one that DuckDB can hold");
    }
  }
  return OkStatus();
}

Status EncodeOptionals(duckdb_vector vector, const Type& type, const ColumnSource& source, std::size_t first,
                       std::size_t count, std::size_t at) {
  std::vector<const void*> values(count, nullptr);
  for (std::size_t i = 0; i < count; ++i) {
    const void* optional = source.At(first + i);
    if (optional != nullptr) values[i] = type.optional_get(optional);
  }
  return EncodeColumn(vector, *type.element, {.objects = values.data()}, 0, count, at);
}

Status EncodeStructs(duckdb_vector vector, const Type& type, const ColumnSource& source, std::size_t first,
                     std::size_t count, std::size_t at) {
  for (std::size_t i = 0; i < count; ++i) {
    if (source.At(first + i) == nullptr) SetNull(vector, at + i);
  }
  const std::vector<Field>& fields = type.schema->fields();
  for (std::size_t f = 0; f < fields.size(); ++f) {
    ColumnSource member = source;
    member.offset += fields[f].offset;
    Status status = EncodeColumn(duckdb_struct_vector_get_child(vector, f), *fields[f].type, member, first, count, at);
    if (!status.ok()) return status.WithContext("field " + fields[f].name);
  }
  return OkStatus();
}

// Sets the entries of a list or map vector and makes room for the children; gives the position of the first child.
struct ChildSpan {
  std::vector<const void*> objects;  // the lists or maps of the rows, null where the row is NULL
  std::size_t begin = 0;
};
ChildSpan LayOutChildren(duckdb_vector vector, const ColumnSource& source, std::size_t first, std::size_t count,
                         std::size_t at, std::size_t (*size_of)(const void*)) {
  ChildSpan span;
  span.objects.resize(count);
  span.begin = duckdb_list_vector_get_size(vector);
  auto* entries = static_cast<duckdb_list_entry*>(duckdb_vector_get_data(vector));
  std::size_t end = span.begin;
  for (std::size_t i = 0; i < count; ++i) {
    span.objects[i] = source.At(first + i);
    const std::size_t size = span.objects[i] == nullptr ? 0 : size_of(span.objects[i]);
    entries[at + i] = {end, size};
    end += size;
    if (span.objects[i] == nullptr) SetNull(vector, at + i);
  }
  duckdb_list_vector_reserve(vector, end);
  duckdb_list_vector_set_size(vector, end);
  return span;
}

Status EncodeLists(duckdb_vector vector, const Type& type, const ColumnSource& source, std::size_t first,
                   std::size_t count, std::size_t at) {
  ChildSpan span = LayOutChildren(vector, source, first, count, at, type.list_size);
  std::vector<const void*> elements;
  for (const void* list : span.objects) {
    const std::size_t size = list == nullptr ? 0 : type.list_size(list);
    for (std::size_t e = 0; e < size; ++e) elements.push_back(type.list_at(list, e));
  }
  return EncodeColumn(duckdb_list_vector_get_child(vector), *type.element, {.objects = elements.data()}, 0,
                      elements.size(), span.begin);
}

struct Entries {
  std::vector<const void*> keys;
  std::vector<const void*> values;
};

Status EncodeMaps(duckdb_vector vector, const Type& type, const ColumnSource& source, std::size_t first,
                  std::size_t count, std::size_t at) {
  ChildSpan span = LayOutChildren(vector, source, first, count, at, type.map_size);
  Entries entries;
  for (const void* map : span.objects) {
    if (map == nullptr) continue;
    type.map_visit(map, &entries, [](void* context, const void* key, const void* value) {
      static_cast<Entries*>(context)->keys.push_back(key);
      static_cast<Entries*>(context)->values.push_back(value);
    });
  }
  duckdb_vector child = duckdb_list_vector_get_child(vector);
  Status status = EncodeColumn(duckdb_struct_vector_get_child(child, 0), *type.key, {.objects = entries.keys.data()}, 0,
                               entries.keys.size(), span.begin);
  if (!status.ok()) return status;
  return EncodeColumn(duckdb_struct_vector_get_child(child, 1), *type.element, {.objects = entries.values.data()}, 0,
                      entries.values.size(), span.begin);
}

Status Mismatch(duckdb_logical_type column_type, const Type& type) {
  return InvalidArgumentError("a value of type " + type.ToString() + " cannot be written into a column of type " +
                              TypeText(column_type));
}

Status CheckStruct(duckdb_logical_type column_type, const Type& type) {
  if (duckdb_get_type_id(column_type) != DUCKDB_TYPE_STRUCT) return Mismatch(column_type, type);
  const std::vector<Field>& fields = type.schema->fields();
  if (duckdb_struct_type_child_count(column_type) != fields.size()) return Mismatch(column_type, type);
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (TakeString(duckdb_struct_type_child_name(column_type, f)) != fields[f].name) return Mismatch(column_type, type);
    LogicalTypeHandle member(duckdb_struct_type_child_type(column_type, f));
    Status status = CheckEncodable(member.get(), *fields[f].type);
    if (!status.ok()) return status.WithContext("field " + fields[f].name);
  }
  return OkStatus();
}

duckdb_type NativeTypeOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool: return DUCKDB_TYPE_BOOLEAN;
    case FieldKind::kInt8: return DUCKDB_TYPE_TINYINT;
    case FieldKind::kInt16: return DUCKDB_TYPE_SMALLINT;
    case FieldKind::kInt32: return DUCKDB_TYPE_INTEGER;
    case FieldKind::kInt64:
    case FieldKind::kDuration: return DUCKDB_TYPE_BIGINT;
    case FieldKind::kUint8: return DUCKDB_TYPE_UTINYINT;
    case FieldKind::kUint16: return DUCKDB_TYPE_USMALLINT;
    case FieldKind::kUint32: return DUCKDB_TYPE_UINTEGER;
    case FieldKind::kUint64: return DUCKDB_TYPE_UBIGINT;
    case FieldKind::kFloat: return DUCKDB_TYPE_FLOAT;
    case FieldKind::kDouble: return DUCKDB_TYPE_DOUBLE;
    case FieldKind::kString:
    case FieldKind::kStringView: return DUCKDB_TYPE_VARCHAR;
    case FieldKind::kBytes: return DUCKDB_TYPE_BLOB;
    case FieldKind::kTimestamp: return DUCKDB_TYPE_TIMESTAMP;
    default: return DUCKDB_TYPE_INVALID;
  }
}

}  // namespace

bool IsUtf8(std::string_view text) {
  if (IsAscii(text)) return true;
  duckdb_error_data error = duckdb_valid_utf8_check(text.data(), text.size());
  if (error == nullptr) return true;
  duckdb_destroy_error_data(&error);
  return false;
}

Status CheckEncodable(duckdb_logical_type column_type, const Type& type) {
  const duckdb_type id = duckdb_get_type_id(column_type);
  switch (type.kind) {
    case FieldKind::kOptional:
    case FieldKind::kEnum: return CheckEncodable(column_type, *type.element);
    case FieldKind::kStruct: return CheckStruct(column_type, type);
    case FieldKind::kList: {
      if (id != DUCKDB_TYPE_LIST) return Mismatch(column_type, type);
      LogicalTypeHandle child(duckdb_list_type_child_type(column_type));
      return CheckEncodable(child.get(), *type.element);
    }
    case FieldKind::kMap: {
      if (id != DUCKDB_TYPE_MAP) return Mismatch(column_type, type);
      LogicalTypeHandle key(duckdb_map_type_key_type(column_type));
      LogicalTypeHandle value(duckdb_map_type_value_type(column_type));
      Status status = CheckEncodable(key.get(), *type.key);
      return status.ok() ? CheckEncodable(value.get(), *type.element) : status;
    }
    default: return NativeTypeOf(type.kind) == id ? OkStatus() : Mismatch(column_type, type);
  }
}

Status EncodeColumn(duckdb_vector vector, const Type& type, const ColumnSource& source, std::size_t first,
                    std::size_t count, std::size_t at) {
  switch (type.kind) {
    case FieldKind::kBool:
    case FieldKind::kInt8:
    case FieldKind::kUint8: return EncodeNative<std::uint8_t>(vector, source, first, count, at);
    case FieldKind::kInt16:
    case FieldKind::kUint16: return EncodeNative<std::uint16_t>(vector, source, first, count, at);
    case FieldKind::kInt32:
    case FieldKind::kUint32:
    case FieldKind::kFloat: return EncodeNative<std::uint32_t>(vector, source, first, count, at);
    case FieldKind::kInt64:
    case FieldKind::kUint64:
    case FieldKind::kDouble:
    case FieldKind::kDuration: return EncodeNative<std::uint64_t>(vector, source, first, count, at);
    case FieldKind::kString: return EncodeText<std::string>(vector, source, first, count, at);
    case FieldKind::kStringView: return EncodeText<std::string_view>(vector, source, first, count, at);
    case FieldKind::kBytes: return EncodeText<std::vector<std::byte>>(vector, source, first, count, at);
    case FieldKind::kTimestamp: return EncodeTimestamps(vector, source, first, count, at);
    case FieldKind::kEnum: return EncodeColumn(vector, *type.element, source, first, count, at);
    case FieldKind::kOptional: return EncodeOptionals(vector, type, source, first, count, at);
    case FieldKind::kList: return EncodeLists(vector, type, source, first, count, at);
    case FieldKind::kMap: return EncodeMaps(vector, type, source, first, count, at);
    case FieldKind::kStruct: return EncodeStructs(vector, type, source, first, count, at);
  }
  return InternalError("unknown field kind " + std::to_string(static_cast<int>(type.kind)));
}

}  // namespace millrace::columnar
