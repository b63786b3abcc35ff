#include "model/state_layout.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/status_macros.h"
#include "millrace/detail/state_coder.h"

namespace millrace {

namespace model {

namespace {

constexpr int kDepthMax = 64;

class LayoutParser {
 public:
  explicit LayoutParser(std::string_view text) : text_(text) {}

  StatusOr<StateLayoutNode> ParseAll() {
    MILLRACE_ASSIGN_OR_RETURN(StateLayoutNode node, Parse(0));
    if (at_ != text_.size()) return Mistake("the end");
    return node;
  }

 private:
  StatusOr<StateLayoutNode> Parse(int depth) {
    if (depth > kDepthMax) return Mistake("fewer levels");
    StateLayoutNode node;
    if (Take('{')) {
      node.kind = StateLayoutNode::Kind::kStruct;
      MILLRACE_RETURN_IF_ERROR(ParseParts('}', depth, &node));
    } else if (Take('(')) {
      node.kind = StateLayoutNode::Kind::kTuple;
      MILLRACE_RETURN_IF_ERROR(ParseParts(')', depth, &node));
    } else if (Take('[')) {
      node.kind = StateLayoutNode::Kind::kVariant;
      MILLRACE_RETURN_IF_ERROR(ParseParts(']', depth, &node));
    } else {
      while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
        node.name.push_back(text_[at_++]);
      }
      if (node.name.empty()) return Mistake("a type");
      if (Take('<')) {
        node.kind = StateLayoutNode::Kind::kGeneric;
        MILLRACE_RETURN_IF_ERROR(ParseParts('>', depth, &node));
      }
    }
    return node;
  }

  Status ParseParts(char close, int depth, StateLayoutNode* node) {
    if (Take(close)) return OkStatus();
    do {
      if (node->kind == StateLayoutNode::Kind::kStruct) {
        if (!Take('"')) return Mistake("a field's name").status();
        const std::size_t end = text_.find('"', at_);
        if (end == std::string_view::npos) return Mistake("the end of a name").status();
        node->fields.emplace_back(text_.substr(at_, end - at_));
        at_ = end + 1;
        if (!Take(':')) return Mistake("a colon").status();
      }
      MILLRACE_ASSIGN_OR_RETURN(StateLayoutNode part, Parse(depth + 1));
      node->parts.push_back(std::move(part));
    } while (Take(','));
    return Take(close) ? OkStatus() : Mistake(std::string(1, close)).status();
  }

  bool Take(char expected) {
    if (at_ >= text_.size() || text_[at_] != expected) return false;
    ++at_;
    return true;
  }
  StatusOr<StateLayoutNode> Mistake(const std::string& expected) const {
    return InvalidArgumentError("a layout of state has no " + expected + " at character " + std::to_string(at_) + ": " +
                                std::string(text_));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

StatusOr<StateLayoutNode> ParseStateLayout(std::string_view text) { return LayoutParser(text).ParseAll(); }

}  // namespace model

namespace detail {

namespace {

using model::StateLayoutNode;

// Bytes of a number; 0 for what is none.
std::size_t FixedBytes(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool:
    case FieldKind::kInt8:
    case FieldKind::kUint8: return 1;
    case FieldKind::kInt16:
    case FieldKind::kUint16: return 2;
    case FieldKind::kInt32:
    case FieldKind::kUint32:
    case FieldKind::kFloat: return 4;
    case FieldKind::kInt64:
    case FieldKind::kUint64:
    case FieldKind::kDouble:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration: return 8;
    default: return 0;
  }
}

std::unique_ptr<EvolvedReader> MakeReader(const StateLayoutNode& written, const Type& type, const std::string& path,
                                          std::string* why);

class FixedReader final : public EvolvedReader {
 public:
  FixedReader(std::size_t bytes, bool is_bool) : bytes_(bytes), is_bool_(is_bool) {}
  bool Read(std::string_view* in, void* value) const override {
    if (in->size() < bytes_ || (is_bool_ && static_cast<unsigned char>((*in)[0]) > 1)) return false;
    std::memcpy(value, in->data(), bytes_);
    in->remove_prefix(bytes_);
    return true;
  }

 private:
  std::size_t bytes_;
  bool is_bool_;
};

class StringReader final : public EvolvedReader {
 public:
  bool Read(std::string_view* in, void* value) const override {
    return ReadState(in, static_cast<std::string*>(value));
  }
};
class BytesReader final : public EvolvedReader {
 public:
  bool Read(std::string_view* in, void* value) const override {
    return ReadState(in, static_cast<std::vector<std::byte>*>(value));
  }
};

class OptionalReader final : public EvolvedReader {
 public:
  OptionalReader(const Type& type, std::unique_ptr<EvolvedReader> element)
      : type_(type), element_(std::move(element)) {}
  bool Read(std::string_view* in, void* value) const override {
    bool there = false;
    if (!ReadState(in, &there)) return false;
    type_.optional_reset(value);
    return !there || element_->Read(in, type_.optional_emplace(value));
  }

 private:
  const Type& type_;
  std::unique_ptr<EvolvedReader> element_;
};

class ListReader final : public EvolvedReader {
 public:
  ListReader(const Type& type, std::unique_ptr<EvolvedReader> element) : type_(type), element_(std::move(element)) {}
  bool Read(std::string_view* in, void* value) const override {
    std::uint64_t count = 0;
    if (!ReadStateCount(in, &count)) return false;
    type_.list_clear(value);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!element_->Read(in, type_.list_append(value))) return false;
    }
    return true;
  }

 private:
  const Type& type_;
  std::unique_ptr<EvolvedReader> element_;
};

class MapReader final : public EvolvedReader {
 public:
  MapReader(const Type& type, std::unique_ptr<EvolvedReader> key, std::unique_ptr<EvolvedReader> mapped)
      : type_(type), key_(std::move(key)), mapped_(std::move(mapped)) {}
  bool Read(std::string_view* in, void* value) const override {
    std::uint64_t count = 0;
    if (!ReadStateCount(in, &count)) return false;
    type_.map_clear(value);
    const std::unique_ptr<void, void (*)(void*)> key(type_.key->create(), type_.key->destroy);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!key_->Read(in, key.get()) || !mapped_->Read(in, type_.map_insert(value, key.get()))) return false;
    }
    return true;
  }

 private:
  const Type& type_;
  std::unique_ptr<EvolvedReader> key_;
  std::unique_ptr<EvolvedReader> mapped_;
};

class StructReader final : public EvolvedReader {
 public:
  bool Read(std::string_view* in, void* value) const override {
    if (fields.empty()) {
      std::uint8_t nothing = 0;
      return ReadFixed(in, &nothing) && nothing == 0;
    }
    return std::all_of(fields.begin(), fields.end(),
                       [&](const auto& field) { return field.second->Read(in, field.first->In(value)); });
  }
  std::vector<std::pair<const Field*, std::unique_ptr<EvolvedReader>>> fields;  // in the order of writing
};

std::unique_ptr<EvolvedReader> Mismatch(const std::string& path, const std::string& text, std::string* why) {
  *why = (path.empty() ? "the value" : "field " + path) + " " + text;
  return nullptr;
}

std::unique_ptr<EvolvedReader> MakeStructReader(const StateLayoutNode& written, const Type& type,
                                                const std::string& path, std::string* why) {
  auto reader = std::make_unique<StructReader>();
  for (std::size_t i = 0; i < written.fields.size(); ++i) {
    const std::string below = (path.empty() ? "" : path + ".") + written.fields[i];
    const Field* field = type.schema->Find(written.fields[i]);
    if (field == nullptr) return Mismatch(below, "is no longer there", why);
    auto part = MakeReader(written.parts[i], *field->type, below, why);
    if (part == nullptr) return nullptr;
    reader->fields.emplace_back(field, std::move(part));
  }
  return reader;
}

std::unique_ptr<EvolvedReader> MakeReader(const StateLayoutNode& written, const Type& type, const std::string& path,
                                          std::string* why) {
  const auto is = [&](const char* name, std::size_t parts) {
    return written.name == name && written.parts.size() == parts;
  };
  if (type.kind == FieldKind::kStruct && written.kind == StateLayoutNode::Kind::kStruct) {
    return MakeStructReader(written, type, path, why);
  }
  const Type& number = type.kind == FieldKind::kEnum ? *type.element : type;
  const bool same_scalar = type.kind == FieldKind::kEnum
                               ? is("enum", 1) && written.parts[0].name == number.ToString()
                               : written.kind == StateLayoutNode::Kind::kScalar && written.name == type.ToString();
  if (same_scalar && FixedBytes(number.kind) > 0) {
    return std::make_unique<FixedReader>(FixedBytes(number.kind), number.kind == FieldKind::kBool);
  }
  if (same_scalar && type.kind == FieldKind::kString) return std::make_unique<StringReader>();
  if (same_scalar && type.kind == FieldKind::kBytes) return std::make_unique<BytesReader>();
  if ((type.kind == FieldKind::kOptional && is("optional", 1)) || (type.kind == FieldKind::kList && is("list", 1))) {
    auto element = MakeReader(written.parts[0], *type.element, path, why);
    if (element == nullptr) return nullptr;
    if (type.kind == FieldKind::kList) return std::make_unique<ListReader>(type, std::move(element));
    return std::make_unique<OptionalReader>(type, std::move(element));
  }
  if (type.kind == FieldKind::kMap && is("map", 2)) {
    auto key = MakeReader(written.parts[0], *type.key, path, why);
    auto mapped = key == nullptr ? nullptr : MakeReader(written.parts[1], *type.element, path, why);
    if (mapped == nullptr) return nullptr;
    return std::make_unique<MapReader>(type, std::move(key), std::move(mapped));
  }
  return Mismatch(path, "has changed its type and is now " + type.ToString(), why);
}

std::string TextOf(const StateLayoutNode& node) {
  std::string text;
  for (std::size_t i = 0; i < node.parts.size(); ++i) {
    text += i == 0 ? "" : ",";
    if (!node.fields.empty()) text += "\"" + node.fields[i] + "\":";
    text += TextOf(node.parts[i]);
  }
  switch (node.kind) {
    case StateLayoutNode::Kind::kScalar: return node.name;
    case StateLayoutNode::Kind::kGeneric: return node.name + "<" + text + ">";
    case StateLayoutNode::Kind::kStruct: return "{" + text + "}";
    case StateLayoutNode::Kind::kTuple: return "(" + text + ")";
    case StateLayoutNode::Kind::kVariant: return "[" + text + "]";
  }
  return text;
}

bool IsKeyed(const StateLayoutNode& node) {
  return node.name == "keyed" || node.name == "paned" || node.name == "merging";
}

// As `MakeReader`, between two layouts.
std::string Difference(const StateLayoutNode& written, const StateLayoutNode& now, const std::string& path) {
  const std::string subject = path.empty() ? "the value" : "field " + path;
  if (written.kind != now.kind || written.name != now.name) return subject + " has changed its type";
  if (written.kind != StateLayoutNode::Kind::kStruct) {
    if (written.parts.size() != now.parts.size()) return subject + " has changed its parts";
    if (IsKeyed(written) && written.parts[0] != now.parts[0]) return "the key has changed its type";
    for (std::size_t i = 0; i < written.parts.size(); ++i) {
      if (std::string below = Difference(written.parts[i], now.parts[i], path); !below.empty()) return below;
    }
    return "";
  }
  for (std::size_t i = 0; i < written.fields.size(); ++i) {
    const std::string name = (path.empty() ? "" : path + ".") + written.fields[i];
    const auto found = std::find(now.fields.begin(), now.fields.end(), written.fields[i]);
    if (found == now.fields.end()) return "field " + name + " is no longer there";
    const auto index = static_cast<std::size_t>(found - now.fields.begin());
    if (std::string below = Difference(written.parts[i], now.parts[index], name); !below.empty()) return below;
  }
  return "";
}

}  // namespace

std::string LayoutOfType(const Type& type) {
  switch (type.kind) {
    case FieldKind::kOptional: return "optional<" + LayoutOfType(*type.element) + ">";
    case FieldKind::kList: return "list<" + LayoutOfType(*type.element) + ">";
    case FieldKind::kMap: return "map<" + LayoutOfType(*type.key) + "," + LayoutOfType(*type.element) + ">";
    case FieldKind::kEnum: return "enum<" + LayoutOfType(*type.element) + ">";
    case FieldKind::kStruct: {
      std::string text;
      for (const Field& field : type.schema->fields()) {
        text += (text.empty() ? "\"" : ",\"") + field.name + "\":" + LayoutOfType(*field.type);
      }
      return "{" + text + "}";
    }
    default: return type.ToString();
  }
}

std::unique_ptr<EvolvedReader> EvolvedReader::Make(std::string_view written, const Type& type, std::string* why) {
  const StatusOr<StateLayoutNode> layout = model::ParseStateLayout(written);
  if (!layout.ok()) {
    *why = layout.status().message();
    return nullptr;
  }
  return MakeReader(*layout, type, "", why);
}

KeyedLayoutParts PartsOfKeyedLayout(std::string_view layout) {
  const StatusOr<StateLayoutNode> node = model::ParseStateLayout(layout);
  if (!node.ok() || node->parts.size() != 2) return {};
  KeyedLayoutParts parts{
      .kind = node->name, .key = TextOf(node->parts[0]), .value = TextOf(node->parts[1]), .fields = {}};
  const StateLayoutNode& value = node->parts[1];
  for (std::size_t i = 0; i < value.fields.size(); ++i) {
    parts.fields.emplace_back(value.fields[i], TextOf(value.parts[i]));
  }
  return parts;
}

std::string LayoutProblem(std::string_view written, std::string_view now) {
  if (written == now) return "";
  const StatusOr<StateLayoutNode> before = model::ParseStateLayout(written);
  const StatusOr<StateLayoutNode> after = model::ParseStateLayout(now);
  if (!before.ok() || !after.ok())
    return "it was written as " + std::string(written) + ", and is now " + std::string(now);
  return Difference(*before, *after, "");
}

}  // namespace detail
}  // namespace millrace
