#include "model/json_reader.h"

#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "millrace/core/json.h"
#include "model/schema_text.h"

namespace millrace::json {

constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);

/// One bit for each field of a schema.
struct SeenFields {
  std::uint64_t words[kMaxSchemaFields / 64] = {};

  /// Marks a field; false when it was marked before.
  bool Mark(std::size_t index) {
    std::uint64_t& word = words[index / 64];
    const std::uint64_t bit = std::uint64_t{1} << index % 64;
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }
  bool Has(std::size_t index) const { return (words[index / 64] >> index % 64 & 1) != 0; }
};

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// "[7]"; spelled without `"[" + std::to_string`, of which g++ 12 warns wrongly (-Wrestrict).
std::string IndexStep(std::size_t index) {
  std::string step(1, '[');
  return step.append(std::to_string(index)).append(1, ']');
}

/// What stands at the start of `rest`, or nothing when it is no JSON value.
std::string_view NameOfFound(std::string_view rest) {
  const char c = rest.front();
  switch (c) {
    case '"': return "a string";
    case '{': return "an object";
    case '[': return "an array";
    case 't': return rest.starts_with("true") ? "true" : "";
    case 'f': return rest.starts_with("false") ? "false" : "";
    case 'n': return rest.starts_with("null") ? "null" : "";
    default: return c == '-' || IsDigit(c) ? "a number" : "";
  }
}

}  // namespace

bool Reader::Fail(std::string reason) {
  reason_ = std::move(reason);
  reason_offset_ = static_cast<std::size_t>(at_ - begin_);
  return false;
}

bool Reader::Expected(std::string_view what) {
  std::string reason = "expected ";
  reason.append(what).append(", found ");
  if (at_ == end_) {
    reason.append("the end of the text");
  } else if (std::string_view found = NameOfFound({at_, static_cast<std::size_t>(end_ - at_)}); !found.empty()) {
    reason.append(found);
  } else if (*at_ > ' ' && *at_ < 0x7f) {
    reason.append("'").append(1, *at_).append("'");
  } else {
    reason.append("byte ").append(std::to_string(static_cast<unsigned char>(*at_)));
  }
  return Fail(std::move(reason));
}

bool Reader::Within(std::string step) {
  path_.push_back(std::move(step));
  return false;
}

Status Reader::Read(const Type& type, void* object) {
  bool ok = ReadValue(type, object);
  if (ok) {
    SkipSpace();
    if (at_ != end_) ok = Fail("more text follows the value");
  }
  if (ok) return OkStatus();
  std::string path;
  for (std::size_t i = path_.size(); i > 0; --i) {
    if (!path.empty() && path_[i - 1][0] != '[') path += '.';
    path += path_[i - 1];
  }
  std::string message = "JSON: ";
  if (!path.empty()) message += "field \"" + path + "\": ";
  return InvalidArgumentError(message + reason_ + " (byte " + std::to_string(reason_offset_) + ")");
}

bool Reader::NextWord(std::string_view word) {
  if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool Reader::NextSeparator(char close, bool* done) {
  SkipSpace();
  *done = false;
  if (Next(',')) return true;
  *done = true;
  if (Next(close)) return true;
  return Expected(close == ']' ? "a comma or ]" : "a comma or }");
}

bool Reader::ReadValue(const Type& type, void* object) {
  SkipSpace();
  switch (type.kind) {
    case FieldKind::kString: {
      std::string_view text;
      if (at_ == end_ || *at_ != '"') return Expected("a string");
      if (!ReadString(&text)) return false;
      static_cast<std::string*>(object)->assign(text);
      return true;
    }
    case FieldKind::kInt32: return ReadIntegerAs<std::int32_t>(type, object);
    case FieldKind::kInt64: return ReadIntegerAs<std::int64_t>(type, object);
    case FieldKind::kFloat: return ReadFloating<float>(object);
    case FieldKind::kDouble: return ReadFloating<double>(object);
    case FieldKind::kBool: return ReadBool(type, object);
    case FieldKind::kStringView:
    case FieldKind::kBytes:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration: return ReadQuotedText(type, object);
    case FieldKind::kOptional: return ReadOptional(type, object);
    case FieldKind::kList: return ReadList(type, object);
    case FieldKind::kMap: return ReadMap(type, object);
    case FieldKind::kStruct: return ReadStruct(*type.schema, object);
    default: return ReadInteger(type, object);
  }
}

bool Reader::ReadBool(const Type&, void* object) {
  if (NextWord("true")) {
    *static_cast<bool*>(object) = true;
  } else if (NextWord("false")) {
    *static_cast<bool*>(object) = false;
  } else {
    return Expected("true or false");
  }
  return true;
}

bool Reader::ReadInteger(const Type& type, void* object) {
  const char* start = at_;
  std::string_view digits;
  bool integer = false;
  if (at_ == end_ || (*at_ != '-' && !IsDigit(*at_))) return Expected("an integer");
  if (!SkipNumber(&digits, &integer)) return false;
  std::string why;
  if (integer && model::ParseInteger(digits, type, object, &why)) return true;
  if (!integer)
    why = std::string(digits.substr(0, 40)) + " is no integer; make the field a double if fractions are meant";
  at_ = start;
  return Fail(std::move(why));
}

/// The quick way: up to 18 digits behind an optional minus, and no fraction or exponent behind them.
template <class T>
bool Reader::ReadIntegerAs(const Type& type, void* object) {
  const char* at = at_;
  const bool negative = at != end_ && *at == '-';
  at += negative;
  const char* first = at;
  std::int64_t value = 0;
  const char* limit = end_ - at > 18 ? at + 18 : end_;
  while (at != limit && IsDigit(*at)) value = value * 10 + (*at++ - '0');
  const bool whole = at != first && (*first != '0' || at == first + 1) &&
                     (at == end_ || (!IsDigit(*at) && *at != '.' && *at != 'e' && *at != 'E'));
  if (negative) value = -value;
  if (!whole || value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) [[unlikely]] {
    return ReadInteger(type, object);
  }
  at_ = at;
  *static_cast<T*>(object) = static_cast<T>(value);
  return true;
}

template <class T>
bool Reader::ReadFloating(void* object) {
  const char* start = at_;
  std::string_view digits;
  bool integer = false;
  if (at_ != end_ && *at_ == '"') {
    if (!ReadString(&digits)) return false;
    if (digits == "NaN" || digits == "Infinity" || digits == "-Infinity") {
      return model::ParseFloating(digits, static_cast<T*>(object));
    }
    at_ = start;
  }
  if (at_ == end_ || (*at_ != '-' && !IsDigit(*at_))) return Expected("a number");
  if (!SkipNumber(&digits, &integer)) return false;
  if (model::ParseFloating(digits, static_cast<T*>(object))) return true;
  at_ = start;
  return Fail(std::string(digits.substr(0, 40)) + " is out of the range of a " +
              (std::is_same_v<T, float> ? "float" : "double"));
}

bool Reader::ReadQuotedText(const Type& type, void* object) {
  const char* start = at_;
  std::string_view text;
  if (at_ == end_ || *at_ != '"') return Expected("a string");
  if (!ReadString(&text)) return false;
  std::string why;
  if (model::ParseText(text, type, object, &why)) return true;
  at_ = start;
  return Fail(std::move(why));
}

bool Reader::ReadOptional(const Type& type, void* object) {
  if (at_ != end_ && *at_ == 'n') {
    if (!NextWord("null")) return Expected("null");
    type.optional_reset(object);
    return true;
  }
  return ReadValue(*type.element, type.optional_emplace(object));
}

bool Reader::ReadList(const Type& type, void* object) {
  if (!Next('[')) return Expected("an array");
  type.list_clear(object);
  SkipSpace();
  if (Next(']')) return true;
  for (bool done = false; !done;) {
    if (!ReadValue(*type.element, type.list_append(object))) {
      return Within(IndexStep(type.list_size(object) - 1));
    }
    if (!NextSeparator(']', &done)) return false;
  }
  return true;
}

bool Reader::ReadMap(const Type& type, void* object) {
  type.map_clear(object);
  const std::unique_ptr<void, void (*)(void*)> key(type.key->create(), type.key->destroy);
  const bool textual = model::IsTextual(*type.key) && type.key->kind != FieldKind::kBytes;
  return textual ? ReadObjectMap(type, object, key.get()) : ReadEntryListMap(type, object, key.get());
}

bool Reader::ReadEntry(const Type& type, void* object, void* key) {
  std::string step = "[";
  Append(*type.key, key, &step);
  step += "]";
  const std::size_t size = type.map_size(object);
  void* value = type.map_insert(object, key);
  if (type.map_size(object) == size) return Fail("the map has the key " + step.substr(1, step.size() - 2) + " twice");
  return ReadValue(*type.element, value) || Within(std::move(step));
}

bool Reader::ReadObjectMap(const Type& type, void* object, void* key) {
  if (!Next('{')) return Expected("an object");
  SkipSpace();
  if (Next('}')) return true;
  for (bool done = false; !done;) {
    SkipSpace();
    std::string_view name;
    std::string why;
    const char* start = at_;
    if (at_ == end_ || *at_ != '"') return Expected("the name of a member");
    if (!ReadString(&name)) return false;
    if (!model::ParseText(name, *type.key, key, &why)) {
      at_ = start;
      return Fail("bad key: " + why);
    }
    SkipSpace();
    if (!Next(':')) return Expected("a colon");
    if (!ReadEntry(type, object, key)) return false;
    if (!NextSeparator('}', &done)) return false;
  }
  return true;
}

bool Reader::ReadEntryListMap(const Type& type, void* object, void* key) {
  if (!Next('[')) return Expected("an array of {\"key\", \"value\"} objects");
  SkipSpace();
  if (Next(']')) return true;
  for (bool done = false; !done;) {
    const std::string step = IndexStep(type.map_size(object));
    SkipSpace();
    if (!Next('{')) return Expected("an object of \"key\" and \"value\"") || Within(step);
    SkipSpace();
    if (!NextWord("\"key\"")) return Expected("the member \"key\"") || Within(step);
    SkipSpace();
    if (!Next(':')) return Expected("a colon") || Within(step);
    if (!ReadValue(*type.key, key)) return Within(step + ".key");
    SkipSpace();
    if (!Next(',')) return Expected("a comma") || Within(step);
    SkipSpace();
    if (!NextWord("\"value\"")) return Expected("the member \"value\"") || Within(step);
    SkipSpace();
    if (!Next(':')) return Expected("a colon") || Within(step);
    if (!ReadEntry(type, object, key)) return false;
    SkipSpace();
    if (!Next('}')) return Expected("}") || Within(step);
    if (!NextSeparator(']', &done)) return false;
  }
  return true;
}

bool Reader::ReadMemberName(const Schema& schema, std::size_t expected, std::size_t* index) {
  SkipSpace();
  const std::vector<Field>& fields = schema.fields();
  *index = kUnknown;
  if (at_ == end_ || *at_ != '"') return Expected("the name of a member");
  if (expected < fields.size()) {  // members mostly come in the order of the fields
    const std::string& name = fields[expected].name;
    if (static_cast<std::size_t>(end_ - at_) > name.size() + 1 && at_[name.size() + 1] == '"' &&
        std::string_view(at_ + 1, name.size()) == name) {
      *index = expected;
      at_ += name.size() + 2;
    }
  }
  if (*index == kUnknown) {
    std::string_view name;
    if (!ReadString(&name)) return false;
    if (const Field* field = schema.Find(name)) *index = static_cast<std::size_t>(field - fields.data());
  }
  SkipSpace();
  return Next(':') || Expected("a colon");
}

bool Reader::CheckMissing(const Schema& schema, const SeenFields& seen, void* object) {
  const std::vector<Field>& fields = schema.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (seen.Has(i)) continue;
    if (fields[i].type->kind != FieldKind::kOptional) {
      return Fail("it is missing; make the field a std::optional if it may be") || Within(fields[i].name);
    }
    fields[i].type->optional_reset(fields[i].In(object));
  }
  return true;
}

bool Reader::ReadStruct(const Schema& schema, void* object) {
  if (!Next('{')) return Expected("an object");
  const std::vector<Field>& fields = schema.fields();
  SeenFields seen;
  std::size_t count = 0;
  std::size_t expected = 0;
  SkipSpace();
  bool done = Next('}');
  while (!done) {
    std::size_t index = kUnknown;
    if (!ReadMemberName(schema, expected, &index)) return false;
    if (index == kUnknown) {
      if (!SkipValue(0)) return false;
    } else {
      const Field& field = fields[index];
      if (!seen.Mark(index)) return Fail("it occurs twice") || Within(field.name);
      if (!ReadValue(*field.type, field.In(object))) [[unlikely]]
        return Within(field.name);
      ++count;
      expected = index + 1;
    }
    if (!NextSeparator('}', &done)) return false;
  }
  return count == fields.size() || CheckMissing(schema, seen, object);
}

Status ParseInto(std::string_view text, const Type& type, void* object) { return Reader(text).Read(type, object); }

}  // namespace millrace::json
