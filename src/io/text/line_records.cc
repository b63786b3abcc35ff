// Lines and JSON lines, and how files are cut into ranges.
#include "io/text/line_records.h"

#include <algorithm>
#include <utility>

#include "io/text/line_numbers.h"
#include "io/text/line_reader.h"
#include "millrace/core/json.h"
#include "millrace/io/files.h"

namespace millrace::text_files {

namespace {

using detail::RecordFormat;
using detail::RecordSyntax;

class LineRecords final : public detail::RecordReader {
 public:
  LineRecords(const RecordFormat& format, std::string path, LineReader lines,
              std::shared_ptr<detail::LineNumbers> numbers)
      : format_(format), path_(std::move(path)), lines_(std::move(lines)), numbers_(std::move(numbers)) {}

  StatusOr<Found> Next(void* object) override {
    while (true) {
      StatusOr<bool> more = lines_.Next(&line_);
      if (!more.ok()) return more.status();
      if (!*more) return Found::kEnd;
      if (line_.too_long) {
        reason_ = "the line is longer than " + std::to_string(format_.record_bytes_max) +
                  " bytes; raise the limit by .MaxRecordBytes() if that is meant";
        return Found::kBadRecord;
      }
      if (format_.syntax == RecordSyntax::kLine) {
        static_cast<std::string*>(object)->assign(line_.text);
        return Found::kRecord;
      }
      if (line_.text.find_first_not_of(" \t") == std::string_view::npos) continue;
      const Status parsed = json::ParseInto(line_.text, *format_.type, object);
      if (parsed.ok()) return Found::kRecord;
      reason_ = parsed.message();
      return Found::kBadRecord;
    }
  }

  std::int64_t offset() const override { return line_.offset; }

  StatusOr<BadRecord> TakeBadRecord() override {
    StatusOr<std::int64_t> number = numbers_->Of(path_, line_.offset, &counted_);
    if (!number.ok()) return number.status();
    return BadRecord{.origin = path_,
                     .position = *number,
                     .field = "",
                     .reason = std::move(reason_),
                     .record = std::string(line_.text.substr(0, kBadRecordBytes))};
  }

 private:
  RecordFormat format_;
  std::string path_;
  LineReader lines_;
  std::shared_ptr<detail::LineNumbers> numbers_;
  detail::LineNumbers::Place counted_;
  Line line_;
  std::string reason_;
};

}  // namespace

StatusOr<std::unique_ptr<detail::RecordReader>> OpenLineRecords(const RecordFormat& format, const std::string& path,
                                                                std::int64_t from,
                                                                std::shared_ptr<detail::LineNumbers> line_numbers) {
  StatusOr<LineReader> lines = LineReader::Open(path, from, format.record_bytes_max);
  if (!lines.ok()) return lines.status();
  return std::unique_ptr<detail::RecordReader>(
      std::make_unique<LineRecords>(format, path, *std::move(lines), std::move(line_numbers)));
}

}  // namespace millrace::text_files

namespace millrace::detail {

StatusOr<std::unique_ptr<RecordReader>> OpenRecords(const RecordFormat& format, const std::string& path,
                                                    std::int64_t from, std::shared_ptr<LineNumbers> line_numbers) {
  if (format.syntax != RecordSyntax::kCsv) {
    return text_files::OpenLineRecords(format, path, from, std::move(line_numbers));
  }
  if (format.newlines_in_cells) return text_files::OpenCsvRecords(format, path, from);
  return text_files::OpenCsvLines(format, path, from, std::move(line_numbers));
}

StatusOr<std::vector<Restriction>> SplitRecords(const RecordFormat& format, const std::string& pattern,
                                                const SplitOptions& options, LineNumbers& line_numbers) {
  constexpr std::int64_t kLeast = std::int64_t{16} << 20;
  constexpr std::int64_t kMost = std::int64_t{64} << 20;
  line_numbers.Clear();
  if (format.record_bytes_max < 1 || format.split_bytes < 0) {
    return InvalidArgumentError("MaxRecordBytes and SplitBytes must be greater than zero");
  }
  const bool csv = format.syntax == RecordSyntax::kCsv;
  StatusOr<std::vector<std::string>> files = io::FindFiles(pattern, csv ? ".csv" : "");
  if (!files.ok()) return files.status();
  std::vector<std::int64_t> sizes;
  std::int64_t total = 0;
  for (const std::string& path : *files) {
    StatusOr<std::int64_t> size = text_files::CheckTextFile(path);
    if (!size.ok()) return size.status();
    sizes.push_back(*size);
    total += *size;
  }
  const std::int64_t step = format.split_bytes > 0
                                ? format.split_bytes
                                : std::clamp(total / (std::int64_t{4} * options.workers), kLeast, kMost);
  std::vector<Restriction> parts;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t own_step = csv && format.newlines_in_cells ? std::max<std::int64_t>(sizes[i], 1) : step;
    for (std::int64_t from = 0; from < sizes[i]; from += own_step) {
      parts.push_back({.partition = (*files)[i], .from = from, .to = std::min(sizes[i], from + own_step)});
    }
  }
  return parts;
}

}  // namespace millrace::detail
