#include "columnar/column_decoder.h"

#include "columnar/decode_native.h"
#include "columnar/duckdb_handle.h"

namespace millrace::columnar {
namespace {

bool IsInteger(duckdb_type id) {
  return (id >= DUCKDB_TYPE_TINYINT && id <= DUCKDB_TYPE_UBIGINT) || id == DUCKDB_TYPE_HUGEINT;
}

bool IsNumber(duckdb_type id) {
  return IsInteger(id) || id == DUCKDB_TYPE_FLOAT || id == DUCKDB_TYPE_DOUBLE || id == DUCKDB_TYPE_DECIMAL;
}

bool IsTime(duckdb_type id) {
  return id == DUCKDB_TYPE_TIMESTAMP || id == DUCKDB_TYPE_TIMESTAMP_TZ || id == DUCKDB_TYPE_TIMESTAMP_S ||
         id == DUCKDB_TYPE_TIMESTAMP_MS || id == DUCKDB_TYPE_TIMESTAMP_NS || id == DUCKDB_TYPE_DATE;
}

bool FitsScalar(duckdb_type id, FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool: return id == DUCKDB_TYPE_BOOLEAN;
    case FieldKind::kInt8:
    case FieldKind::kInt16:
    case FieldKind::kInt32:
    case FieldKind::kInt64:
    case FieldKind::kUint8:
    case FieldKind::kUint16:
    case FieldKind::kUint32:
    case FieldKind::kUint64: return IsInteger(id);
    case FieldKind::kFloat:
    case FieldKind::kDouble: return IsNumber(id);
    case FieldKind::kString: return id == DUCKDB_TYPE_VARCHAR || id == DUCKDB_TYPE_ENUM;
    case FieldKind::kBytes: return id == DUCKDB_TYPE_BLOB || id == DUCKDB_TYPE_VARCHAR;
    case FieldKind::kTimestamp: return IsTime(id);
    case FieldKind::kDuration:
      return id == DUCKDB_TYPE_BIGINT || id == DUCKDB_TYPE_INTEGER || id == DUCKDB_TYPE_INTERVAL;
    default: return false;
  }
}

Status Mismatch(duckdb_logical_type column_type, const Type& type, const std::string& field) {
  std::string message =
      "column " + field + " has type " + TypeText(column_type) + " and cannot be read into a " + type.ToString();
  if (type.kind == FieldKind::kStringView) message += "; declare the field as std::string";
  return InvalidArgumentError(std::move(message));
}

Status AddChild(ColumnDecoder& decoder, duckdb_logical_type child_type, const Type& type, std::string field) {
  LogicalTypeHandle owned(child_type);
  StatusOr<ColumnDecoder> child = ColumnDecoder::Make(owned.get(), type, std::move(field));
  if (!child.ok()) return child.status();
  decoder.children.push_back(std::move(*child));
  return OkStatus();
}

Status AddMembers(ColumnDecoder& decoder, duckdb_logical_type column_type) {
  for (const Field& member : decoder.type->schema->fields()) {
    const std::string path = decoder.field + "." + member.name;
    idx_t found = duckdb_struct_type_child_count(column_type);
    for (idx_t i = 0; i < duckdb_struct_type_child_count(column_type); ++i) {
      if (TakeString(duckdb_struct_type_child_name(column_type, i)) == member.name) found = i;
    }
    if (found == duckdb_struct_type_child_count(column_type)) {
      return InvalidArgumentError("column " + path + " is missing: " + decoder.field + " is " + TypeText(column_type));
    }
    Status status = AddChild(decoder, duckdb_struct_type_child_type(column_type, found), *member.type, path);
    if (!status.ok()) return status;
    decoder.child_columns.push_back(found);
  }
  return OkStatus();
}

Status AddChildren(ColumnDecoder& decoder, duckdb_logical_type column_type) {
  const Type& type = *decoder.type;
  const duckdb_type id = decoder.column_type;
  if (type.kind == FieldKind::kStruct && id == DUCKDB_TYPE_STRUCT) return AddMembers(decoder, column_type);
  if (type.kind == FieldKind::kList && id == DUCKDB_TYPE_LIST) {
    return AddChild(decoder, duckdb_list_type_child_type(column_type), *type.element, decoder.field + "[]");
  }
  if (type.kind == FieldKind::kList && id == DUCKDB_TYPE_ARRAY) {
    decoder.array_size = duckdb_array_type_array_size(column_type);
    return AddChild(decoder, duckdb_array_type_child_type(column_type), *type.element, decoder.field + "[]");
  }
  if (type.kind == FieldKind::kMap && id == DUCKDB_TYPE_MAP) {
    Status status = AddChild(decoder, duckdb_map_type_key_type(column_type), *type.key, decoder.field + "{key}");
    if (!status.ok()) return status;
    return AddChild(decoder, duckdb_map_type_value_type(column_type), *type.element, decoder.field + "{}");
  }
  return Mismatch(column_type, type, decoder.field);
}

void DecodeLists(const ColumnDecoder& decoder, duckdb_vector vector, std::size_t first, std::size_t count,
                 const Slots& slots, IssueCollector& issues) {
  const bool is_array = decoder.column_type == DUCKDB_TYPE_ARRAY;
  const auto* entries = is_array ? nullptr : static_cast<const duckdb_list_entry*>(duckdb_vector_get_data(vector));
  duckdb_vector child = is_array ? duckdb_array_vector_get_child(vector) : duckdb_list_vector_get_child(vector);
  const Type& type = *decoder.type;
  for (std::size_t i = 0; i < count; ++i) {
    if (!slots.IsValid(first + i)) {
      issues.Add(i, decoder.field, kNullReason);
      continue;
    }
    const std::size_t begin = is_array ? (first + i) * decoder.array_size : entries[first + i].offset;
    const std::size_t size = is_array ? decoder.array_size : entries[first + i].length;
    void* list = slots.At(i);
    type.list_clear(list);
    for (std::size_t e = 0; e < size; ++e) type.list_append(list);
    if (size == 0) continue;
    OneRowScope scope(issues, i);
    // A std::vector's elements lie side by side.
    decoder.children[0].Decode(child, begin, size, const_cast<void*>(type.list_at(list, 0)), type.element->size,
                               issues);
  }
}

void DecodeMaps(const ColumnDecoder& decoder, duckdb_vector vector, std::size_t first, std::size_t count,
                const Slots& slots, IssueCollector& issues) {
  const auto* entries = static_cast<const duckdb_list_entry*>(duckdb_vector_get_data(vector));
  duckdb_vector child = duckdb_list_vector_get_child(vector);
  duckdb_vector keys = duckdb_struct_vector_get_child(child, 0);
  duckdb_vector values = duckdb_struct_vector_get_child(child, 1);
  const Type& type = *decoder.type;
  for (std::size_t i = 0; i < count; ++i) {
    if (!slots.IsValid(first + i)) {
      issues.Add(i, decoder.field, kNullReason);
      continue;
    }
    OneRowScope scope(issues, i);
    type.map_clear(slots.At(i));
    for (std::size_t e = entries[first + i].offset; e < entries[first + i].offset + entries[first + i].length; ++e) {
      void* key = type.key->create();
      decoder.children[0].Decode(keys, e, 1, key, 0, issues);
      void* value = type.map_insert(slots.At(i), key);
      type.key->destroy(key);
      decoder.children[1].Decode(values, e, 1, value, 0, issues);
    }
  }
}

void DecodeStructs(const ColumnDecoder& decoder, duckdb_vector vector, std::size_t first, std::size_t count,
                   const Slots& slots, IssueCollector& issues) {
  const std::vector<Field>& fields = decoder.type->schema->fields();
  // A NULL struct has NULL members: decode around it, so that it is one issue and not one per member.
  for (std::size_t i = 0; i < count;) {
    if (!slots.IsValid(first + i)) {
      issues.Add(i++, decoder.field, kNullReason);
      continue;
    }
    std::size_t run = i + 1;
    while (run < count && slots.IsValid(first + run)) ++run;
    IssueCollector inner = issues;
    if (!inner.is_one_row()) inner.SetRows(issues.RowOf(i));
    for (std::size_t f = 0; f < fields.size(); ++f) {
      duckdb_vector member = duckdb_struct_vector_get_child(vector, decoder.child_columns[f]);
      decoder.children[f].Decode(member, first + i, run - i, fields[f].In(slots.At(i)), slots.stride, inner);
    }
    i = run;
  }
}

void DecodeOptionals(const ColumnDecoder& decoder, duckdb_vector vector, std::size_t first, std::size_t count,
                     const Slots& slots, IssueCollector& issues) {
  for (std::size_t i = 0; i < count;) {
    if (!slots.IsValid(first + i)) {
      decoder.type->optional_reset(slots.At(i++));
      continue;
    }
    // The values of optionals lie as far apart as the optionals do: a run of them is decoded at once.
    void* value = decoder.type->optional_emplace(slots.At(i));
    std::size_t run = i + 1;
    for (; run < count && slots.IsValid(first + run); ++run) decoder.type->optional_emplace(slots.At(run));
    IssueCollector inner = issues;
    if (!inner.is_one_row()) inner.SetRows(issues.RowOf(i));
    decoder.children[0].Decode(vector, first + i, run - i, value, slots.stride, inner);
    i = run;
  }
}

}  // namespace

StatusOr<ColumnDecoder> ColumnDecoder::Make(duckdb_logical_type column_type, const Type& type, std::string field) {
  ColumnDecoder decoder;
  decoder.type = &type;
  decoder.column_type = duckdb_get_type_id(column_type);
  decoder.field = std::move(field);
  Status status;
  if (type.kind == FieldKind::kOptional || type.kind == FieldKind::kEnum) {
    StatusOr<ColumnDecoder> child = Make(column_type, *type.element, decoder.field);
    if (!child.ok()) return child.status();
    decoder.children.push_back(std::move(*child));
  } else if (type.kind == FieldKind::kStruct || type.kind == FieldKind::kList || type.kind == FieldKind::kMap) {
    status = AddChildren(decoder, column_type);
  } else if (!FitsScalar(decoder.column_type, type.kind)) {
    status = Mismatch(column_type, type, decoder.field);
  }
  if (!status.ok()) return status;
  if (decoder.column_type == DUCKDB_TYPE_DECIMAL) {
    decoder.internal_type = duckdb_decimal_internal_type(column_type);
    decoder.decimal_scale = duckdb_decimal_scale(column_type);
  }
  if (decoder.column_type == DUCKDB_TYPE_ENUM) {
    decoder.internal_type = duckdb_enum_internal_type(column_type);
    for (idx_t i = 0; i < duckdb_enum_dictionary_size(column_type); ++i) {
      decoder.dictionary.push_back(TakeString(duckdb_enum_dictionary_value(column_type, i)));
    }
  }
  return decoder;
}

void ColumnDecoder::Decode(duckdb_vector vector, std::size_t first, std::size_t count, void* base, std::size_t stride,
                           IssueCollector& issues) const {
  const Slots slots{static_cast<char*>(base), stride, duckdb_vector_get_validity(vector)};
  switch (type->kind) {
    case FieldKind::kOptional: return DecodeOptionals(*this, vector, first, count, slots, issues);
    case FieldKind::kEnum: return children[0].Decode(vector, first, count, base, stride, issues);
    case FieldKind::kList: return DecodeLists(*this, vector, first, count, slots, issues);
    case FieldKind::kMap: return DecodeMaps(*this, vector, first, count, slots, issues);
    case FieldKind::kStruct: return DecodeStructs(*this, vector, first, count, slots, issues);
    default: return DecodeNative(*this, duckdb_vector_get_data(vector), first, count, slots, issues);
  }
}

}  // namespace millrace::columnar
