#include "archive/manifest.h"

#include <algorithm>
#include <set>
#include <utility>

#include "archive/digest.h"
#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::archive {

namespace {

constexpr std::string_view kFirstWord = "millrace-archive ";
constexpr std::string_view kFormat = "1";
constexpr std::size_t kDigestDigits = 32;

// The second line.
struct Head {
  std::string topic;
  std::int32_t partitions = 0;
  std::uint64_t attempt = 0;
  std::uint64_t sequence = 0;
  std::string written_by;
  Timestamp written_at;
  std::uint64_t ranges = 0;
  std::uint64_t superseded = 0;
};

bool IsDigest(std::string_view text) {
  return text.size() == kDigestDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string CheckControls(const ArchivedRange& range) {
  std::int64_t least = range.from;
  for (const ArchivedControl& control : range.controls) {
    if (control.offset < least || control.offset >= range.to) {
      return "the control record at offset " + std::to_string(control.offset) + " is out of order or out of the range";
    }
    least = control.offset + 1;
  }
  return "";
}

// What is wrong with a range by itself; empty if nothing is.
std::string CheckRange(const Manifest& manifest, const ArchivedRange& range) {
  if (range.partition < 0 || range.partition >= manifest.partitions) return "there is no such partition";
  if (range.from < 0 || range.from >= range.to) return "it is empty or negative";
  if (range.count < 0 || range.count > range.to - range.from) return "its count does not fit its offsets";
  if (static_cast<std::uint64_t>(range.to - range.from - range.count) != range.controls.size()) {
    return "records and control records are not as many as its offsets";
  }
  const bool has_file = range.count > 0;
  if (has_file == range.path.empty()) return "a range has a file if it has data records, and only then";
  if (has_file != IsDigest(range.digest)) return "its digest is no 32 hexadecimal digits";
  if (has_file == (range.bytes == 0)) return "its size in bytes is wrong";
  for (const auto* time :
       {&range.least_event_time, &range.greatest_event_time, &range.least_publish_time, &range.greatest_publish_time}) {
    if (time->has_value() != has_file) return "it has times if it has data records, and only then";
  }
  if (range.least_event_time > range.greatest_event_time || range.least_publish_time > range.greatest_publish_time) {
    return "its least time is greater than its greatest one";
  }
  return CheckControls(range);
}

std::string NameOf(const ArchivedRange& range) {
  return "partition " + std::to_string(range.partition) + ", offsets [" + std::to_string(range.from) + ", " +
         std::to_string(range.to) + ")" + (range.path.empty() ? "" : ", file " + range.path);
}

// The rules between ranges. `first_line` is that of the first range.
Status CheckManifest(const Manifest& manifest, std::size_t first_line) {
  if (manifest.partitions <= 0) return DataLossError("line 2: partitions must be positive");
  std::set<std::string_view> paths;
  const ArchivedRange* before = nullptr;
  std::size_t line = first_line;
  auto problem = [&](const ArchivedRange& range, const std::string& what) {
    return DataLossError("line " + std::to_string(line) + ": " + NameOf(range) + ": " + what);
  };
  for (const ArchivedRange& range : manifest.ranges) {
    if (const std::string wrong = CheckRange(manifest, range); !wrong.empty()) return problem(range, wrong);
    if (before != nullptr && before->partition > range.partition) return problem(range, "partitions are out of order");
    if (before != nullptr && before->partition == range.partition && before->to != range.from) {
      return problem(range, (before->to < range.from ? "a hole: the range before ends at "
                                                     : "an overlap: the range before ends at ") +
                                std::to_string(before->to));
    }
    if (!range.path.empty() && !paths.insert(range.path).second) return problem(range, "its file is named twice");
    before = &range;
    ++line;
  }
  for (const SupersededFile& file : manifest.superseded) {
    if (file.path.empty() || !paths.insert(file.path).second) {
      return DataLossError("line " + std::to_string(line) + ": superseded file \"" + file.path + "\" is named twice");
    }
    ++line;
  }
  return OkStatus();
}

// Takes one line off `rest`; false at the end.
bool TakeLine(std::string_view* rest, std::string_view* line) {
  const std::size_t end = rest->find('\n');
  if (end == std::string_view::npos) return false;
  *line = rest->substr(0, end);
  rest->remove_prefix(end + 1);
  return true;
}

template <class T>
Status ParseLine(std::string_view* rest, std::size_t number, T* value) {
  std::string_view line;
  if (!TakeLine(rest, &line)) return DataLossError("line " + std::to_string(number) + " is missing: it was cut off");
  const Status parsed = json::ParseInto(line, value);
  if (!parsed.ok()) return DataLossError("line " + std::to_string(number) + ": " + parsed.message());
  return OkStatus();
}

// Checks the first line and takes it off.
Status ParseFirstLine(std::string_view* rest) {
  std::string_view line;
  if (!TakeLine(rest, &line) || !line.starts_with(kFirstWord)) {
    return DataLossError("line 1: it is no manifest of an archive, or its beginning is damaged");
  }
  line.remove_prefix(kFirstWord.size());
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view digest = line.substr(std::min(space + 1, line.size()));
  const std::string_view format = line.substr(0, space);
  if (!IsDigest(digest)) return DataLossError("line 1: the digest is damaged");
  if (DigestOf(*rest) != digest) return DataLossError("line 1: the digest is wrong: bytes were changed or are missing");
  if (format != kFormat) {
    return UnimplementedError("line 1: the format is " + std::string(format) + ", this program knows " +
                              std::string(kFormat) + "; use the program that wrote it, or a newer one");
  }
  return OkStatus();
}

}  // namespace

std::int64_t ArchivedRange::RowOf(std::int64_t offset) const {
  const auto behind =
      std::lower_bound(controls.begin(), controls.end(), offset,
                       [](const ArchivedControl& control, std::int64_t o) { return control.offset < o; });
  return offset - from - (behind - controls.begin());
}

const ArchivedRange* Manifest::Find(std::int32_t partition, std::int64_t offset) const {
  auto behind = std::upper_bound(
      ranges.begin(), ranges.end(), std::pair(partition, offset),
      [](const auto& place, const ArchivedRange& range) { return place < std::pair(range.partition, range.from); });
  if (behind == ranges.begin()) return nullptr;
  const ArchivedRange& range = *--behind;
  return range.partition == partition && offset < range.to ? &range : nullptr;
}

std::pair<std::size_t, std::size_t> Manifest::RangesOf(std::int32_t partition) const {
  const auto [begin, end] =
      std::equal_range(ranges.begin(), ranges.end(), ArchivedRange{.partition = partition},
                       [](const ArchivedRange& a, const ArchivedRange& b) { return a.partition < b.partition; });
  return {static_cast<std::size_t>(begin - ranges.begin()), static_cast<std::size_t>(end - ranges.begin())};
}

std::optional<std::pair<std::int64_t, std::int64_t>> Manifest::BoundsOf(std::int32_t partition) const {
  const auto [begin, end] = RangesOf(partition);
  if (begin == end) return std::nullopt;
  return std::pair(ranges[begin].from, ranges[end - 1].to);
}

std::vector<std::int64_t> Manifest::Cut() const {
  std::vector<std::int64_t> cut(static_cast<std::size_t>(partitions), 0);
  for (const ArchivedRange& range : ranges) cut[static_cast<std::size_t>(range.partition)] = range.to;
  return cut;
}

void Manifest::Add(ArchivedRange range) {
  const auto at = std::upper_bound(ranges.begin(), ranges.end(), range, [](const auto& a, const auto& b) {
    return std::pair(a.partition, a.from) < std::pair(b.partition, b.from);
  });
  ranges.insert(at, std::move(range));
}

StatusOr<std::string> WriteManifest(const Manifest& manifest) {
  if (const Status sound = CheckManifest(manifest, 3); !sound.ok()) {
    return InvalidArgumentError("the manifest to be written: " + sound.message());
  }
  std::string body;
  json::Append(Head{.topic = manifest.topic,
                    .partitions = manifest.partitions,
                    .attempt = manifest.attempt,
                    .sequence = manifest.sequence,
                    .written_by = manifest.written_by,
                    .written_at = manifest.written_at,
                    .ranges = manifest.ranges.size(),
                    .superseded = manifest.superseded.size()},
               &body);
  body += '\n';
  for (const ArchivedRange& range : manifest.ranges) {
    json::Append(range, &body);
    body += '\n';
  }
  for (const SupersededFile& file : manifest.superseded) {
    json::Append(file, &body);
    body += '\n';
  }
  std::string bytes = std::string(kFirstWord) + std::string(kFormat) + " " + DigestOf(body) + "\n";
  bytes += body;
  if (bytes.size() > kManifestBytesMax) {
    return ResourceExhaustedError("the manifest would have " + std::to_string(bytes.size()) + " bytes, of at most " +
                                  std::to_string(kManifestBytesMax) + "; compact the archive first");
  }
  return bytes;
}

StatusOr<Manifest> ParseManifest(std::string_view bytes) {
  if (bytes.size() > kManifestBytesMax) {
    return ResourceExhaustedError("the manifest has " + std::to_string(bytes.size()) + " bytes; at most " +
                                  std::to_string(kManifestBytesMax) + " are read");
  }
  std::string_view rest = bytes;
  MILLRACE_RETURN_IF_ERROR(ParseFirstLine(&rest));
  Head head;
  MILLRACE_RETURN_IF_ERROR(ParseLine(&rest, 2, &head));
  Manifest manifest{.topic = std::move(head.topic),
                    .partitions = head.partitions,
                    .attempt = head.attempt,
                    .sequence = head.sequence,
                    .written_by = std::move(head.written_by),
                    .written_at = head.written_at,
                    .ranges = {},
                    .superseded = {}};
  std::size_t line = 3;
  for (std::uint64_t i = 0; i < head.ranges; ++i) {  // grows by what is there, not by what the head says
    MILLRACE_RETURN_IF_ERROR(ParseLine(&rest, line++, &manifest.ranges.emplace_back()));
  }
  for (std::uint64_t i = 0; i < head.superseded; ++i) {
    MILLRACE_RETURN_IF_ERROR(ParseLine(&rest, line++, &manifest.superseded.emplace_back()));
  }
  if (!rest.empty()) return DataLossError("line " + std::to_string(line) + ": there is more than the head says");
  MILLRACE_RETURN_IF_ERROR(CheckManifest(manifest, 3));
  return manifest;
}

}  // namespace millrace::archive
