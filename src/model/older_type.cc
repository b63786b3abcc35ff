#include "model/older_type.h"

#include <charconv>
#include <optional>
#include <utility>

#include "base/status_macros.h"

namespace millrace::model {
namespace {

constexpr int kMaxDepth = 64;  // of types in types

/// A type, read from its text.
struct TypeTree {
  struct Part {
    std::string name;            // of a field
    std::vector<TypeTree> type;  // exactly one
  };

  std::string word;         // "int64", "list", "row", "kv", ...
  std::vector<Part> parts;  // fields; the one part of optional, list and enum; key and value of a map

  bool has_fields() const { return word == "row" || word == "kv"; }
  const TypeTree& part(std::size_t i) const { return parts[i].type[0]; }
  std::string ToString() const;
};

std::string TypeTree::ToString() const {
  if (parts.empty() && !has_fields()) return word;
  std::string text = word + (has_fields() ? "{" : "<");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += ", ";
    if (has_fields()) text += parts[i].name + ": ";
    text += part(i).ToString();
  }
  return text + (has_fields() ? "}" : ">");
}

/// The number of types in <> behind the word; none when there is no such word.
std::optional<std::size_t> PartsOf(std::string_view word) {
  for (auto kind = FieldKind::kBool; kind < FieldKind::kStruct; kind = static_cast<FieldKind>(int(kind) + 1)) {
    if (KindName(kind) != word) continue;
    if (kind == FieldKind::kMap) return 2;
    return kind == FieldKind::kEnum || kind == FieldKind::kOptional || kind == FieldKind::kList ? 1 : 0;
  }
  return std::nullopt;
}

/// Reads the text of a type; each function returns false where it is none.
class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  bool ReadAll(TypeTree* tree) { return Read(tree, 0) && text_.empty(); }

 private:
  bool Take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool Read(TypeTree* tree, int depth) {
    std::size_t length = 0;
    while (length < text_.size() &&
           ((text_[length] >= 'a' && text_[length] <= 'z') || (text_[length] >= '0' && text_[length] <= '9'))) {
      ++length;
    }
    tree->word = text_.substr(0, length);
    text_.remove_prefix(length);
    if (depth == kMaxDepth) return false;
    if (tree->has_fields()) return ReadFields(tree, depth);
    const std::optional<std::size_t> count = PartsOf(tree->word);
    if (!count) return false;
    for (std::size_t i = 0; i < *count; ++i) {
      TypeTree& part = tree->parts.emplace_back().type.emplace_back();
      if (!Take(i == 0 ? '<' : ',') || !Read(&part, depth + 1)) return false;
    }
    return *count == 0 || Take('>');
  }

  bool ReadFields(TypeTree* tree, int depth) {
    if (!Take('(')) return false;
    while (!Take(')')) {
      std::size_t length = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), length);
      if (error != std::errc() || tree->parts.size() == kMaxSchemaFields) return false;
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      if (!Take(':') || length == 0 || length > text_.size()) return false;
      TypeTree::Part& field = tree->parts.emplace_back();
      field.name = text_.substr(0, length);
      text_.remove_prefix(length);
      if (!Take('=') || !Read(&field.type.emplace_back(), depth + 1) || !Take(';')) return false;
    }
    return true;
  }

  std::string_view text_;
};

StatusOr<TypeTree> ReadTypeText(std::string_view text) {
  TypeTree tree;
  if (!TextReader(text).ReadAll(&tree)) {
    return DataLossError("\"" + std::string(text.substr(0, 200)) + "\" is not the text of a type");
  }
  return tree;
}

Status Changed(const std::string& path, const std::string& what) {
  return FailedPreconditionError((path.empty() ? "it " : "field \"" + path + "\" ") + what);
}

Status CheckTrees(const TypeTree& old, const TypeTree& now, const std::string& path);

Status CheckFields(const TypeTree& old, const TypeTree& now, const std::string& path) {
  std::size_t behind = 0;  // of the fields now, the first one behind those that were found
  for (const TypeTree::Part& field : old.parts) {
    const std::string field_path = path.empty() ? field.name : path + "." + field.name;
    std::size_t at = 0;
    while (at < now.parts.size() && now.parts[at].name != field.name) ++at;
    if (at == now.parts.size()) return Changed(field_path, "is gone");
    if (at < behind) return Changed(field_path, "has moved before \"" + now.parts[behind - 1].name + "\"");
    behind = at + 1;
    MILLRACE_RETURN_IF_ERROR(CheckTrees(field.type[0], now.part(at), field_path));
  }
  return OkStatus();
}

Status CheckTrees(const TypeTree& old, const TypeTree& now, const std::string& path) {
  const bool keys_differ = old.word == "map" && now.word == "map" && old.part(0).ToString() != now.part(0).ToString();
  if (old.word != now.word || keys_differ) {
    return Changed(path, "was " + old.ToString() + " and is " + now.ToString() + " now");
  }
  if (old.has_fields()) return CheckFields(old, now, path);
  if (old.word == "enum" && old.part(0).word != now.part(0).word) {
    return Changed(path, "was " + old.ToString() + " and is " + now.ToString() + " now");
  }
  return old.parts.empty() ? OkStatus() : CheckTrees(old.parts.back().type[0], now.parts.back().type[0], path);
}

void AppendTypeText(const Type& type, std::string* out) {
  if (type.kind == FieldKind::kStruct) {
    out->append(type.is_kv ? "kv(" : "row(");
    for (const Field& field : type.schema->fields()) {
      out->append(std::to_string(field.name.size())).append(":").append(field.name).append("=");
      AppendTypeText(*field.type, out);
      out->push_back(';');
    }
    out->push_back(')');
    return;
  }
  out->append(KindName(type.kind));
  if (type.element == nullptr) return;
  out->push_back('<');
  if (type.key != nullptr) {
    AppendTypeText(*type.key, out);
    out->push_back(',');
  }
  AppendTypeText(*type.element, out);
  out->push_back('>');
}

}  // namespace

/// Makes the types that OlderType consists of.
class Overlay {
 public:
  explicit Overlay(OlderType* result) : result_(*result) {}

  /// `old` and `now` have passed CheckTrees.
  const Type* Lay(const TypeTree& old, const Type& now) {
    if (old.parts.empty() && !old.has_fields()) return &now;
    if (old.has_fields()) return LayFields(old, now);
    const Type* element = Lay(old.parts.back().type[0], *now.element);
    if (element == now.element) return &now;
    Type changed = now;
    changed.element = element;
    return Keep(std::move(changed));
  }

 private:
  const Type* LayFields(const TypeTree& old, const Type& now) {
    std::vector<Field> fields;
    bool is_same = old.parts.size() == now.schema->fields().size();
    for (const TypeTree::Part& part : old.parts) {
      Field field = *now.schema->Find(part.name);
      const Type* type = Lay(part.type[0], *field.type);
      is_same = is_same && type == field.type;
      field.type = type;
      fields.push_back(std::move(field));
    }
    if (is_same) return &now;
    Type changed = now;
    changed.schema = Keep(Schema(now.schema->name(), std::move(fields)));
    return Keep(std::move(changed));
  }

  template <class T>
  const T* Keep(T part) {
    auto kept = std::make_shared<const T>(std::move(part));
    result_.parts_.push_back(kept);
    return kept.get();
  }

  OlderType& result_;
};

std::string_view KindName(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool: return "bool";
    case FieldKind::kInt8: return "int8";
    case FieldKind::kInt16: return "int16";
    case FieldKind::kInt32: return "int32";
    case FieldKind::kInt64: return "int64";
    case FieldKind::kUint8: return "uint8";
    case FieldKind::kUint16: return "uint16";
    case FieldKind::kUint32: return "uint32";
    case FieldKind::kUint64: return "uint64";
    case FieldKind::kFloat: return "float";
    case FieldKind::kDouble: return "double";
    case FieldKind::kString:
    case FieldKind::kStringView: return "string";
    case FieldKind::kBytes: return "bytes";
    case FieldKind::kTimestamp: return "timestamp";
    case FieldKind::kDuration: return "duration";
    case FieldKind::kEnum: return "enum";
    case FieldKind::kOptional: return "optional";
    case FieldKind::kList: return "list";
    case FieldKind::kMap: return "map";
    case FieldKind::kStruct: return "row";
  }
  return "unknown";
}

std::string TypeText(const Type& type) {
  std::string text;
  AppendTypeText(type, &text);
  return text;
}

std::uint64_t TextFingerprint(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return hash;
}

Status CheckReadable(std::string_view written_as, std::string_view now) {
  MILLRACE_ASSIGN_OR_RETURN(const TypeTree old, ReadTypeText(written_as));
  MILLRACE_ASSIGN_OR_RETURN(const TypeTree current, ReadTypeText(now));
  return CheckTrees(old, current, "");
}

StatusOr<OlderType> OlderType::Make(std::string_view written_as, const Type& now) {
  MILLRACE_RETURN_IF_ERROR(CheckReadable(written_as, TypeText(now)));
  MILLRACE_ASSIGN_OR_RETURN(const TypeTree old, ReadTypeText(written_as));
  OlderType result;
  result.type_ = Overlay(&result).Lay(old, now);
  return result;
}

}  // namespace millrace::model
