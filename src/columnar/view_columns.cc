#include "columnar/view_columns.h"

#include <cctype>
#include <set>

#include "columnar/column.h"

namespace millrace::columnar {
namespace {

std::vector<ViewColumn> ColumnsOfPart(const Type& type, const std::string& scalar_name) {
  if (type.kind != FieldKind::kStruct) return {{scalar_name, 0, &type}};
  std::vector<ViewColumn> columns;
  for (const Field& field : type.schema->fields()) columns.push_back({field.name, field.offset, field.type});
  return columns;
}

bool IsScalar(const Type& type) {
  return type.kind != FieldKind::kOptional && type.kind != FieldKind::kList && type.kind != FieldKind::kMap &&
         type.kind != FieldKind::kStruct;
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

void CheckName(const std::string& name, std::set<std::string>& names, std::string& problems) {
  const std::string lower = Lower(name);
  if (name.empty()) {
    problems += "; a column has no name";
  } else if (name[0] == '_' || lower == "window_start" || lower == "window_end") {
    problems += "; the column name " + name + " is reserved, rename the field";
  } else if (!names.insert(lower).second) {
    problems += "; the column name " + name + " is used twice (upper and lower case are the same), rename a field";
  }
}

std::string Describe(const std::vector<ViewColumn>& columns) {
  std::string text = "(";
  for (const ViewColumn& column : columns) {
    if (text.size() > 1) text += ", ";
    text += column.name + ": " + column.type->ToString();
  }
  return text += ")";
}

}  // namespace

StatusOr<ViewColumns> ColumnsOfView(const ViewDescriptor& view) {
  if (view.name.empty()) return InvalidArgumentError("a view needs a name");
  if (view.key == nullptr || view.value == nullptr) {
    return InvalidArgumentError("view " + view.name + " needs a key type and a value type");
  }
  ViewColumns columns{ColumnsOfPart(*view.key, view.key_column), ColumnsOfPart(*view.value, view.value_column), "",
                      false};
  std::string problems;
  std::set<std::string> names;
  for (const ViewColumn& column : columns.key) {
    CheckName(column.name, names, problems);
    const Type& type = column.type->kind == FieldKind::kOptional ? *column.type->element : *column.type;
    if (!IsScalar(type)) {
      problems += "; the key column " + column.name + " is a " + column.type->ToString() +
                  ", but keys are scalars or structs of scalars";
    }
    if (type.kind == FieldKind::kStringView) {
      problems += "; the key column " + column.name + " cannot be read back, declare it as std::string";
    }
  }
  for (const ViewColumn& column : columns.value) {
    CheckName(column.name, names, problems);
    StatusOr<std::string> sql_type = SqlType(*column.type);
    if (!sql_type.ok()) problems += "; the value column " + column.name + ": " + sql_type.status().message();
    if (column.type->kind == FieldKind::kStringView) {
      problems += "; the value column " + column.name + " cannot be read back, declare it as std::string";
    }
  }
  if (columns.key.empty() || columns.value.empty()) problems += "; its key and its value each need a field";
  if (!problems.empty()) return InvalidArgumentError("view " + view.name + ": " + problems.substr(2));
  columns.signature = Describe(columns.key) + " -> " + Describe(columns.value);
  if (view.merges_windows) columns.signature += " in sessions";
  columns.merges_windows = view.merges_windows;
  return columns;
}

Status CheckViewQuery(const ViewQuery& query) {
  if (query.key != nullptr && (query.key_from != nullptr || query.key_to != nullptr)) {
    return InvalidArgumentError("view " + query.view + ": ask for an equal key or for a range of keys, not for both");
  }
  if (query.key != nullptr && query.key_columns == 0) {
    return InvalidArgumentError("view " + query.view + ": a prefix of no key columns; leave the key out for all keys");
  }
  return OkStatus();
}

Status FencedError(std::string_view view, const CellVersion& version, std::pair<std::uint64_t, std::uint64_t> fence) {
  auto text = [](std::uint64_t generation, std::uint64_t attempt) {
    return "generation " + std::to_string(generation) + ", attempt " + std::to_string(attempt);
  };
  return AbortedError("view " + std::string(view) + ": a cell of " + text(version.generation, version.attempt) +
                      " is refused, since " + text(fence.first, fence.second) +
                      " has taken over; this writer must stop");
}

}  // namespace millrace::columnar
