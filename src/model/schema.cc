#include "millrace/core/schema.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace millrace {
namespace {

constexpr std::uint64_t kFnvOffset = 14695981039346656037ULL;
constexpr std::uint64_t kFnvPrime = 1099511628211ULL;

std::uint64_t Fnv1a(std::string_view text) {
  std::uint64_t hash = kFnvOffset;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return hash;
}

void AppendStructure(const Type& type, std::string* out);

/// Names carry their length, so no two lists of fields have one text.
void AppendStructure(const std::vector<Field>& fields, std::string* out) {
  out->append("row(");
  for (const Field& field : fields) {
    out->append(std::to_string(field.name.size())).append(":").append(field.name).append("=");
    AppendStructure(*field.type, out);
    out->push_back(';');
  }
  out->push_back(')');
}

std::string_view ScalarName(FieldKind kind) {
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

void AppendStructure(const Type& type, std::string* out) {
  if (type.kind == FieldKind::kStruct) {
    AppendStructure(type.schema->fields(), out);
    return;
  }
  out->append(ScalarName(type.kind));
  if (type.element == nullptr) return;
  out->push_back('<');
  if (type.key != nullptr) {
    AppendStructure(*type.key, out);
    out->push_back(',');
  }
  AppendStructure(*type.element, out);
  out->push_back('>');
}

/// The name that a pretty function name ends in, without namespaces and template arguments:
/// "Click" of "... [with T = shop::Click]", "KV" of "... [T = millrace::KV<int, int>]".
std::string WithoutNamespaces(std::string_view pretty) {
  std::size_t end = pretty.rfind(']');
  if (end == std::string_view::npos) end = pretty.size();
  if (end > 0 && pretty[end - 1] == '>') {
    int depth = 0;
    while (end > 0) {
      char c = pretty[--end];
      depth += c == '>' ? 1 : c == '<' ? -1 : 0;
      if (depth == 0) break;
    }
  }
  return std::string(detail::LastIdentifier(pretty.substr(0, end)));
}

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "Millrace: %s\n", message.c_str());
  std::abort();
}

/// Names are written between quotes and compared as they are, so they hold nothing that JSON would have to escape.
void CheckFieldName(const std::string& schema, const std::string& name, const std::vector<Field>& before) {
  if (name.empty()) Die("a field of " + schema + " has an empty name. Name it in MillraceFields.");
  for (char c : name) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) {
      Die("the field name " + name + " of " + schema + " has a quote, a backslash or a control character. Rename it.");
    }
  }
  for (const Field& field : before) {
    if (field.name == name) Die("two fields of " + schema + " are named " + name + ". Rename one.");
  }
}

}  // namespace

std::string Type::ToString() const {
  if (kind == FieldKind::kStruct) return "row<" + schema->name() + ">";
  std::string text(ScalarName(kind));
  if (element == nullptr) return text;
  text += "<";
  if (key != nullptr) text += key->ToString() + ", ";
  return text + element->ToString() + ">";
}

Schema::Schema(std::string name, std::vector<Field> fields) : name_(std::move(name)), fields_(std::move(fields)) {
  std::string structure;
  AppendStructure(fields_, &structure);
  fingerprint_ = Fnv1a(structure);
}

const Field* Schema::Find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

const Field* Schema::FindOffset(std::size_t offset) const {
  for (const Field& field : fields_) {
    if (field.offset == offset) return &field;
  }
  return nullptr;
}

std::string Schema::ToString() const {
  std::string text = name_ + "{";
  for (const Field& field : fields_) {
    if (&field != &fields_.front()) text += ", ";
    text += field.name + ": " + field.type->ToString();
  }
  return text + "}";
}

bool SameStructure(const Type& a, const Type& b) {
  if (&a == &b) return true;
  std::string first, second;
  AppendStructure(a, &first);
  AppendStructure(b, &second);
  return first == second;
}

namespace detail {

Schema MakeSchema(const char* pretty_type, const FieldSeed* fields, std::size_t count, bool plain_names) {
  std::string schema = WithoutNamespaces(pretty_type);
  if (count > kMaxSchemaFields) {
    Die(schema + " has " + std::to_string(count) + " fields; the limit is " + std::to_string(kMaxSchemaFields) +
        ". Group some into nested structs.");
  }
  std::vector<Field> made;
  made.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::string name(plain_names ? std::string_view(fields[i].name) : LastIdentifier(fields[i].name));
    CheckFieldName(schema, name, made);
    made.push_back({std::move(name), fields[i].offset, &fields[i].type()});
  }
  return Schema(std::move(schema), std::move(made));
}

void DieOfRecursiveType(const char* pretty_type) {
  Die("the struct " + WithoutNamespaces(pretty_type) +
      " contains itself, so it has no schema (as in Beam). Flatten it, or refer to the inner one by a key.");
}

}  // namespace detail
}  // namespace millrace
