#include "columnar/column.h"

namespace millrace::columnar {
namespace {

std::string Quote(std::string_view text, char quote) {
  std::string quoted(1, quote);
  for (char c : text) {
    if (c == quote) quoted += quote;
    quoted += c;
  }
  return quoted += quote;
}

StatusOr<std::string> SqlTypeOfStruct(const Type& type) {
  if (type.schema == nullptr || type.schema->fields().empty()) {
    return InvalidArgumentError(type.ToString() + " has no fields and so no column type");
  }
  std::string sql = "STRUCT(";
  for (const Field& field : type.schema->fields()) {
    StatusOr<std::string> member = SqlType(*field.type);
    if (!member.ok()) return member.status().WithContext("field " + field.name);
    if (sql.back() != '(') sql += ", ";
    sql += QuoteIdentifier(field.name) + " " + *member;
  }
  return sql += ")";
}

StatusOr<std::string> SqlTypeOfMap(const Type& type) {
  StatusOr<std::string> key = SqlType(*type.key);
  if (!key.ok()) return key;
  StatusOr<std::string> value = SqlType(*type.element);
  if (!value.ok()) return value;
  return "MAP(" + *key + ", " + *value + ")";
}

}  // namespace

std::string FieldIssue::ToString() const { return "row " + std::to_string(row) + ", field " + field + ": " + reason; }

std::vector<ColumnSpec> ColumnsOf(const Schema& schema) {
  std::vector<ColumnSpec> columns;
  columns.reserve(schema.fields().size());
  for (const Field& field : schema.fields()) columns.push_back({field.name, field.type});
  return columns;
}

StatusOr<std::string> SqlType(const Type& type) {
  switch (type.kind) {
    case FieldKind::kBool: return std::string("BOOLEAN");
    case FieldKind::kInt8: return std::string("TINYINT");
    case FieldKind::kInt16: return std::string("SMALLINT");
    case FieldKind::kInt32: return std::string("INTEGER");
    case FieldKind::kInt64: return std::string("BIGINT");
    case FieldKind::kUint8: return std::string("UTINYINT");
    case FieldKind::kUint16: return std::string("USMALLINT");
    case FieldKind::kUint32: return std::string("UINTEGER");
    case FieldKind::kUint64: return std::string("UBIGINT");
    case FieldKind::kFloat: return std::string("FLOAT");
    case FieldKind::kDouble: return std::string("DOUBLE");
    case FieldKind::kString:
    case FieldKind::kStringView: return std::string("VARCHAR");
    case FieldKind::kBytes: return std::string("BLOB");
    case FieldKind::kTimestamp: return std::string("TIMESTAMP");
    case FieldKind::kDuration: return std::string("BIGINT");
    case FieldKind::kEnum: return SqlType(*type.element);
    case FieldKind::kOptional:
      if (type.element->kind == FieldKind::kOptional) {
        return InvalidArgumentError(type.ToString() + " has no column type: SQL has only one NULL");
      }
      return SqlType(*type.element);
    case FieldKind::kList: {
      StatusOr<std::string> element = SqlType(*type.element);
      if (!element.ok()) return element;
      return *element + "[]";
    }
    case FieldKind::kMap: return SqlTypeOfMap(type);
    case FieldKind::kStruct: return SqlTypeOfStruct(type);
  }
  return InternalError("unknown field kind " + std::to_string(static_cast<int>(type.kind)));
}

std::string QuoteIdentifier(std::string_view name) { return Quote(name, '"'); }

std::string QuoteLiteral(std::string_view text) { return Quote(text, '\''); }

std::string SqlTimestamp(Timestamp time) { return "make_timestamp(" + std::to_string(time.micros()) + ")"; }

}  // namespace millrace::columnar
