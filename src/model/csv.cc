#include "millrace/core/csv.h"

#include <utility>

#include "millrace/core/json.h"
#include "model/schema_text.h"

namespace millrace::csv {
namespace {

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = model::Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool ReadCell(const Cell& cell, const Type& type, void* object, std::string* why) {
  if (type.kind == FieldKind::kOptional) {
    const bool text = type.element->kind == FieldKind::kString;
    if (cell.text.empty() && !(text && cell.quoted)) {
      type.optional_reset(object);
      return true;
    }
    return ReadCell(cell, *type.element, type.optional_emplace(object), why);
  }
  if (type.kind == FieldKind::kString && !IsUtf8(cell.text)) {
    *why = "the text is not valid UTF-8; convert the file";
    return false;
  }
  if (model::IsTextual(type)) return model::ParseText(cell.text, type, object, why);
  Status status = json::ParseInto(cell.text, type, object);
  *why = status.message();
  return status.ok();
}

void AppendCell(std::string_view text, const Options& options, bool force_quotes, std::string* out) {
  const char special[] = {options.delimiter, '"', '\r', '\n'};
  if (!force_quotes && text.find_first_of({special, sizeof special}) == std::string_view::npos) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

void AppendValue(const Type& type, const void* object, const Options& options, bool optional, std::string* out) {
  switch (type.kind) {
    case FieldKind::kOptional: {
      const void* value = type.optional_get(object);
      if (value != nullptr) AppendValue(*type.element, value, options, true, out);
      return;
    }
    case FieldKind::kString: {
      const std::string& text = *static_cast<const std::string*>(object);
      return AppendCell(text, options, optional && text.empty(), out);
    }
    case FieldKind::kStringView: {
      const std::string_view text = *static_cast<const std::string_view*>(object);
      return AppendCell(text, options, optional && text.empty(), out);
    }
    default: {
      std::string text;
      if (model::IsTextual(type)) {
        model::AppendText(type, object, &text);
      } else {
        json::Append(type, object, &text);
      }
      return AppendCell(text, options, false, out);
    }
  }
}

Status RowError(std::uint64_t row, const Record& record, const std::string& reason) {
  return InvalidArgumentError("CSV: row " + std::to_string(row) + " (line " + std::to_string(record.line) +
                              "): " + reason);
}

}  // namespace

StatusOr<Mapping> Mapping::Make(const Schema& schema, const Record& header) {
  Mapping mapping;
  std::vector<bool> found(schema.fields().size(), false);
  for (const Cell& cell : header.cells) {
    const Field* field = schema.Find(cell.text);
    mapping.columns_.push_back(field);
    if (field == nullptr) continue;
    const auto index = static_cast<std::size_t>(field - schema.fields().data());
    if (found[index]) return InvalidArgumentError("CSV: the header has the column \"" + field->name + "\" twice");
    found[index] = true;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Field& field = schema.fields()[i];
    if (found[i]) continue;
    if (field.type->kind != FieldKind::kOptional) {
      std::string columns;
      for (const Cell& cell : header.cells) columns += (columns.empty() ? "" : ", ") + std::string(cell.text);
      return InvalidArgumentError("CSV: field \"" + field.name + "\" has no column (the header has " + columns +
                                  "); rename it, or make it a std::optional if it may be missing");
    }
    mapping.absent_.push_back(&field);
  }
  return mapping;
}

Status Mapping::Read(const Record& record, std::uint64_t row, void* object) const {
  if (record.cells.size() != columns_.size()) {
    return RowError(
        row, record,
        "it has " + std::to_string(record.cells.size()) + " cells, the header has " + std::to_string(columns_.size()));
  }
  std::string why;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Field* field = columns_[i];
    if (field == nullptr || ReadCell(record.cells[i], *field->type, field->In(object), &why)) continue;
    return RowError(row, record, "field \"" + field->name + "\": " + why);
  }
  for (const Field* field : absent_) field->type->optional_reset(field->In(object));
  return OkStatus();
}

StatusOr<bool> RowReader::ReadHeader() {
  StatusOr<bool> more = splitter_.Next(&record_);
  if (more.ok() && !*more) return false;
  has_header_ = true;
  if (!more.ok()) {
    mapping_ = more.status().WithContext("header");
    return true;
  }
  blank_rows_ = record_.cells.size() == 1;
  mapping_ = Mapping::Make(*schema_, record_);
  return true;
}

StatusOr<bool> RowReader::Next(void* object) {
  if (!has_header_) {
    StatusOr<bool> ready = ReadHeader();
    if (!ready.ok() || !*ready) return ready;
  }
  if (!mapping_.ok()) return mapping_.status();
  while (true) {
    StatusOr<bool> more = splitter_.Next(&record_);
    if (more.ok() && !*more) return false;
    const bool blank =
        more.ok() && record_.cells.size() == 1 && record_.cells[0].text.empty() && !record_.cells[0].quoted;
    if (blank && !blank_rows_) continue;
    ++row_;
    if (!more.ok()) return more.status().WithContext("row " + std::to_string(row_));
    if (Status status = mapping_->Read(record_, row_, object); !status.ok()) return status;
    return true;
  }
}

void AppendHeader(const Schema& schema, std::string* out, Options options) {
  for (const Field& field : schema.fields()) {
    if (&field != &schema.fields().front()) out->push_back(options.delimiter);
    AppendCell(field.name, options, false, out);
  }
  out->push_back('\n');
}

void AppendRow(const Schema& schema, const void* object, std::string* out, Options options) {
  for (const Field& field : schema.fields()) {
    if (&field != &schema.fields().front()) out->push_back(options.delimiter);
    AppendValue(*field.type, field.In(object), options, false, out);
  }
  out->push_back('\n');
}

}  // namespace millrace::csv
