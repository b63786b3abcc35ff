// Any bytes as a text, JSON lines or CSV file, cut anywhere: the ranges together must give the same records, good and
// bad, as the whole file does. The first two bytes choose the cut and the limit.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/json.h"
#include "millrace/detail/record_reader.h"

namespace {

using millrace::detail::RecordFormat;
using millrace::detail::RecordReader;
using millrace::detail::RecordSyntax;

struct Row {
  std::string a;
  std::optional<std::int32_t> b;
};

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

const std::string& Path() {
  static const std::string path = [] {
    const char* folder = std::getenv("TMPDIR");
    return std::string(folder != nullptr ? folder : "/tmp") + "/millrace-text-fuzz-" + std::to_string(getpid());
  }();
  return path;
}

// The records of all ranges, in order, as text.
template <class T>
std::string ReadAll(RecordFormat format, std::int64_t split_bytes) {
  format.split_bytes = split_bytes;
  const auto numbers = millrace::detail::MakeLineNumbers();
  auto parts = millrace::detail::SplitRecords(format, Path(), {}, *numbers);
  if (!parts.ok()) return parts.status().message();
  std::string all;
  for (const millrace::Restriction& part : *parts) {
    auto reader = millrace::detail::OpenRecords(format, part.partition, part.from, numbers);
    if (!reader.ok()) return reader.status().message();
    std::int64_t before = -1;
    T value{};
    while (true) {
      auto found = (*reader)->Next(&value);
      Check(found.ok(), "a file that can be read gives no error");
      if (*found == RecordReader::Found::kEnd) break;
      Check((*reader)->offset() >= part.from && (*reader)->offset() > before, "records come in order");
      before = (*reader)->offset();
      if (before >= part.to) break;
      all += std::to_string(before) + (*found == RecordReader::Found::kRecord ? " " : " bad ");
      if (*found == RecordReader::Found::kRecord) {
        millrace::json::Append(value, &all);
      } else {
        auto bad = (*reader)->TakeBadRecord();
        Check(bad.ok(), "a bad record can be had");
        millrace::json::Append(*bad, &all);
      }
      all += '\n';
    }
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 100'000) return 0;
  const std::int64_t split = 1 + data[0];
  const std::int64_t limit = 1 + data[1];
  std::ofstream(Path(), std::ios::binary)
      .write(reinterpret_cast<const char*>(data) + 2, static_cast<std::streamsize>(size - 2));
  const std::int64_t whole = std::int64_t{1} << 30;
  RecordFormat lines{
      .syntax = RecordSyntax::kLine, .type = &millrace::TypeOf<std::string>(), .record_bytes_max = limit};
  Check(ReadAll<std::string>(lines, split) == ReadAll<std::string>(lines, whole),
        "lines depend on how the file is cut");
  RecordFormat json{.syntax = RecordSyntax::kJsonLine, .type = &millrace::TypeOf<Row>(), .record_bytes_max = limit};
  Check(ReadAll<Row>(json, split) == ReadAll<Row>(json, whole), "JSON lines depend on how the file is cut");
  RecordFormat csv{.syntax = RecordSyntax::kCsv,
                   .type = &millrace::TypeOf<Row>(),
                   .record_bytes_max = limit,
                   .newlines_in_cells = false};
  Check(ReadAll<Row>(csv, split) == ReadAll<Row>(csv, whole), "CSV lines depend on how the file is cut");
  csv.newlines_in_cells = true;
  ReadAll<Row>(csv, whole);
  return 0;
}
