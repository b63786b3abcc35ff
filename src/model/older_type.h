// Types as text, and reading what was written with an earlier version of a type (docs/formats/coders.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::model {

/// The structure of a type as text: kinds, field names and order, no C++ name. Equal texts have equal encodings.
std::string TypeText(const Type& type);

/// The word of a kind: "int64", "string", "optional", "row".
std::string_view KindName(FieldKind kind);

/// FNV-1a, 64 bits.
std::uint64_t TextFingerprint(std::string_view text);

/// Whether what was written with the type of text `written_as` can be read with the one of text `now`: it has each
/// field of the old one, with the same name and type and in the same order; fields may have been added anywhere but in
/// the keys of maps. FAILED_PRECONDITION names the field and what changed; DATA_LOSS: a text is none.
Status CheckReadable(std::string_view written_as, std::string_view now);

/// A type as it was when something was written, laid over the same type as it is now: `DecodeElement(older.type(), &in,
/// object)` reads the old bytes into an object of the new type. Fields that were added keep what `object` holds there:
/// give a default-constructed one. Immutable, so thread safe.
class OlderType {
 public:
  /// `written_as` is the TypeText of the old type; errors as CheckReadable. `now` outlives the result.
  static StatusOr<OlderType> Make(std::string_view written_as, const Type& now);

  const Type& type() const { return *type_; }
  /// Whether nothing changed.
  bool same() const { return parts_.empty(); }

 private:
  friend class Overlay;

  std::vector<std::shared_ptr<const void>> parts_;  // the schemas and types that `type_` is made of
  const Type* type_ = nullptr;
};

}  // namespace millrace::model
