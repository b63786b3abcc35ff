// Files of JSON texts, one a line (jsonlines.org), as a source and as a sink.
//
//   auto clicks = pipeline | "Clicks" >> json_lines::Read<Click>("clicks/*.jsonl").WithEventTime(&Click::at);
//   clicks | "Write" >> json_lines::Write("out/clicks");
//
// Lines are those of text.h; blank ones are skipped. How JSON becomes a struct is said in core/json.h. A line that does
// not fit is a BadRecord with file, line, reason and text (of which at most 64 KiB are kept).
#pragma once

#include <string>
#include <utility>

#include "millrace/core/json.h"
#include "millrace/io/file_sink.h"
#include "millrace/io/records.h"

namespace millrace {

namespace detail {
template <class T>
struct JsonLinesRead : StructRecordRead<JsonLinesRead<T>, T> {
  explicit JsonLinesRead(std::string files)
      : StructRecordRead<JsonLinesRead<T>, T>(std::move(files),
                                              {.syntax = RecordSyntax::kJsonLine, .type = &TypeOf<T>()}) {}
  std::string DefaultLabel() const { return "JsonLinesRead"; }
};

struct JsonLinesWrite : FileWrite<JsonLinesWrite> {
  explicit JsonLinesWrite(std::string file_prefix) : FileWrite(std::move(file_prefix), ".jsonl") {}
  std::string DefaultLabel() const { return "JsonLinesWrite"; }

  template <class T>
  static constexpr bool Accepts() {
    static_assert(kDescribable<T>,
                  "Millrace: json_lines::Write needs elements with a schema: plain structs, strings, "
                  "numbers, and what is made of them.");
    return kDescribable<T>;
  }
  template <class T>
  ShardOpener Opener() const {
    return OpenLineShards(LineSyntax::kJsonLine, TypeOf<T>(), ',');
  }
};
}  // namespace detail

namespace json_lines {

/// Reads the files that `pattern` means (io/files.h); every line is one `T`.
template <class T>
auto Read(std::string pattern) {
  return detail::JsonLinesRead<T>(std::move(pattern));
}

/// Writes each element as a line of JSON to files `prefix-00000-of-0000N.jsonl` (io/file_sink.h).
inline auto Write(std::string prefix) { return detail::JsonLinesWrite(std::move(prefix)); }

}  // namespace json_lines

}  // namespace millrace
