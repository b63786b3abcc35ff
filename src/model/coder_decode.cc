// Reading what coder.cc writes, and everything else that Beam's encodings allow, from bytes that may be damaged.
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/core/coder.h"

namespace millrace {
namespace {

enum class ValuePlace { kElement, kField };

constexpr std::int64_t kMicrosInSecond = 1'000'000;
constexpr std::uint32_t kUnknownLength = 0xffffffff;

/// Reads one element; used once. Every function returns false when the bytes are bad, with the reason recorded.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : begin_(in.data()), in_(in) {}

  bool ReadValue(const Type& type, ValuePlace place, void* object);
  std::string_view rest() const { return in_; }
  bool ReadInstant(Timestamp* time);
  bool ReadVarint(std::uint64_t* value) {
    return detail::ReadVarint(&in_, value) || Bad("a varint is cut off or too long");
  }
  bool Bad(std::string reason);
  Status Error() const;

 private:
  bool ReadBytes(std::size_t size, const char** bytes);
  template <class T>
  bool ReadBigEndian(T* value);
  bool ReadText(std::string_view* text);
  bool ReadBool(bool* value);
  bool ReadInteger(const Type& type, ValuePlace place, void* object);
  template <class T>
  bool Store(std::uint64_t bits, void* object);
  bool StoreInteger(const Type& type, std::uint64_t bits, void* object);
  bool ReadMicrosInstant(Timestamp* time);
  bool ReadOptional(const Type& type, ValuePlace place, void* object);
  bool ReadList(const Type& type, ValuePlace place, void* object);
  bool ReadChunkedList(const Type& type, ValuePlace place, void* object);
  bool ReadItem(const Type& type, ValuePlace place, void* object);
  bool ReadMap(const Type& type, void* object);
  bool ReadKv(const Schema& schema, void* object);
  bool ReadRow(const Schema& schema, void* object);
  bool ReadRowField(const Field& field, bool null, void* object);
  bool Within(std::string step);

  const char* begin_;
  std::string_view in_;
  std::string reason_;
  std::size_t offset_ = 0;
  std::vector<std::string> path_;
};

bool Decoder::Bad(std::string reason) {
  reason_ = std::move(reason);
  offset_ = static_cast<std::size_t>(in_.data() - begin_);
  return false;
}

bool Decoder::Within(std::string step) {
  path_.push_back(std::move(step));
  return false;
}

Status Decoder::Error() const {
  std::string path;
  for (std::size_t i = path_.size(); i > 0; --i) {
    if (!path.empty() && path_[i - 1][0] != '[') path += '.';
    path += path_[i - 1];
  }
  std::string message = "encoded value: ";
  if (!path.empty()) message += "field \"" + path + "\": ";
  return DataLossError(message + reason_ + " (byte " + std::to_string(offset_) + ")");
}

bool Decoder::ReadBytes(std::size_t size, const char** bytes) {
  if (in_.size() < size) {
    return Bad(std::to_string(size) + " bytes are needed, " + std::to_string(in_.size()) + " are left");
  }
  *bytes = in_.data();
  in_.remove_prefix(size);
  return true;
}

template <class T>
bool Decoder::ReadBigEndian(T* value) {
  const char* bytes = nullptr;
  if (!ReadBytes(sizeof(T), &bytes)) return false;
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) result = result << 8 | static_cast<unsigned char>(bytes[i]);
  *value = static_cast<T>(result);
  return true;
}

bool Decoder::ReadText(std::string_view* text) {
  std::uint64_t size = 0;
  const char* bytes = nullptr;
  if (!ReadVarint(&size) || !ReadBytes(size, &bytes)) return false;
  *text = {bytes, size};
  return true;
}

bool Decoder::ReadBool(bool* value) {
  if (in_.empty()) return Bad("one byte is needed, none is left");
  if (static_cast<unsigned char>(in_[0]) > 1) return Bad("a boolean is neither 0 nor 1");
  *value = in_[0] == 1;
  in_.remove_prefix(1);
  return true;
}

template <class T>
bool Decoder::Store(std::uint64_t bits, void* object) {
  const auto value = static_cast<T>(bits);
  if (static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) != bits) {
    return Bad("the number " + std::to_string(static_cast<std::int64_t>(bits)) + " is out of range");
  }
  *static_cast<T*>(object) = value;
  return true;
}

bool Decoder::StoreInteger(const Type& type, std::uint64_t bits, void* object) {
  switch (type.kind) {
    case FieldKind::kInt8: return Store<std::int8_t>(bits, object);
    case FieldKind::kInt16: return Store<std::int16_t>(bits, object);
    case FieldKind::kInt32: return Store<std::int32_t>(bits, object);
    case FieldKind::kInt64: return Store<std::int64_t>(bits, object);
    case FieldKind::kUint8: return Store<std::uint8_t>(bits, object);
    case FieldKind::kUint16: return Store<std::uint16_t>(bits, object);
    case FieldKind::kUint32: return Store<std::uint32_t>(bits, object);
    case FieldKind::kUint64: return Store<std::uint64_t>(bits, object);
    default: return Bad("a " + type.ToString() + " is no integer");
  }
}

bool Decoder::ReadInteger(const Type& type, ValuePlace place, void* object) {
  if (type.kind == FieldKind::kBool) return ReadBool(static_cast<bool*>(object));
  if (type.kind == FieldKind::kEnum) return ReadInteger(*type.element, place, object);
  std::uint64_t bits = 0;
  if (place == ValuePlace::kField && type.kind == FieldKind::kInt8) {
    std::int8_t value = 0;
    if (!ReadBigEndian(&value)) return false;
    bits = static_cast<std::uint64_t>(std::int64_t{value});
  } else if (place == ValuePlace::kField && (type.kind == FieldKind::kInt16 || type.kind == FieldKind::kUint8)) {
    std::int16_t value = 0;
    if (!ReadBigEndian(&value)) return false;
    bits = static_cast<std::uint64_t>(std::int64_t{value});
  } else {
    if (!ReadVarint(&bits)) return false;
    // Beam's INT32 has the low 32 bits only (Java, Python); Beam Go sign-extends it to 64.
    const bool narrow = place == ValuePlace::kField && type.kind == FieldKind::kInt32;
    if (narrow && bits >> 32 == 0) bits = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(bits)});
  }
  return StoreInteger(type, bits, object);
}

bool Decoder::ReadMicrosInstant(Timestamp* time) {
  std::uint64_t fields = 0, nulls = 0, seconds = 0, micros = 0;
  if (!ReadVarint(&fields) || !ReadVarint(&nulls)) return false;
  if (fields != 2 || nulls != 0) return Bad("a timestamp is not a row of seconds and micros");
  if (!ReadVarint(&seconds) || !ReadVarint(&micros)) return false;
  if (micros >= kMicrosInSecond) return Bad("a timestamp has a million micros or more");
  // Before the epoch counted from the end of the second: the earliest second begins before the earliest 64-bit number.
  const auto second = static_cast<std::int64_t>(seconds);
  const std::int64_t whole = second < 0 ? second + 1 : second;
  const std::int64_t part = static_cast<std::int64_t>(micros) - (second < 0 ? kMicrosInSecond : 0);
  std::int64_t total = 0;
  if (__builtin_mul_overflow(whole, kMicrosInSecond, &total) || __builtin_add_overflow(total, part, &total)) {
    return Bad("a timestamp is out of range");
  }
  *time = Timestamp::FromMicros(total);
  if (*time < Timestamp::Min() || *time > Timestamp::Max()) return Bad("a timestamp is out of range");
  return true;
}

bool Decoder::ReadInstant(Timestamp* time) {
  std::uint64_t bits = 0;
  if (!ReadBigEndian(&bits)) return false;
  const auto millis = static_cast<std::int64_t>(bits ^ std::uint64_t{1} << 63);
  if (millis < Timestamp::Min().millis() || millis > Timestamp::Max().millis())
    return Bad("an instant is out of range");
  *time = Timestamp::FromMillis(millis);
  return true;
}

bool Decoder::ReadOptional(const Type& type, ValuePlace place, void* object) {
  bool present = false;
  if (!ReadBool(&present)) return false;
  if (present) return ReadValue(*type.element, place, type.optional_emplace(object));
  type.optional_reset(object);
  return true;
}

bool Decoder::ReadItem(const Type& type, ValuePlace place, void* object) {
  if (ReadValue(*type.element, place, type.list_append(object))) return true;
  std::string step(1, '[');
  return Within(step.append(std::to_string(type.list_size(object) - 1)).append(1, ']'));
}

bool Decoder::ReadList(const Type& type, ValuePlace place, void* object) {
  type.list_clear(object);
  std::uint32_t count = 0;
  if (!ReadBigEndian(&count)) return false;
  if (count == kUnknownLength) return ReadChunkedList(type, place, object);
  if (count > in_.size()) return Bad("a list of " + std::to_string(count) + " elements does not fit into what is left");
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!ReadItem(type, place, object)) return false;
  }
  return true;
}

/// An iterable of a length that its writer did not know: chunks, each behind its count; a count of 0 ends it.
bool Decoder::ReadChunkedList(const Type& type, ValuePlace place, void* object) {
  while (true) {
    std::uint64_t count = 0;
    if (!ReadVarint(&count)) return false;
    if (count == 0) return true;
    if (count > in_.size())
      return Bad("a list of " + std::to_string(count) + " elements does not fit into what is left");
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!ReadItem(type, place, object)) return false;
    }
  }
}

bool Decoder::ReadMap(const Type& type, void* object) {
  type.map_clear(object);
  std::uint32_t count = 0;
  if (!ReadBigEndian(&count)) return false;
  if (count > in_.size() / 2)
    return Bad("a map of " + std::to_string(count) + " entries does not fit into what is left");
  const std::unique_ptr<void, void (*)(void*)> key(type.key->create(), type.key->destroy);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!ReadValue(*type.key, ValuePlace::kField, key.get())) return Within("[key]");
    void* value = type.map_insert(object, key.get());
    if (type.map_size(object) != i + 1) return Bad("a map has a key twice");
    if (!ReadValue(*type.element, ValuePlace::kField, value)) return Within("[value]");
  }
  return true;
}

bool Decoder::ReadKv(const Schema& schema, void* object) {
  for (const Field& field : schema.fields()) {
    if (!ReadValue(*field.type, ValuePlace::kElement, field.In(object))) return Within(field.name);
  }
  return true;
}

bool Decoder::ReadRowField(const Field& field, bool null, void* object) {
  const bool optional = field.type->kind == FieldKind::kOptional;
  void* value = field.In(object);
  if (!null) {
    const Type& type = optional ? *field.type->element : *field.type;
    return ReadValue(type, ValuePlace::kField, optional ? field.type->optional_emplace(value) : value) || Within(field.name);
  }
  if (!optional) return Bad("it is null or missing; make the field a std::optional if it may be") || Within(field.name);
  field.type->optional_reset(value);
  return true;
}

bool Decoder::ReadRow(const Schema& schema, void* object) {
  const std::vector<Field>& fields = schema.fields();
  std::uint64_t count = 0;
  std::string_view nulls;
  if (!ReadVarint(&count)) return false;
  if (count > fields.size()) {
    return Bad("a row has " + std::to_string(count) + " fields, " + schema.name() + " has " +
               std::to_string(fields.size()));
  }
  if (!ReadText(&nulls)) return false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool null =
        i >= count || (i / 8 < nulls.size() && (static_cast<unsigned char>(nulls[i / 8]) >> i % 8 & 1) != 0);
    if (!ReadRowField(fields[i], null, object)) return false;
  }
  return true;
}

bool Decoder::ReadValue(const Type& type, ValuePlace place, void* object) {
  switch (type.kind) {
    case FieldKind::kFloat: {
      std::uint32_t bits = 0;
      if (!ReadBigEndian(&bits)) return false;
      *static_cast<float*>(object) = std::bit_cast<float>(bits);
      return true;
    }
    case FieldKind::kDouble: {
      std::uint64_t bits = 0;
      if (!ReadBigEndian(&bits)) return false;
      *static_cast<double*>(object) = std::bit_cast<double>(bits);
      return true;
    }
    case FieldKind::kString: {
      std::string_view text;
      if (!ReadText(&text)) return false;
      static_cast<std::string*>(object)->assign(text);
      return true;
    }
    case FieldKind::kStringView:
      return Bad("a std::string_view cannot be decoded, for it owns no storage; make it a std::string");
    case FieldKind::kBytes: {
      std::string_view text;
      if (!ReadText(&text)) return false;
      const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
      static_cast<std::vector<std::byte>*>(object)->assign(bytes, bytes + text.size());
      return true;
    }
    case FieldKind::kTimestamp: return ReadMicrosInstant(static_cast<Timestamp*>(object));
    case FieldKind::kDuration: {
      std::uint64_t bits = 0;
      if (!ReadVarint(&bits)) return false;
      *static_cast<Duration*>(object) = Duration(static_cast<std::int64_t>(bits));
      return true;
    }
    case FieldKind::kOptional: return ReadOptional(type, place, object);
    case FieldKind::kList: return ReadList(type, place, object);
    case FieldKind::kMap: return ReadMap(type, object);
    case FieldKind::kStruct:
      return type.is_kv && place == ValuePlace::kElement ? ReadKv(*type.schema, object) : ReadRow(*type.schema, object);
    default: return ReadInteger(type, place, object);
  }
}

}  // namespace

Status DecodeElement(const Type& type, std::string_view* in, void* object) {
  Decoder decoder(*in);
  if (!decoder.ReadValue(type, ValuePlace::kElement, object)) return decoder.Error();
  *in = decoder.rest();
  return OkStatus();
}

Status DecodeInstant(std::string_view* in, Timestamp* time) {
  Decoder decoder(*in);
  if (!decoder.ReadInstant(time)) return decoder.Error();
  *in = decoder.rest();
  return OkStatus();
}

Status DecodeIntervalWindow(std::string_view* in, Timestamp* start, Timestamp* end) {
  Decoder decoder(*in);
  std::uint64_t span = 0;
  bool ok = decoder.ReadInstant(end) && decoder.ReadVarint(&span);
  if (ok && span > static_cast<std::uint64_t>(end->millis() - Timestamp::Min().millis())) {
    ok = decoder.Bad("a window begins before the beginning of time");
  }
  if (!ok) return decoder.Error();
  *start = Timestamp::FromMillis(end->millis() - static_cast<std::int64_t>(span));
  *in = decoder.rest();
  return OkStatus();
}

}  // namespace millrace
