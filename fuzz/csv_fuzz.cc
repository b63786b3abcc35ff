// Any bytes as a CSV file, in pieces and at once: both ways must find the same rows and the same errors.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/csv.h"
#include "millrace/core/json.h"

namespace {

struct Row {
  std::string a;
  std::optional<std::int32_t> b;
  std::optional<std::string> c;
};

std::string ReadAll(std::string_view text, std::size_t piece) {
  millrace::csv::Reader<Row> reader({.delimiter = ',', .record_bytes_max = 1 << 20});
  std::string found;
  std::size_t at = 0;
  bool closed = false;
  // A bad header is the answer of every call, so the number of errors is limited.
  for (std::size_t errors = 0; errors <= text.size() + 1;) {
    Row row;
    millrace::StatusOr<bool> more = reader.Next(&row);
    if (!more.ok()) {
      found += more.status().message();
      ++errors;
    } else if (*more) {
      millrace::json::Append(row, &found);
    } else if (at < text.size()) {
      reader.Append(text.substr(at, piece));
      at += piece;
    } else if (!closed) {
      reader.Close();
      closed = true;
    } else {
      break;
    }
    if (reader.row() == 0 && errors > 0) break;
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 16;
  const std::string text = "a,b,c\n" + std::string(reinterpret_cast<const char*>(data + 1), size - 1);
  if (ReadAll(text, piece) != ReadAll(text, text.size())) std::abort();
  static_cast<void>(ReadAll(std::string_view(text).substr(6), piece));
  return 0;
}
