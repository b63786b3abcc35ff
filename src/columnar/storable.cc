#include "columnar/storable.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "columnar/column_encoder.h"
#include "columnar/temporal.h"

namespace millrace::columnar {
namespace {

// Whether a value of the type may be refused.
bool MayBeRefused(const Type& type) {
  switch (type.kind) {
    case FieldKind::kString:
    case FieldKind::kStringView:
    case FieldKind::kBytes:
    case FieldKind::kTimestamp: return true;
    case FieldKind::kOptional:
    case FieldKind::kList: return MayBeRefused(*type.element);
    case FieldKind::kMap: return MayBeRefused(*type.key) || MayBeRefused(*type.element);
    case FieldKind::kStruct: {
      const std::vector<Field>& fields = type.schema->fields();
      return std::any_of(fields.begin(), fields.end(), [](const Field& field) { return MayBeRefused(*field.type); });
    }
    default: return false;
  }
}

Status CheckText(std::string_view text, bool is_raw) {
  if (!is_raw && !IsUtf8(text)) return InvalidArgumentError("a text is not valid UTF-8; use bytes for raw data");
  if (text.size() <= kStringBytesMax) return OkStatus();
  return InvalidArgumentError("a text of " + std::to_string(text.size()) +
                              " bytes is longer than DuckDB's limit of 4 GiB");
}

Status CheckValue(const Type& type, const void* object);

Status CheckMap(const Type& type, const void* object) {
  struct Visit {
    const Type& type;
    Status status;
  } visit{type, OkStatus()};
  type.map_visit(object, &visit, [](void* context, const void* key, const void* value) {
    auto& [map, status] = *static_cast<Visit*>(context);
    if (status.ok()) status = CheckValue(*map.key, key);
    if (status.ok()) status = CheckValue(*map.element, value);
  });
  return visit.status;
}

Status CheckValue(const Type& type, const void* object) {
  switch (type.kind) {
    case FieldKind::kString: return CheckText(*static_cast<const std::string*>(object), false);
    case FieldKind::kStringView: return CheckText(*static_cast<const std::string_view*>(object), false);
    case FieldKind::kBytes: {
      const auto& bytes = *static_cast<const std::vector<std::byte>*>(object);
      return CheckText({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, true);
    }
    case FieldKind::kTimestamp: return CheckStorableTime(*static_cast<const Timestamp*>(object));
    case FieldKind::kOptional: {
      const void* value = type.optional_get(object);
      return value == nullptr ? OkStatus() : CheckValue(*type.element, value);
    }
    case FieldKind::kList:
      for (std::size_t i = 0; i < type.list_size(object); ++i) {
        MILLRACE_RETURN_IF_ERROR(CheckValue(*type.element, type.list_at(object, i)));
      }
      return OkStatus();
    case FieldKind::kMap: return CheckMap(type, object);
    case FieldKind::kStruct:
      for (const Field& field : type.schema->fields()) {
        const Status status = CheckValue(*field.type, field.In(object));
        if (!status.ok()) return status.WithContext("field " + field.name);
      }
      return OkStatus();
    default: return OkStatus();
  }
}

}  // namespace

StorableCheck::StorableCheck(const Type& type) : type_(&type), is_needed_(MayBeRefused(type)) {}

Status StorableCheck::CheckAll(const void* object) const { return CheckValue(*type_, object); }

Status CheckStorableTime(Timestamp time) {
  std::int64_t micros = 0;
  if (ToDuckdbMicros(time, &micros)) return OkStatus();
  return InvalidArgumentError("the time " + time.ToString() + " lies before the first one that DuckDB can hold");
}

}  // namespace millrace::columnar
