#include "columnar/duckdb_handle.h"

#include <array>

namespace millrace::columnar {
namespace {

std::string SimpleTypeText(duckdb_type id) {
  switch (id) {
    case DUCKDB_TYPE_BOOLEAN: return "BOOLEAN";
    case DUCKDB_TYPE_TINYINT: return "TINYINT";
    case DUCKDB_TYPE_SMALLINT: return "SMALLINT";
    case DUCKDB_TYPE_INTEGER: return "INTEGER";
    case DUCKDB_TYPE_BIGINT: return "BIGINT";
    case DUCKDB_TYPE_UTINYINT: return "UTINYINT";
    case DUCKDB_TYPE_USMALLINT: return "USMALLINT";
    case DUCKDB_TYPE_UINTEGER: return "UINTEGER";
    case DUCKDB_TYPE_UBIGINT: return "UBIGINT";
    case DUCKDB_TYPE_FLOAT: return "FLOAT";
    case DUCKDB_TYPE_DOUBLE: return "DOUBLE";
    case DUCKDB_TYPE_TIMESTAMP: return "TIMESTAMP";
    case DUCKDB_TYPE_DATE: return "DATE";
    case DUCKDB_TYPE_TIME: return "TIME";
    case DUCKDB_TYPE_INTERVAL: return "INTERVAL";
    case DUCKDB_TYPE_HUGEINT: return "HUGEINT";
    case DUCKDB_TYPE_UHUGEINT: return "UHUGEINT";
    case DUCKDB_TYPE_VARCHAR: return "VARCHAR";
    case DUCKDB_TYPE_BLOB: return "BLOB";
    case DUCKDB_TYPE_TIMESTAMP_S: return "TIMESTAMP_S";
    case DUCKDB_TYPE_TIMESTAMP_MS: return "TIMESTAMP_MS";
    case DUCKDB_TYPE_TIMESTAMP_NS: return "TIMESTAMP_NS";
    case DUCKDB_TYPE_TIMESTAMP_TZ: return "TIMESTAMP WITH TIME ZONE";
    case DUCKDB_TYPE_TIME_TZ: return "TIME WITH TIME ZONE";
    case DUCKDB_TYPE_ENUM: return "ENUM";
    case DUCKDB_TYPE_UUID: return "UUID";
    case DUCKDB_TYPE_BIT: return "BIT";
    case DUCKDB_TYPE_SQLNULL: return "NULL";
    default: return "type number " + std::to_string(static_cast<int>(id));
  }
}

std::string ChildText(duckdb_logical_type child) {
  LogicalTypeHandle owned(child);
  return TypeText(owned.get());
}

std::string StructText(duckdb_logical_type type) {
  std::string text = "STRUCT(";
  for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i) {
    if (i > 0) text += ", ";
    text +=
        TakeString(duckdb_struct_type_child_name(type, i)) + " " + ChildText(duckdb_struct_type_child_type(type, i));
  }
  return text += ")";
}

}  // namespace

std::string TakeString(char* text) {
  if (text == nullptr) return {};
  std::string copy(text);
  duckdb_free(text);
  return copy;
}

Status DuckdbError(duckdb_error_type type, std::string_view message) {
  std::string text(message);
  if (text.find("No space left") != std::string::npos || text.find("File too large") != std::string::npos) {
    return ResourceExhaustedError(text + "; free some space and write it again");
  }
  switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY: return ResourceExhaustedError(std::move(text));
    case DUCKDB_ERROR_INTERRUPT: return CancelledError(std::move(text));
    case DUCKDB_ERROR_TRANSACTION: return AbortedError(std::move(text));
    case DUCKDB_ERROR_PERMISSION: return PermissionDeniedError(std::move(text));
    case DUCKDB_ERROR_NOT_IMPLEMENTED: return UnimplementedError(std::move(text));
    case DUCKDB_ERROR_IO: return UnavailableError(std::move(text));
    case DUCKDB_ERROR_SERIALIZATION: return DataLossError(std::move(text));
    case DUCKDB_ERROR_INTERNAL:
    case DUCKDB_ERROR_FATAL: return InternalError(std::move(text));
    case DUCKDB_ERROR_OUT_OF_RANGE: return OutOfRangeError(std::move(text));
    case DUCKDB_ERROR_CONSTRAINT:
    case DUCKDB_ERROR_DEPENDENCY: return FailedPreconditionError(std::move(text));
    default: return InvalidArgumentError(std::move(text));
  }
}

Status DuckdbError(const char* message) {
  struct Prefix {
    std::string_view text;
    duckdb_error_type type;
  };
  static constexpr std::array<Prefix, 10> kPrefixes = {{{"IO Error", DUCKDB_ERROR_IO},
                                                        {"Out of Memory", DUCKDB_ERROR_OUT_OF_MEMORY},
                                                        {"INTERRUPT", DUCKDB_ERROR_INTERRUPT},
                                                        {"TransactionContext", DUCKDB_ERROR_TRANSACTION},
                                                        {"Permission", DUCKDB_ERROR_PERMISSION},
                                                        {"Serialization", DUCKDB_ERROR_SERIALIZATION},
                                                        {"INTERNAL", DUCKDB_ERROR_INTERNAL},
                                                        {"FATAL", DUCKDB_ERROR_FATAL},
                                                        {"Constraint", DUCKDB_ERROR_CONSTRAINT},
                                                        {"Not implemented", DUCKDB_ERROR_NOT_IMPLEMENTED}}};
  std::string_view text = message == nullptr ? "DuckDB gave no reason" : message;
  for (const Prefix& prefix : kPrefixes) {
    if (text.starts_with(prefix.text)) return DuckdbError(prefix.type, text);
  }
  return DuckdbError(DUCKDB_ERROR_INVALID, text);
}

std::string TypeText(duckdb_logical_type type) {
  switch (duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_DECIMAL:
      return "DECIMAL(" + std::to_string(duckdb_decimal_width(type)) + "," +
             std::to_string(duckdb_decimal_scale(type)) + ")";
    case DUCKDB_TYPE_LIST: return ChildText(duckdb_list_type_child_type(type)) + "[]";
    case DUCKDB_TYPE_ARRAY:
      return ChildText(duckdb_array_type_child_type(type)) + "[" + std::to_string(duckdb_array_type_array_size(type)) +
             "]";
    case DUCKDB_TYPE_MAP:
      return "MAP(" + ChildText(duckdb_map_type_key_type(type)) + ", " + ChildText(duckdb_map_type_value_type(type)) +
             ")";
    case DUCKDB_TYPE_STRUCT: return StructText(type);
    default: return SimpleTypeText(duckdb_get_type_id(type));
  }
}

}  // namespace millrace::columnar
