#include "archive/archived_text.h"

#include <cstring>
#include <utility>

#include "millrace/core/coder.h"
#include "model/schema_text.h"

namespace millrace::archive {

namespace {

void AppendSized(std::string_view text, std::string* out) {
  detail::AppendVarint(text.size(), out);
  out->append(text);
}

bool TakeSized(std::string_view* in, std::string* text) {
  std::uint64_t size = 0;
  if (!detail::ReadVarint(in, &size) || size > in->size()) return false;
  text->assign(in->substr(0, size));
  in->remove_prefix(size);
  return true;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (text.size() >= sizeof(std::uint64_t)) {  // eight ASCII characters at a time
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof(word));
    if ((word & 0x8080'8080'8080'8080) != 0) break;
    text.remove_prefix(sizeof(word));
  }
  while (!text.empty()) {
    const std::size_t length = model::Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool IsText(const LogRecord& record) {
  if (!IsUtf8(record.key)) return false;
  for (const auto& [name, value] : record.attributes) {
    if (!IsUtf8(name) || !IsUtf8(value)) return false;
  }
  return true;
}

std::string ReplaceInvalid(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = model::Utf8Length(text);
    if (length == 0) {
      result += "\xEF\xBF\xBD";
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::string EncodeRaw(const LogRecord& record) {
  std::string bytes;
  AppendSized(record.key, &bytes);
  detail::AppendVarint(record.attributes.size(), &bytes);
  for (const auto& [name, value] : record.attributes) {
    AppendSized(name, &bytes);
    AppendSized(value, &bytes);
  }
  return bytes;
}

Status DecodeRaw(std::string_view bytes, LogRecord* record) {
  std::uint64_t count = 0;
  record->attributes.clear();
  bool is_sound = TakeSized(&bytes, &record->key) && detail::ReadVarint(&bytes, &count);
  std::string name;
  std::string value;
  for (std::uint64_t i = 0; i < count && is_sound; ++i) {
    is_sound = TakeSized(&bytes, &name) && TakeSized(&bytes, &value);
    if (is_sound) record->attributes.insert_or_assign(name, value);
  }
  if (is_sound && bytes.empty()) return OkStatus();
  return DataLossError("column raw: it does not hold a key and attributes");
}

}  // namespace millrace::archive
