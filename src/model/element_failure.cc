#include "millrace/detail/element_failure.h"

#include "millrace/core/json.h"

namespace millrace::detail {

namespace {
constexpr std::size_t kShownBytes = 500;
}  // namespace

std::string CurrentExceptionText() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

std::string DescribeUntyped(const Type& type, const void* object) {
  std::string text;
  json::Append(type, object, &text);
  if (text.size() > kShownBytes) {
    text.resize(kShownBytes);
    text += "…";
  }
  return text;
}

Status ElementFailure(const std::string& label, const std::string& element, const std::string& error) {
  return UnknownError(label + ": failed " + std::to_string(kElementAttempts) + " times on " + element + ": " + error);
}

}  // namespace millrace::detail
