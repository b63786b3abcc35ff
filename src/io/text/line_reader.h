// Cuts a file into lines, beginning anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "millrace/core/status.h"

namespace millrace::text_files {

/// At most this much of a bad record is kept, in bytes.
inline constexpr std::size_t kBadRecordBytes = std::size_t{64} << 10;

/// One line, without its end; valid until the next call.
struct Line {
  std::string_view text;
  std::int64_t offset = 0;  // of its first byte in the file; 0 also behind a byte order mark
  bool too_long = false;    // then `text` is its beginning
};

/// Reads the lines of a file that begin at byte `from` or later. Memory: a line and 256 KiB. One thread at a time.
class LineReader {
 public:
  static StatusOr<LineReader> Open(const std::string& path, std::int64_t from, std::int64_t line_bytes_max);

  /// False at the end of the file.
  StatusOr<bool> Next(Line* line);

 private:
  LineReader(std::unique_ptr<base::File> file, std::int64_t line_bytes_max)
      : file_(std::move(file)), line_bytes_max_(static_cast<std::size_t>(line_bytes_max)) {}

  Status Fill();
  Status SkipLine();
  std::int64_t OffsetOf(std::size_t at) const { return buffer_offset_ + static_cast<std::int64_t>(at); }

  std::unique_ptr<base::File> file_;
  std::size_t line_bytes_max_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // what is not read yet is [begin_, end_) of the buffer
  std::size_t end_ = 0;
  std::int64_t buffer_offset_ = 0;  // of the buffer's first byte in the file
  bool at_end_ = false;             // of the file
  bool after_mark_ = false;         // the next line follows a byte order mark
  std::string long_line_;
};

/// The file's size in bytes; UNIMPLEMENTED for compressed files and UTF-16, which names the file.
StatusOr<std::int64_t> CheckTextFile(const std::string& path);

}  // namespace millrace::text_files
