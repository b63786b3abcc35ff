// CSV files, as a whole or by lines.
#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "io/text/line_numbers.h"
#include "io/text/line_reader.h"
#include "io/text/line_records.h"
#include "millrace/core/csv.h"

namespace millrace::text_files {

namespace {

using detail::RecordFormat;

csv::Options OptionsOf(const RecordFormat& format) {
  return {.delimiter = format.delimiter, .record_bytes_max = static_cast<std::size_t>(format.record_bytes_max)};
}

bool IsBlank(const csv::Record& record) {
  return record.cells.size() == 1 && record.cells[0].text.empty() && !record.cells[0].quoted;
}

// The bytes of a record, up to the first line end outside of quotes, or, if it has no sound end, its first line.
std::string_view CutRecord(std::string_view text, bool sound) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = sound && !quoted;
    if (text[i] != '\n' || quoted) continue;
    return text.substr(0, i > 0 && text[i - 1] == '\r' ? i - 1 : i);
  }
  return text;
}

class CsvRecords final : public detail::RecordReader {
 public:
  CsvRecords(const RecordFormat& format, std::string path, std::unique_ptr<base::File> file, std::int64_t from)
      : format_(format), path_(std::move(path)), file_(std::move(file)), from_(from), splitter_(OptionsOf(format)) {}

  Status ReadHeader() {
    StatusOr<bool> more = NextRecord();
    if (!more.ok()) return more.status().WithContext("header").WithContext("file " + path_);
    if (!*more) return OkStatus();  // an empty file has no rows
    blank_rows_ = record_.cells.size() == 1;
    StatusOr<csv::Mapping> mapping = csv::Mapping::Make(*format_.type->schema, record_);
    if (!mapping.ok()) return mapping.status().WithContext("file " + path_);
    mapping_.emplace(*std::move(mapping));
    return OkStatus();
  }

  StatusOr<Found> Next(void* object) override {
    while (true) {
      StatusOr<bool> more = NextRecord();
      if (!broken_.ok()) return broken_;
      if (more.ok() && !*more) return Found::kEnd;
      if (more.ok() && IsBlank(record_) && !blank_rows_) continue;
      ++row_;
      if (offset() < from_) continue;
      sound_ = more.ok();
      Status read = more.ok() ? mapping_->Read(record_, row_, object) : more.status();
      if (read.ok()) return Found::kRecord;
      reason_ = read.message();
      return Found::kBadRecord;
    }
  }

  std::int64_t offset() const override { return static_cast<std::int64_t>(record_.offset); }

  StatusOr<BadRecord> TakeBadRecord() override {
    std::string text(kBadRecordBytes, '\0');
    auto read = file_->ReadAt(record_.offset, std::as_writable_bytes(std::span(text)));
    if (!read.ok()) return read.status();
    text.resize(*read);
    return BadRecord{.origin = path_,
                     .position = static_cast<std::int64_t>(record_.line),
                     .field = "",
                     .reason = std::move(reason_),
                     .record = std::string(CutRecord(text, sound_))};
  }

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

  // Feeds the splitter until it has a record. Where the file cannot be read, `broken_` says so.
  StatusOr<bool> NextRecord() {
    while (true) {
      StatusOr<bool> more = splitter_.Next(&record_);
      if (!more.ok() || *more || at_end_) return more;
      chunk_.resize(kChunkBytes);
      auto read = file_->ReadAt(next_byte_, std::as_writable_bytes(std::span(chunk_)));
      if (!read.ok()) {
        broken_ = read.status();
        return broken_;
      }
      next_byte_ += *read;
      splitter_.Append({chunk_.data(), *read});
      at_end_ = *read < kChunkBytes;
      if (at_end_) splitter_.Close();
    }
  }

  RecordFormat format_;
  std::string path_;
  std::unique_ptr<base::File> file_;
  std::int64_t from_;
  csv::Splitter splitter_;
  std::optional<csv::Mapping> mapping_;
  std::vector<char> chunk_;
  std::uint64_t next_byte_ = 0;
  bool at_end_ = false;
  bool blank_rows_ = false;
  csv::Record record_;
  std::uint64_t row_ = 0;
  bool sound_ = true;
  std::string reason_;
  Status broken_;
};

class CsvLines final : public detail::RecordReader {
 public:
  CsvLines(const RecordFormat& format, std::string path, LineReader lines, csv::Mapping mapping, bool blank_rows,
           std::shared_ptr<detail::LineNumbers> numbers)
      : format_(format),
        path_(std::move(path)),
        lines_(std::move(lines)),
        mapping_(std::move(mapping)),
        blank_rows_(blank_rows),
        numbers_(std::move(numbers)) {}

  StatusOr<Found> Next(void* object) override {
    while (true) {
      StatusOr<bool> more = lines_.Next(&line_);
      if (!more.ok()) return more.status();
      if (!*more) return Found::kEnd;
      if (line_.offset == 0 || (line_.text.empty() && !blank_rows_)) continue;  // the header; a blank line
      why_ = Read(object);
      return why_.ok() ? Found::kRecord : Found::kBadRecord;
    }
  }

  std::int64_t offset() const override { return line_.offset; }

  StatusOr<BadRecord> TakeBadRecord() override {
    StatusOr<std::int64_t> number = numbers_->Of(path_, line_.offset, &counted_);
    if (!number.ok()) return number.status();
    return BadRecord{.origin = path_,
                     .position = *number,
                     .field = "",
                     .reason = why_.message(),
                     .record = std::string(line_.text.substr(0, kBadRecordBytes))};
  }

 private:
  Status Read(void* object) {
    if (line_.too_long) {
      return InvalidArgumentError("the line is longer than " + std::to_string(format_.record_bytes_max) + " bytes");
    }
    if (splitter_ == nullptr) splitter_ = std::make_unique<csv::Splitter>(OptionsOf(format_));
    splitter_->Append(line_.text);
    splitter_->Append("\n");
    StatusOr<bool> split = splitter_->Next(&record_);
    Status read;
    if (!split.ok() || !*split) {
      read = InvalidArgumentError(
          "quotes do not match within the line; cells with line ends need a read without "
          ".WithoutNewlinesInCells()");
    } else {
      // Rows are not counted here, so a message that names one is made anew once its number is known.
      read = mapping_.Read(record_, 0, object);
      if (!read.ok()) read = Renumbered(object);
    }
    if (!read.ok()) splitter_.reset();
    return read;
  }

  Status Renumbered(void* object) {
    StatusOr<std::int64_t> number = numbers_->Of(path_, line_.offset, &counted_);
    if (!number.ok()) return number.status();
    record_.line = static_cast<std::uint64_t>(*number);
    return mapping_.Read(record_, record_.line - 1, object);
  }

  RecordFormat format_;
  std::string path_;
  LineReader lines_;
  csv::Mapping mapping_;
  bool blank_rows_;
  std::shared_ptr<detail::LineNumbers> numbers_;
  detail::LineNumbers::Place counted_;
  std::unique_ptr<csv::Splitter> splitter_;
  csv::Record record_;
  Line line_;
  Status why_;
};

}  // namespace

StatusOr<std::unique_ptr<detail::RecordReader>> OpenCsvRecords(const RecordFormat& format, const std::string& path,
                                                               std::int64_t from) {
  auto file = base::PosixFileSystem().Open(path, base::OpenMode::kRead);
  if (!file.ok()) return file.status();
  auto records = std::make_unique<CsvRecords>(format, path, *std::move(file), from);
  if (Status header = records->ReadHeader(); !header.ok()) return header;
  return std::unique_ptr<detail::RecordReader>(std::move(records));
}

StatusOr<std::unique_ptr<detail::RecordReader>> OpenCsvLines(const RecordFormat& format, const std::string& path,
                                                             std::int64_t from,
                                                             std::shared_ptr<detail::LineNumbers> line_numbers) {
  StatusOr<LineReader> start = LineReader::Open(path, 0, format.record_bytes_max);
  if (!start.ok()) return start.status();
  Line first;
  if (StatusOr<bool> more = start->Next(&first); !more.ok()) return more.status();
  if (first.too_long) {
    return InvalidArgumentError("file " + path + ": the header is longer than " +
                                std::to_string(format.record_bytes_max) + " bytes");
  }
  csv::Splitter splitter(OptionsOf(format));
  splitter.Append(first.text);
  splitter.Close();
  csv::Record header;
  StatusOr<bool> split = splitter.Next(&header);
  if (!split.ok()) return split.status().WithContext("header").WithContext("file " + path);
  StatusOr<csv::Mapping> mapping = csv::Mapping::Make(*format.type->schema, header);
  if (!mapping.ok()) return mapping.status().WithContext("file " + path);
  StatusOr<LineReader> lines = LineReader::Open(path, from, format.record_bytes_max);
  if (!lines.ok()) return lines.status();
  return std::unique_ptr<detail::RecordReader>(std::make_unique<CsvLines>(
      format, path, *std::move(lines), *std::move(mapping), header.cells.size() == 1, std::move(line_numbers)));
}

}  // namespace millrace::text_files
