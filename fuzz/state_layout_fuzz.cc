// Any text as the layout of state and any bytes as state: a line with the layout that was written, a line with the one
// that is now, then the bytes. What is read is written and read again as the same, and the reader that goes by the
// layout finds what the compiled one does.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "input.h"
#include "millrace/detail/state_coder.h"
#include "model/schema_samples.h"
#include "model/state_layout.h"

namespace {

using millrace::fuzz::Require;
using namespace millrace::detail;  // NOLINT
using millrace::model::Address;
using millrace::model::Everything;

struct Nothing {};
struct Grown {
  std::string street;
  std::int64_t added = 77;
  std::optional<std::int32_t> number;
  std::vector<Nothing> nothings = {{}, {}};
};

template <class T>
std::string Written(const T& value) {
  std::string bytes;
  AppendState(value, &bytes);
  return bytes;
}

template <class T>
void CheckValue(std::string_view bytes) {
  T value{};
  std::string_view rest = bytes;
  if (!ReadState(&rest, &value)) return;
  Require(rest.size() < bytes.size(), "a value has bytes");
  const std::string written = Written(value);
  T again{};
  std::string_view left = written;
  Require(ReadState(&left, &again) && left.empty() && Written(again) == written, "a value comes back");
}

// Two readers of the same bytes.
template <class T>
void CheckEvolved(std::string_view bytes) {
  std::string why;
  const auto reader = EvolvedReader::Make(StateLayout<T>(), millrace::TypeOf<T>(), &why);
  Require(reader != nullptr, why);
  T one{};
  T other{};
  std::string_view rest_of_one = bytes;
  std::string_view rest_of_other = bytes;
  const bool read = ReadState(&rest_of_one, &one);
  Require(reader->Read(&rest_of_other, &other) == read, "one reader takes what the other refuses");
  Require(!read || (rest_of_one == rest_of_other && Written(one) == Written(other)), "two readers, two values");
}

template <class T>
void CheckDecoder(std::string_view layout, std::string_view bytes) {
  StateDecoder<T> decoder;
  std::string why;
  if (!decoder.Open(layout, &why)) return Require(!why.empty(), "a refusal says why");
  Require(LayoutProblem(layout, StateLayout<T>()).empty(), "what can be read is no problem");
  T value{};
  std::string_view rest = bytes;
  if (!decoder.Read(&rest, &value)) return;
  T again{};
  const std::string written = Written(value);
  std::string_view left = written;
  Require(ReadState(&left, &again) && left.empty() && Written(again) == written, "a value that has grown comes back");
}

void CheckLayouts(std::string_view before, std::string_view now) {
  const auto node = millrace::model::ParseStateLayout(before);
  Require(node.ok() || !node.status().message().empty(), "a refusal says why");
  Require(LayoutProblem(before, before).empty(), "nothing has changed");
  const KeyedLayoutParts parts = PartsOfKeyedLayout(before);
  if (!parts.key.empty()) {
    Require(node.ok() && millrace::model::ParseStateLayout(parts.key).ok(), "a key has a layout");
    Require(LayoutProblem(parts.value, parts.value + " ").empty() == false, "a text that is no layout");
    const auto value = millrace::model::ParseStateLayout(parts.value);
    Require(value.ok() && *value == node->parts[1], "a value's layout is written as it is");
    Require(parts.fields.size() == value->fields.size(), "each field has a layout");
  }
  const std::string problem = LayoutProblem(before, now);
  if (node.ok() && problem.empty() && before != now) {
    const auto other = millrace::model::ParseStateLayout(now);
    Require(other.ok() && other->kind == node->kind && other->name == node->name, "another layout");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  const auto line = [&in] {
    const std::string_view text = in.substr(0, in.find('\n'));
    in.remove_prefix(std::min(in.size(), text.size() + 1));
    return text;
  };
  const std::string_view before = line();
  const std::string_view now = line();
  CheckLayouts(before, now);
  CheckDecoder<Everything>(before, in);
  CheckDecoder<Grown>(before, in);
  CheckDecoder<std::map<std::string, std::vector<Grown>>>(before, in);
  CheckDecoder<std::tuple<ExactSum, std::int64_t>>(before, in);
  CheckEvolved<Everything>(in);
  CheckEvolved<std::vector<Grown>>(in);
  CheckValue<std::tuple<bool, std::optional<Address>, ExactSum>>(in);
  CheckValue<std::variant<std::int64_t, std::string, std::vector<Nothing>>>(in);
  CheckValue<std::pair<Nothing, std::map<std::int32_t, std::vector<std::string>>>>(in);
  std::uint64_t count = 0;
  std::string_view rest = in;
  if (ReadStateCount(&rest, &count)) Require(count <= rest.size(), "more elements than bytes");
  return 0;
}
