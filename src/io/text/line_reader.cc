#include "io/text/line_reader.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace millrace::text_files {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct Magic {
  std::string_view bytes;
  std::string_view what;
};
constexpr Magic kMagics[] = {
    {"\x1F\x8B", "compressed with gzip; decompress it first"},
    {"\x28\xB5\x2F\xFD", "compressed with zstd; decompress it first"},
    {"BZh91AY", "compressed with bzip2; decompress it first"},
    {"\xFD"
     "7zXZ",
     "compressed with xz; decompress it first"},
    {"PK\x03\x04", "a zip archive; unpack it first"},
    {"PAR1", "a Parquet file; read it with parquet::Read"},
    {"\xFF\xFE", "UTF-16; convert it to UTF-8 first"},
    {"\xFE\xFF", "UTF-16; convert it to UTF-8 first"},
};

}  // namespace

StatusOr<std::int64_t> CheckTextFile(const std::string& path) {
  auto file = base::PosixFileSystem().Open(path, base::OpenMode::kRead);
  if (!file.ok()) return file.status();
  auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  char start[8];
  auto read = (*file)->ReadAt(0, std::as_writable_bytes(std::span(start)));
  if (!read.ok()) return read.status();
  for (const Magic& magic : kMagics) {
    if (std::string_view(start, *read).starts_with(magic.bytes)) {
      return UnimplementedError("file " + path + " is " + std::string(magic.what));
    }
  }
  return static_cast<std::int64_t>(*size);
}

StatusOr<LineReader> LineReader::Open(const std::string& path, std::int64_t from, std::int64_t line_bytes_max) {
  auto file = base::PosixFileSystem().Open(path, base::OpenMode::kRead);
  if (!file.ok()) return file.status();
  LineReader reader(*std::move(file), line_bytes_max);
  if (from > 0) {
    // A line begins at `from` or behind it where one ends at `from` - 1 or behind it.
    reader.buffer_offset_ = from - 1;
    if (Status skipped = reader.SkipLine(); !skipped.ok()) return skipped;
    return reader;
  }
  if (Status filled = reader.Fill(); !filled.ok()) return filled;
  if (std::string_view(reader.buffer_.data(), reader.end_).starts_with(kByteOrderMark)) {
    reader.begin_ = kByteOrderMark.size();
    reader.after_mark_ = true;
  }
  return reader;
}

StatusOr<bool> LineReader::Next(Line* line) {
  std::size_t searched = 0;
  while (true) {
    const char* unread = buffer_.data() + begin_;
    const std::size_t size = end_ - begin_;
    const void* found = size > searched ? std::memchr(unread + searched, '\n', size - searched) : nullptr;
    line->offset = after_mark_ ? 0 : OffsetOf(begin_);
    line->too_long = false;
    if (found != nullptr || at_end_) {
      if (found == nullptr && size == 0) return false;
      after_mark_ = false;
      std::size_t length = found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - unread) : size;
      begin_ += length + (found != nullptr ? 1 : 0);
      if (found != nullptr && length > 0 && unread[length - 1] == '\r') --length;
      line->too_long = length > line_bytes_max_;
      line->text = {unread, line->too_long ? std::min(length, kBadRecordBytes) : length};
      return true;
    }
    if (size > line_bytes_max_ + 1) {
      long_line_.assign(unread, std::min(size, kBadRecordBytes));
      if (Status skipped = SkipLine(); !skipped.ok()) return skipped;
      after_mark_ = false;
      line->too_long = true;
      line->text = long_line_;
      return true;
    }
    searched = size;
    if (Status filled = Fill(); !filled.ok()) return filled;
  }
}

// Makes room and reads on.
Status LineReader::Fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    buffer_offset_ += static_cast<std::int64_t>(begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - end_ < kChunkBytes) buffer_.resize(std::max(buffer_.size() * 2, 2 * kChunkBytes));
  const std::span room(buffer_.data() + end_, kChunkBytes);
  auto read = file_->ReadAt(static_cast<std::uint64_t>(OffsetOf(end_)), std::as_writable_bytes(room));
  if (!read.ok()) return read.status();
  end_ += *read;
  at_end_ = *read < room.size();
  return OkStatus();
}

// Goes behind the next line end, or to the end of the file.
Status LineReader::SkipLine() {
  while (true) {
    const void* found = end_ > begin_ ? std::memchr(buffer_.data() + begin_, '\n', end_ - begin_) : nullptr;
    begin_ = found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()) + 1 : end_;
    if (found != nullptr || at_end_) return OkStatus();
    if (Status filled = Fill(); !filled.ok()) return filled;
  }
}

}  // namespace millrace::text_files
