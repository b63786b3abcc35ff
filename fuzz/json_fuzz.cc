// Any bytes as JSON text: what is read must be written and read again as the same value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "millrace/core/coder.h"
#include "millrace/core/json.h"
#include "model/schema_samples.h"

namespace {
struct Nothing {};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = millrace::json::Parse<millrace::model::Everything>(text);
  if (value.ok()) {
    const auto again = millrace::json::Parse<millrace::model::Everything>(millrace::json::Write(*value));
    // NaN is not equal to itself, so the encoded bytes are compared.
    if (!again.ok() || millrace::Encode(*again) != millrace::Encode(*value)) std::abort();
  }
  static_cast<void>(millrace::json::Parse<Nothing>(text));
  return 0;
}
