// The rows of a view as text: the one way for the verb `query` and for the server of a run.
#include "cli/view_rows.h"

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "cli/row_writer.h"
#include "cli/verbs.h"
#include "columnar/view_columns.h"
#include "millrace/core/json.h"
#include "model/schema_text.h"

namespace millrace::cli {

namespace {

// A key object, filled from texts.
class TextKey {
 public:
  explicit TextKey(const Type& type) : type_(type), object_(type.create()) {}
  ~TextKey() { type_.destroy(object_); }
  TextKey(const TextKey&) = delete;
  TextKey& operator=(const TextKey&) = delete;

  const void* object() const { return object_; }

  Status Parse(const std::vector<columnar::ViewColumn>& columns, const std::vector<std::string>& texts) {
    if (texts.size() > columns.size()) {
      std::string names;
      for (const columnar::ViewColumn& column : columns) names += (names.empty() ? "" : " ") + column.name;
      return UsageError(std::to_string(texts.size()) + " keys are too many; the key is: " + names);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Type* type = columns[i].type;
      void* place = static_cast<char*>(object_) + columns[i].offset;
      if (type->kind == FieldKind::kOptional) {
        if (texts[i].empty()) continue;
        place = type->optional_emplace(place);
        type = type->element;
      }
      std::string why;
      if (!model::ParseText(texts[i], *type, place, &why)) {
        return UsageError("key column " + columns[i].name + ": " + why);
      }
    }
    return OkStatus();
  }

 private:
  const Type& type_;
  void* object_;
};

const Type& Inner(const Type& type) { return type.kind == FieldKind::kOptional ? *type.element : type; }

RowColumn ColumnOf(const columnar::ViewColumn& column) {
  RowColumn result{.name = column.name};
  switch (Inner(*column.type).kind) {
    case FieldKind::kString:
    case FieldKind::kStringView:
    case FieldKind::kBytes:
    case FieldKind::kDuration: break;
    case FieldKind::kTimestamp: result.kind = CellKind::kTime; break;
    case FieldKind::kBool:
    case FieldKind::kList:
    case FieldKind::kMap:
    case FieldKind::kStruct: result.kind = CellKind::kLiteral; break;
    default: result.kind = CellKind::kLiteral; result.is_number = true;
  }
  return result;
}

void SetCell(const Type& type, const void* object, RowCell* cell) {
  cell->text.clear();
  cell->is_null = false;
  if (type.kind == FieldKind::kOptional) {
    const void* value = type.optional_get(object);
    if (value != nullptr) return SetCell(*type.element, value, cell);
    cell->is_null = true;
  } else if (model::IsTextual(type)) {
    model::AppendText(type, object, &cell->text);
  } else {
    json::Append(type, object, &cell->text);
  }
}

// The bounds of the global window are no times.
void SetBound(Timestamp time, RowCell* cell) {
  cell->is_null = time == Timestamp::Min() || time == Timestamp::Max();
  cell->text = cell->is_null ? "" : time.ToString();
}

// Gives the cells of a view to a writer, in the order: key, window, value.
class CellPrinter {
 public:
  explicit CellPrinter(const columnar::ViewColumns& columns)
      : columns_(columns), row_(columns.key.size() + 2 + columns.value.size()) {}

  std::vector<RowColumn> Columns() const {
    std::vector<RowColumn> all;
    for (const columnar::ViewColumn& column : columns_.key) all.push_back(ColumnOf(column));
    all.push_back({.name = "window_start", .kind = CellKind::kTime});
    all.push_back({.name = "window_end", .kind = CellKind::kTime});
    for (const columnar::ViewColumn& column : columns_.value) all.push_back(ColumnOf(column));
    return all;
  }

  const std::vector<RowCell>& Row(const Cell& cell) {
    std::size_t at = 0;
    Add(columns_.key, cell.key, &at);
    SetBound(cell.window_start, &row_[at++]);
    SetBound(cell.window_end, &row_[at++]);
    Add(columns_.value, cell.value, &at);
    return row_;
  }

 private:
  void Add(const std::vector<columnar::ViewColumn>& columns, const void* object, std::size_t* at) {
    for (const columnar::ViewColumn& column : columns) {
      SetCell(*column.type, static_cast<const char*>(object) + column.offset, &row_[(*at)++]);
    }
  }

  const columnar::ViewColumns& columns_;
  std::vector<RowCell> row_;
};

}  // namespace

Status CheckViewRequest(const ViewDescriptor& view, const server::ViewRequest& request) {
  if (Status known = CheckFormat(request.format); !known.ok()) return UsageError(known.message());
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  return TextKey(*view.key).Parse(columns.key, request.key);
}

Status PrintViewRows(const ViewStore& store, const ViewDescriptor& view, const server::ViewRequest& request,
                     std::ostream& out) {
  if (Status known = CheckFormat(request.format); !known.ok()) return UsageError(known.message());
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  TextKey key(*view.key);
  MILLRACE_RETURN_IF_ERROR(key.Parse(columns.key, request.key));
  ViewQuery query{.view = view.name};
  if (!request.key.empty()) query.key = key.object();
  if (!request.key.empty()) query.key_columns = request.key.size();
  if (request.from) query.starts_from = *request.from;
  if (request.to) query.ends_by = *request.to;
  if (request.limit) query.limit = *request.limit;
  CellPrinter printer(columns);
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, MakeRowWriter(request.format, printer.Columns(), out));
  MILLRACE_RETURN_IF_ERROR(store.Read(query, [&](const Cell& cell) {
    writer->Write(printer.Row(cell));
    return static_cast<bool>(out);
  }));
  writer->Finish();
  return OkStatus();
}

}  // namespace millrace::cli
