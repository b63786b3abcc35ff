// Any DuckDB value as text, in DuckDB's own spelling. It is written here because the C interface formats values but not
// vectors, and its older function gives nothing for TIMESTAMP WITH TIME ZONE.
#include <charconv>

#include "columnar/database_impl.h"

namespace millrace::columnar {
namespace {

template <class Native>
Native At(duckdb_vector vector, std::size_t row) {
  return static_cast<const Native*>(duckdb_vector_get_data(vector))[row];
}

template <class Number>
std::string FormatNumber(Number number) {
  char text[64];
  auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  return error == std::errc() ? std::string(text, end) : std::string();
}

std::string FormatOwned(duckdb_value value) {
  ValueHandle owned(value);
  return TakeString(duckdb_get_varchar(owned.get()));
}

std::string FormatDecimal(duckdb_vector vector, duckdb_logical_type type, std::size_t row) {
  duckdb_decimal decimal{duckdb_decimal_width(type), duckdb_decimal_scale(type), {}};
  switch (duckdb_decimal_internal_type(type)) {
    case DUCKDB_TYPE_SMALLINT: decimal.value.lower = static_cast<std::uint64_t>(At<std::int16_t>(vector, row)); break;
    case DUCKDB_TYPE_INTEGER: decimal.value.lower = static_cast<std::uint64_t>(At<std::int32_t>(vector, row)); break;
    case DUCKDB_TYPE_BIGINT: decimal.value.lower = static_cast<std::uint64_t>(At<std::int64_t>(vector, row)); break;
    default: decimal.value = At<duckdb_hugeint>(vector, row); return FormatOwned(duckdb_create_decimal(decimal));
  }
  decimal.value.upper = static_cast<std::int64_t>(decimal.value.lower) < 0 ? -1 : 0;
  return FormatOwned(duckdb_create_decimal(decimal));
}

std::string FormatEnum(duckdb_vector vector, duckdb_logical_type type, std::size_t row) {
  switch (duckdb_enum_internal_type(type)) {
    case DUCKDB_TYPE_UTINYINT: return TakeString(duckdb_enum_dictionary_value(type, At<std::uint8_t>(vector, row)));
    case DUCKDB_TYPE_USMALLINT: return TakeString(duckdb_enum_dictionary_value(type, At<std::uint16_t>(vector, row)));
    default: return TakeString(duckdb_enum_dictionary_value(type, At<std::uint32_t>(vector, row)));
  }
}

std::string FormatText(duckdb_vector vector, std::size_t row) {
  auto* text = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector)) + row;
  return std::string(duckdb_string_t_data(text), duckdb_string_t_length(*text));
}

std::string FormatBlob(duckdb_vector vector, std::size_t row) {
  const std::string bytes = FormatText(vector, row);
  return FormatOwned(duckdb_create_blob(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

std::string FormatUuid(duckdb_vector vector, std::size_t row) {
  const auto stored = At<duckdb_hugeint>(vector, row);
  // A vector keeps the first bit flipped, so that the order of integers is the order of UUIDs.
  const std::uint64_t upper = static_cast<std::uint64_t>(stored.upper) ^ (std::uint64_t{1} << 63);
  return FormatOwned(duckdb_create_uuid({stored.lower, upper}));
}

std::string FormatOrNull(duckdb_vector vector, duckdb_logical_type type, std::size_t row) {
  uint64_t* validity = duckdb_vector_get_validity(vector);
  if (validity != nullptr && !duckdb_validity_row_is_valid(validity, row)) return "NULL";
  return FormatValue(vector, type, row);
}

std::string FormatList(duckdb_vector child, duckdb_logical_type child_type, std::size_t begin, std::size_t size) {
  LogicalTypeHandle owned(child_type);
  std::string text = "[";
  for (std::size_t i = begin; i < begin + size; ++i) {
    if (i > begin) text += ", ";
    text += FormatOrNull(child, owned.get(), i);
  }
  return text += "]";
}

std::string FormatStruct(duckdb_vector vector, duckdb_logical_type type, std::size_t row) {
  std::string text = "{";
  for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i) {
    LogicalTypeHandle member(duckdb_struct_type_child_type(type, i));
    if (i > 0) text += ", ";
    text += "'" + TakeString(duckdb_struct_type_child_name(type, i)) + "': ";
    text += FormatOrNull(duckdb_struct_vector_get_child(vector, i), member.get(), row);
  }
  return text += "}";
}

std::string FormatMap(duckdb_vector vector, duckdb_logical_type type, std::size_t row) {
  const auto entry = At<duckdb_list_entry>(vector, row);
  duckdb_vector child = duckdb_list_vector_get_child(vector);
  LogicalTypeHandle key(duckdb_map_type_key_type(type));
  LogicalTypeHandle value(duckdb_map_type_value_type(type));
  std::string text = "{";
  for (std::size_t i = entry.offset; i < entry.offset + entry.length; ++i) {
    if (i > entry.offset) text += ", ";
    text += FormatOrNull(duckdb_struct_vector_get_child(child, 0), key.get(), i) + "=";
    text += FormatOrNull(duckdb_struct_vector_get_child(child, 1), value.get(), i);
  }
  return text += "}";
}

}  // namespace

std::string FormatValue(duckdb_vector vector, duckdb_logical_type type, std::size_t row) {
  switch (duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_BOOLEAN: return At<bool>(vector, row) ? "true" : "false";
    case DUCKDB_TYPE_TINYINT: return FormatNumber(At<std::int8_t>(vector, row));
    case DUCKDB_TYPE_SMALLINT: return FormatNumber(At<std::int16_t>(vector, row));
    case DUCKDB_TYPE_INTEGER: return FormatNumber(At<std::int32_t>(vector, row));
    case DUCKDB_TYPE_BIGINT: return FormatNumber(At<std::int64_t>(vector, row));
    case DUCKDB_TYPE_UTINYINT: return FormatNumber(At<std::uint8_t>(vector, row));
    case DUCKDB_TYPE_USMALLINT: return FormatNumber(At<std::uint16_t>(vector, row));
    case DUCKDB_TYPE_UINTEGER: return FormatNumber(At<std::uint32_t>(vector, row));
    case DUCKDB_TYPE_UBIGINT: return FormatNumber(At<std::uint64_t>(vector, row));
    case DUCKDB_TYPE_FLOAT: return FormatOwned(duckdb_create_float(At<float>(vector, row)));
    case DUCKDB_TYPE_DOUBLE: return FormatOwned(duckdb_create_double(At<double>(vector, row)));
    case DUCKDB_TYPE_HUGEINT: return FormatOwned(duckdb_create_hugeint(At<duckdb_hugeint>(vector, row)));
    case DUCKDB_TYPE_UHUGEINT: return FormatOwned(duckdb_create_uhugeint(At<duckdb_uhugeint>(vector, row)));
    case DUCKDB_TYPE_TIMESTAMP: return FormatOwned(duckdb_create_timestamp(At<duckdb_timestamp>(vector, row)));
    // The text of an instant is given in UTC, whatever the time zone of the session is.
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return FormatOwned(duckdb_create_timestamp(At<duckdb_timestamp>(vector, row))) + "+00";
    case DUCKDB_TYPE_TIMESTAMP_S: return FormatOwned(duckdb_create_timestamp_s(At<duckdb_timestamp_s>(vector, row)));
    case DUCKDB_TYPE_TIMESTAMP_MS: return FormatOwned(duckdb_create_timestamp_ms(At<duckdb_timestamp_ms>(vector, row)));
    case DUCKDB_TYPE_TIMESTAMP_NS: return FormatOwned(duckdb_create_timestamp_ns(At<duckdb_timestamp_ns>(vector, row)));
    case DUCKDB_TYPE_DATE: return FormatOwned(duckdb_create_date(At<duckdb_date>(vector, row)));
    case DUCKDB_TYPE_TIME: return FormatOwned(duckdb_create_time(At<duckdb_time>(vector, row)));
    case DUCKDB_TYPE_TIME_TZ: return FormatOwned(duckdb_create_time_tz_value(At<duckdb_time_tz>(vector, row)));
    case DUCKDB_TYPE_INTERVAL: return FormatOwned(duckdb_create_interval(At<duckdb_interval>(vector, row)));
    case DUCKDB_TYPE_VARCHAR: return FormatText(vector, row);
    case DUCKDB_TYPE_BLOB: return FormatBlob(vector, row);
    case DUCKDB_TYPE_DECIMAL: return FormatDecimal(vector, type, row);
    case DUCKDB_TYPE_ENUM: return FormatEnum(vector, type, row);
    case DUCKDB_TYPE_UUID: return FormatUuid(vector, row);
    case DUCKDB_TYPE_STRUCT: return FormatStruct(vector, type, row);
    case DUCKDB_TYPE_MAP: return FormatMap(vector, type, row);
    case DUCKDB_TYPE_LIST: {
      const auto entry = At<duckdb_list_entry>(vector, row);
      return FormatList(duckdb_list_vector_get_child(vector), duckdb_list_type_child_type(type), entry.offset,
                        entry.length);
    }
    case DUCKDB_TYPE_ARRAY: {
      const std::size_t size = duckdb_array_type_array_size(type);
      return FormatList(duckdb_array_vector_get_child(vector), duckdb_array_type_child_type(type), row * size, size);
    }
    default: return "(a value of " + TypeText(type) + "; cast it to VARCHAR in the query)";
  }
}

}  // namespace millrace::columnar
