#include <cmath>
#include <string>
#include <string_view>

#include "millrace/core/json.h"
#include "model/schema_text.h"

namespace millrace::json {
namespace {

bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

void AppendEscaped(unsigned char c, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"': out->append("\\\""); return;
    case '\\': out->append("\\\\"); return;
    case '\n': out->append("\\n"); return;
    case '\r': out->append("\\r"); return;
    case '\t': out->append("\\t"); return;
    default:
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 15]);
  }
}

void AppendString(std::string_view text, std::string* out) {
  out->push_back('"');
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin;
    while (end < text.size() && IsPlain(text[end])) ++end;
    out->append(text, begin, end - begin);
    if (end == text.size()) break;
    const auto c = static_cast<unsigned char>(text[end]);
    if (c < 0x80) {
      AppendEscaped(c, out);
      begin = end + 1;
      continue;
    }
    const std::size_t length = model::Utf8Length(text.substr(end));
    if (length == 0) {
      out->append("\xEF\xBF\xBD");
    } else {
      out->append(text, end, length);
    }
    begin = end + (length == 0 ? 1 : length);
  }
  out->push_back('"');
}

template <class T>
void AppendNumber(T value, std::string* out) {
  const bool quoted = !std::isfinite(value);  // neither NaN nor an infinity is a JSON number
  if (quoted) out->push_back('"');
  model::AppendFloating(value, out);
  if (quoted) out->push_back('"');
}

void AppendStruct(const Schema& schema, const void* object, std::string* out) {
  char separator = '{';
  for (const Field& field : schema.fields()) {
    out->push_back(separator);
    separator = ',';
    out->push_back('"');
    out->append(field.name);
    out->append("\":");
    Append(*field.type, field.In(object), out);
  }
  if (separator == '{') out->push_back('{');
  out->push_back('}');
}

void AppendList(const Type& type, const void* object, std::string* out) {
  out->push_back('[');
  const std::size_t size = type.list_size(object);
  for (std::size_t i = 0; i < size; ++i) {
    if (i > 0) out->push_back(',');
    Append(*type.element, type.list_at(object, i), out);
  }
  out->push_back(']');
}

struct MapContext {
  const Type& type;
  std::string* out;
  bool textual;
  bool first = true;
  std::string key{};
};

void AppendEntry(void* context, const void* key, const void* value) {
  MapContext& map = *static_cast<MapContext*>(context);
  if (!map.first) map.out->push_back(',');
  map.first = false;
  if (map.textual) {
    map.key.clear();
    model::AppendText(*map.type.key, key, &map.key);
    AppendString(map.key, map.out);
    map.out->push_back(':');
    Append(*map.type.element, value, map.out);
    return;
  }
  map.out->append("{\"key\":");
  Append(*map.type.key, key, map.out);
  map.out->append(",\"value\":");
  Append(*map.type.element, value, map.out);
  map.out->push_back('}');
}

void AppendMap(const Type& type, const void* object, std::string* out) {
  const bool textual = model::IsTextual(*type.key) && type.key->kind != FieldKind::kBytes;
  MapContext context{.type = type, .out = out, .textual = textual};
  out->push_back(textual ? '{' : '[');
  type.map_visit(object, &context, &AppendEntry);
  out->push_back(textual ? '}' : ']');
}

void AppendQuotedText(const Type& type, const void* object, std::string* out) {
  out->push_back('"');
  model::AppendText(type, object, out);
  out->push_back('"');
}

}  // namespace

void Append(const Type& type, const void* object, std::string* out) {
  switch (type.kind) {
    case FieldKind::kFloat: return AppendNumber(*static_cast<const float*>(object), out);
    case FieldKind::kDouble: return AppendNumber(*static_cast<const double*>(object), out);
    case FieldKind::kString: return AppendString(*static_cast<const std::string*>(object), out);
    case FieldKind::kStringView: return AppendString(*static_cast<const std::string_view*>(object), out);
    case FieldKind::kBytes:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration: return AppendQuotedText(type, object, out);
    case FieldKind::kOptional: {
      const void* value = type.optional_get(object);
      if (value == nullptr) {
        out->append("null");
      } else {
        Append(*type.element, value, out);
      }
      return;
    }
    case FieldKind::kList: return AppendList(type, object, out);
    case FieldKind::kMap: return AppendMap(type, object, out);
    case FieldKind::kStruct: return AppendStruct(*type.schema, object, out);
    default: return model::AppendText(type, object, out);
  }
}

}  // namespace millrace::json
