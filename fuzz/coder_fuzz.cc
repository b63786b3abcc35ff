// Any bytes as an encoded value: what is decoded must be encoded to bytes that decode to the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/coder.h"
#include "model/schema_samples.h"

namespace {

template <class T>
void Check(std::string_view in) {
  T value{};
  const std::string_view before = in;
  if (!millrace::Coder<T>::Decode(&in, &value).ok()) {
    if (in.data() != before.data()) std::abort();
    return;
  }
  const std::string bytes = millrace::Encode(value);
  const auto again = millrace::Decode<T>(bytes);
  if (!again.ok() || millrace::Encode(*again) != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  Check<millrace::model::Everything>(in);
  Check<millrace::KV<std::string, std::vector<std::optional<millrace::model::Address>>>>(in);
  Check<std::map<std::string, std::int64_t>>(in);
  millrace::Timestamp start, end;
  std::string_view window = in;
  if (millrace::DecodeIntervalWindow(&window, &start, &end).ok()) {
    std::string bytes;
    millrace::EncodeIntervalWindow(start, end, &bytes);
    if (start > end || bytes.size() < 9) std::abort();
  }
  return 0;
}
