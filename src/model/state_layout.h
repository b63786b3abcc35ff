// The text that describes how state was written, taken apart.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"

namespace millrace::model {

/// `int64`, `list<string>`, `{"id":int64}`, `(int64,exact_sum)`, `[int64,string]`.
struct StateLayoutNode {
  enum class Kind : std::uint8_t { kScalar, kGeneric, kStruct, kTuple, kVariant };
  Kind kind = Kind::kScalar;
  std::string name;                    // of a scalar, or of what stands before `<`
  std::vector<std::string> fields;     // names, of a struct
  std::vector<StateLayoutNode> parts;  // of all but scalars
  friend bool operator==(const StateLayoutNode&, const StateLayoutNode&) = default;
};

/// INVALID_ARGUMENT tells at which character the text is none.
StatusOr<StateLayoutNode> ParseStateLayout(std::string_view text);

}  // namespace millrace::model
