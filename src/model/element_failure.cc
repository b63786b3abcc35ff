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

bool TryElement(Callback attempt, Callback rewind, std::string* error) {
  for (int tried = 0; tried < kElementAttempts; ++tried) {
    try {
      attempt();
      return true;
    } catch (const PipelineFailure&) {
      throw;
    } catch (...) {
      *error = CurrentExceptionText();
      rewind();
    }
  }
  return false;
}

Status ElementFailure(const std::string& label, const std::string& element, const std::string& error) {
  return UnknownError(label + ": failed " + std::to_string(kElementAttempts) + " times on " + element + ": " + error);
}

}  // namespace millrace::detail
