#include "millrace/core/coder.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace {
namespace {

/// Whether a value stands for itself in a PCollection or is part of a row.
enum class Place { kElement, kField };

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

template <class T>
void AppendBigEndian(T value, std::string* out) {
  char bytes[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<char>(value >> 8 * (sizeof(T) - 1 - i));
  out->append(bytes, sizeof(T));
}

/// The integer or enum `*object`, sign-extended.
std::uint64_t LoadInteger(const Type& type, const void* object) {
  auto widened = [](auto value) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(value)); };
  switch (type.kind) {
    case FieldKind::kBool: return *static_cast<const bool*>(object);
    case FieldKind::kInt8: return widened(*static_cast<const std::int8_t*>(object));
    case FieldKind::kInt16: return widened(*static_cast<const std::int16_t*>(object));
    case FieldKind::kInt32: return widened(*static_cast<const std::int32_t*>(object));
    case FieldKind::kInt64: return widened(*static_cast<const std::int64_t*>(object));
    case FieldKind::kUint8: return *static_cast<const std::uint8_t*>(object);
    case FieldKind::kUint16: return *static_cast<const std::uint16_t*>(object);
    case FieldKind::kUint32: return *static_cast<const std::uint32_t*>(object);
    case FieldKind::kUint64: return *static_cast<const std::uint64_t*>(object);
    default: return LoadInteger(*type.element, object);
  }
}

void EncodeValue(const Type& type, const void* object, Place place, std::string* out);

void EncodeList(const Type& type, const void* object, Place place, std::string* out) {
  const std::size_t size = type.list_size(object);
  AppendBigEndian(static_cast<std::uint32_t>(size), out);
  for (std::size_t i = 0; i < size; ++i) EncodeValue(*type.element, type.list_at(object, i), place, out);
}

void EncodeMap(const Type& type, const void* object, std::string* out) {
  struct Context {
    const Type& type;
    std::vector<std::pair<std::string, std::string>> entries;
  } context{type, {}};
  context.entries.reserve(type.map_size(object));
  type.map_visit(object, &context, [](void* to, const void* key, const void* value) {
    Context& map = *static_cast<Context*>(to);
    auto& [key_bytes, value_bytes] = map.entries.emplace_back();
    EncodeValue(*map.type.key, key, Place::kField, &key_bytes);
    EncodeValue(*map.type.element, value, Place::kField, &value_bytes);
  });
  std::sort(context.entries.begin(), context.entries.end());
  AppendBigEndian(static_cast<std::uint32_t>(context.entries.size()), out);
  for (const auto& [key, value] : context.entries) out->append(key).append(value);
}

void EncodeRow(const Schema& schema, const void* object, std::string* out) {
  const std::vector<Field>& fields = schema.fields();
  detail::AppendVarint(fields.size(), out);
  std::uint8_t nulls[kMaxSchemaFields / 8] = {};
  std::size_t null_bytes = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Type& type = *fields[i].type;
    if (type.kind != FieldKind::kOptional || type.optional_get(fields[i].In(object)) != nullptr) continue;
    nulls[i / 8] = static_cast<std::uint8_t>(nulls[i / 8] | 1U << i % 8);
    null_bytes = i / 8 + 1;
  }
  detail::AppendVarint(null_bytes, out);
  out->append(reinterpret_cast<const char*>(nulls), null_bytes);
  for (const Field& field : fields) {
    const void* value = field.In(object);
    const Type* type = field.type;
    if (type->kind == FieldKind::kOptional) {
      value = type->optional_get(value);
      type = type->element;
    }
    if (value != nullptr) EncodeValue(*type, value, Place::kField, out);
  }
}

/// The representation of beam:logical_type:micros_instant:v1: a row of seconds and micros.
void EncodeMicrosInstant(Timestamp time, std::string* out) {
  std::int64_t seconds = time.micros() / kMicrosPerSecond;
  std::int64_t micros = time.micros() % kMicrosPerSecond;
  if (micros < 0) {
    micros += kMicrosPerSecond;
    --seconds;
  }
  out->push_back(2);
  out->push_back(0);
  detail::AppendVarint(static_cast<std::uint64_t>(seconds), out);
  detail::AppendVarint(static_cast<std::uint64_t>(micros), out);
}

void EncodeInteger(const Type& type, const void* object, Place place, std::string* out) {
  const std::uint64_t value = LoadInteger(type, object);
  const FieldKind kind = type.kind == FieldKind::kEnum ? type.element->kind : type.kind;
  if (kind == FieldKind::kBool) {
    out->push_back(static_cast<char>(value));
  } else if (place == Place::kElement) {
    detail::AppendVarint(value, out);
  } else if (kind == FieldKind::kInt8) {
    out->push_back(static_cast<char>(value));
  } else if (kind == FieldKind::kInt16 || kind == FieldKind::kUint8) {
    AppendBigEndian(static_cast<std::uint16_t>(value), out);
  } else if (kind == FieldKind::kInt32 || kind == FieldKind::kUint16) {
    detail::AppendVarint(static_cast<std::uint32_t>(value), out);  // Beam's INT32: never more than 5 bytes
  } else {
    detail::AppendVarint(value, out);
  }
}

void EncodeText(std::string_view text, std::string* out) {
  detail::AppendVarint(text.size(), out);
  out->append(text);
}

void EncodeValue(const Type& type, const void* object, Place place, std::string* out) {
  switch (type.kind) {
    case FieldKind::kFloat:
      return AppendBigEndian(std::bit_cast<std::uint32_t>(*static_cast<const float*>(object)), out);
    case FieldKind::kDouble:
      return AppendBigEndian(std::bit_cast<std::uint64_t>(*static_cast<const double*>(object)), out);
    case FieldKind::kString: return EncodeText(*static_cast<const std::string*>(object), out);
    case FieldKind::kStringView: return EncodeText(*static_cast<const std::string_view*>(object), out);
    case FieldKind::kBytes: {
      const auto& bytes = *static_cast<const std::vector<std::byte>*>(object);
      return EncodeText({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, out);
    }
    case FieldKind::kTimestamp: return EncodeMicrosInstant(*static_cast<const Timestamp*>(object), out);
    case FieldKind::kDuration:
      return detail::AppendVarint(static_cast<std::uint64_t>(static_cast<const Duration*>(object)->count()), out);
    case FieldKind::kOptional: {
      const void* value = type.optional_get(object);
      out->push_back(value != nullptr);
      if (value != nullptr) EncodeValue(*type.element, value, place, out);
      return;
    }
    case FieldKind::kList: return EncodeList(type, object, place, out);
    case FieldKind::kMap: return EncodeMap(type, object, out);
    case FieldKind::kStruct:
      if (type.is_kv && place == Place::kElement) {
        for (const Field& field : type.schema->fields()) EncodeValue(*field.type, field.In(object), place, out);
        return;
      }
      return EncodeRow(*type.schema, object, out);
    default: return EncodeInteger(type, object, place, out);
  }
}

bool FindNonDeterministic(const Type& type, const std::string& path, std::string* why) {
  if (type.kind == FieldKind::kFloat || type.kind == FieldKind::kDouble) {
    if (why != nullptr) {
      *why = (path.empty() ? "a " : "field \"" + path + "\" is a ") + type.ToString() +
             ", whose equal values may have different bytes; round it to an integer or write it as text";
    }
    return true;
  }
  if (type.schema != nullptr) {
    for (const Field& field : type.schema->fields()) {
      if (FindNonDeterministic(*field.type, path.empty() ? field.name : path + "." + field.name, why)) return true;
    }
  }
  return (type.key != nullptr && FindNonDeterministic(*type.key, path, why)) ||
         (type.element != nullptr && FindNonDeterministic(*type.element, path, why));
}

}  // namespace

void EncodeElement(const Type& type, const void* object, std::string* out) {
  EncodeValue(type, object, Place::kElement, out);
}

bool IsDeterministic(const Type& type, std::string* why) { return !FindNonDeterministic(type, "", why); }

std::string_view CoderUrn(const Type& type) {
  switch (type.kind) {
    case FieldKind::kBool: return "beam:coder:bool:v1";
    case FieldKind::kDouble: return "beam:coder:double:v1";
    case FieldKind::kString:
    case FieldKind::kStringView: return "beam:coder:string_utf8:v1";
    case FieldKind::kBytes: return "beam:coder:bytes:v1";
    case FieldKind::kOptional: return "beam:coder:nullable:v1";
    case FieldKind::kList: return "beam:coder:iterable:v1";
    case FieldKind::kStruct: return type.is_kv ? "beam:coder:kv:v1" : "beam:coder:row:v1";
    case FieldKind::kEnum: return CoderUrn(*type.element);
    case FieldKind::kFloat:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration:
    case FieldKind::kMap: return "millrace:coder:field:v1";
    default: return "beam:coder:varint:v1";
  }
}

std::string DescribeCoder(const Type& type) {
  std::string text(CoderUrn(type));
  switch (type.kind) {
    case FieldKind::kOptional:
    case FieldKind::kList: return text + "<" + DescribeCoder(*type.element) + ">";
    case FieldKind::kStruct: {
      if (!type.is_kv) return text + type.schema->ToString().substr(type.schema->name().size());
      const std::vector<Field>& fields = type.schema->fields();
      return text + "<" + DescribeCoder(*fields[0].type) + ", " + DescribeCoder(*fields[1].type) + ">";
    }
    case FieldKind::kFloat:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration:
    case FieldKind::kMap: return text + "<" + type.ToString() + ">";
    default: return text;
  }
}

void EncodeInstant(Timestamp time, std::string* out) {
  AppendBigEndian(static_cast<std::uint64_t>(time.millis()) ^ std::uint64_t{1} << 63, out);
}

void EncodeIntervalWindow(Timestamp start, Timestamp end, std::string* out) {
  EncodeInstant(end, out);
  detail::AppendVarint(static_cast<std::uint64_t>(end.millis() - start.millis()), out);
}

}  // namespace millrace
