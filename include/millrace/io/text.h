// Text files as a source and as a sink, a line an element.
//
//   auto lines = pipeline | "Lines" >> text::Read("logs/*.log");
//   words | "Write" >> text::Write("out/words").Suffix(".txt");
//
// A line ends in LF, in CRLF or with the file; its end is no part of the element. The bytes are taken as they are, but
// for a UTF-8 byte order mark at the start of a file. A line longer than `MaxRecordBytes` is a BadRecord with file,
// line and its beginning. Compressed files and UTF-16 end the run with a status that names the file.
#pragma once

#include <string>
#include <utility>

#include "millrace/io/file_sink.h"
#include "millrace/io/records.h"

namespace millrace {

namespace detail {
struct TextRead : RecordRead<TextRead, std::string> {
  explicit TextRead(std::string files)
      : RecordRead(std::move(files), {.syntax = RecordSyntax::kLine, .type = &TypeOf<std::string>()}) {}
  std::string DefaultLabel() const { return "TextRead"; }
};

struct TextWrite : FileWrite<TextWrite> {
  explicit TextWrite(std::string file_prefix) : FileWrite(std::move(file_prefix), "") {}
  std::string DefaultLabel() const { return "TextWrite"; }

  template <class T>
  static constexpr bool Accepts() {
    static_assert(std::is_same_v<T, std::string>,
                  "Millrace: text::Write needs a PCollection<std::string>. Map the "
                  "elements to text first, or use json_lines::Write.");
    return std::is_same_v<T, std::string>;
  }
  template <class T>
  ShardOpener Opener() const {
    return OpenLineShards(LineSyntax::kLine, TypeOf<std::string>(), ',');
  }
};
}  // namespace detail

namespace text {

/// Reads the lines of the files that `pattern` means (io/files.h).
inline auto Read(std::string pattern) { return detail::TextRead(std::move(pattern)); }

/// Writes each string and an LF to files `prefix-00000-of-0000N` (io/file_sink.h). A string that holds line ends
/// becomes several lines.
inline auto Write(std::string prefix) { return detail::TextWrite(std::move(prefix)); }

}  // namespace text

}  // namespace millrace
