#include "log/record_format.h"

#include <utility>

namespace millrace::log {

bool RecordParser::Next(RecordView* view) {
  std::uint64_t number = 0;
  const char* at = GetVarint(at_, end_, &number);
  if (at == nullptr) return false;
  time_ += static_cast<std::uint64_t>(UnZigZag(number));
  view->event_time = Timestamp::FromMicros(static_cast<std::int64_t>(time_));
  if (view->event_time < Timestamp::Min() || view->event_time > Timestamp::Max()) return false;
  if (has_sequences_) {
    at = GetVarint(at, end_, &number);
    if (at == nullptr) return false;
    sequence_ += static_cast<std::int64_t>(number);
  }
  std::uint64_t key_bytes = 0;
  std::uint64_t attributes = 0;
  std::uint64_t data_bytes = 0;
  if ((at = GetVarint(at, end_, &key_bytes)) == nullptr) return false;
  if ((at = GetVarint(at, end_, &attributes)) == nullptr) return false;
  if ((at = GetVarint(at, end_, &data_bytes)) == nullptr) return false;
  if (attributes > kAttributesMax) return false;
  const char* const attributes_begin = at;
  for (std::uint64_t i = 0; i < attributes; ++i) {
    std::uint64_t name_bytes = 0;
    std::uint64_t value_bytes = 0;
    if ((at = GetVarint(at, end_, &name_bytes)) == nullptr) return false;
    if ((at = GetVarint(at, end_, &value_bytes)) == nullptr) return false;
    const auto room = static_cast<std::uint64_t>(end_ - at);
    if (name_bytes > room || value_bytes > room - name_bytes) return false;
    at += name_bytes + value_bytes;
  }
  const auto room = static_cast<std::uint64_t>(end_ - at);
  if (key_bytes > room || data_bytes > room - key_bytes) return false;
  view->encoded_attributes = {attributes_begin, static_cast<std::size_t>(at - attributes_begin)};
  view->attribute_count = static_cast<std::uint32_t>(attributes);
  view->key = {at, key_bytes};
  view->data = {at + key_bytes, data_bytes};
  at_ = at + key_bytes + data_bytes;
  --left_;
  return true;
}

void RecordView::CopyTo(LogRecord* record) const {
  record->partition = partition;
  record->offset = offset;
  record->publish_time = publish_time;
  record->event_time = event_time;
  record->key.assign(key);
  record->data.assign(data);
  record->attributes.clear();
  const char* at = encoded_attributes.data();
  const char* const end = at + encoded_attributes.size();
  for (std::uint32_t i = 0; i < attribute_count; ++i) {  // the parser has seen that they are whole
    std::uint64_t name_bytes = 0;
    std::uint64_t value_bytes = 0;
    at = GetVarint(at, end, &name_bytes);
    at = GetVarint(at, end, &value_bytes);
    record->attributes.emplace_hint(record->attributes.end(), std::string(at, name_bytes),
                                    std::string(at + name_bytes, value_bytes));
    at += name_bytes + value_bytes;
  }
}

}  // namespace millrace::log
