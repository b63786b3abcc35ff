#include "log/reinjected.h"

#include <charconv>
#include <system_error>

namespace millrace::log {

namespace {

template <class Number>
std::optional<Number> NumberOf(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string RecordPlace::ToString() const {
  return topic + "/" + std::to_string(partition) + "/" + std::to_string(offset);
}

std::optional<RecordPlace> ParsePlace(std::string_view text) {
  const std::size_t last = text.rfind('/');
  if (last == std::string_view::npos || last == 0) return std::nullopt;
  const std::size_t middle = text.rfind('/', last - 1);
  if (middle == std::string_view::npos || middle == 0) return std::nullopt;
  const auto partition = NumberOf<std::int32_t>(text.substr(middle + 1, last - middle - 1));
  const auto offset = NumberOf<std::int64_t>(text.substr(last + 1));
  if (!partition || !offset || *partition < 0 || *offset < 0) return std::nullopt;
  return RecordPlace{.topic = std::string(text.substr(0, middle)), .partition = *partition, .offset = *offset};
}

void AddOrigin(const RecordPlace& place, std::uint64_t generation, std::map<std::string, std::string>* attributes) {
  (*attributes)[kOriginAttribute] = place.ToString();
  (*attributes)[kGenerationAttribute] = std::to_string(generation);
}

bool CountsIn(const LogRecord& record, std::string_view topic, std::uint64_t generation, std::int64_t began) {
  if (record.attributes.empty()) return true;
  const auto origin = record.attributes.find(kOriginAttribute);
  const auto meant_for = record.attributes.find(kGenerationAttribute);
  if (origin == record.attributes.end() || meant_for == record.attributes.end()) return true;
  const std::optional<RecordPlace> place = ParsePlace(origin->second);
  if (!place || place->topic != topic || place->partition != record.partition) return true;  // somebody else's
  return NumberOf<std::uint64_t>(meant_for->second) == generation || place->offset < began;
}

}  // namespace millrace::log
