#include "io/text/line_numbers.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/file_system.h"

namespace millrace::detail {

std::shared_ptr<LineNumbers> MakeLineNumbers() { return std::make_shared<LineNumbers>(); }

StatusOr<std::int64_t> LineNumbers::Of(const std::string& path, std::int64_t offset, Place* last) {
  constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;
  constexpr std::int64_t kNoteEvery = 4 * kChunkBytes;
  Place place = *last;
  if (place.offset < 0 || place.offset > offset || offset - place.offset > kNoteEvery) place = Nearest(path, offset);
  std::int64_t unnoted = 0;
  auto file = base::PosixFileSystem().Open(path, base::OpenMode::kRead);
  if (!file.ok()) return file.status();
  std::vector<char> chunk(static_cast<std::size_t>(std::min(kChunkBytes, offset - place.offset)));
  while (place.offset < offset) {
    const auto wanted = static_cast<std::size_t>(std::min(kChunkBytes, offset - place.offset));
    auto read = (*file)->ReadAt(static_cast<std::uint64_t>(place.offset),
                                std::as_writable_bytes(std::span(chunk.data(), wanted)));
    if (!read.ok()) return read.status();
    place.line += std::count(chunk.data(), chunk.data() + *read, '\n');
    place.offset += static_cast<std::int64_t>(wanted);
    unnoted += static_cast<std::int64_t>(wanted);
    if (unnoted >= kNoteEvery) {
      Note(path, place);
      unnoted = 0;
    }
  }
  *last = place;
  return place.line;
}

void LineNumbers::Clear() {
  const std::lock_guard lock(mutex_);
  noted_.clear();
}

LineNumbers::Place LineNumbers::Nearest(const std::string& path, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  const auto& noted = noted_[path];
  auto next = noted.upper_bound(offset);
  if (next == noted.begin()) return {.offset = 0, .line = 1};
  --next;
  return {.offset = next->first, .line = next->second};
}

void LineNumbers::Note(const std::string& path, const Place& place) {
  const std::lock_guard lock(mutex_);
  noted_[path][place.offset] = place.line;
}

}  // namespace millrace::detail
