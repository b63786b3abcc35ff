// CSV (RFC 4180) to and from structs: a header row names the columns, which are mapped to fields by name.
//
// Cells may be quoted, quotes in them doubled; quoted cells may hold delimiters and line ends. Records end in LF, CRLF
// or with the file. Beyond the RFC: a UTF-8 byte order mark is skipped, a quote within an unquoted cell stands for
// itself, and blank lines are skipped (where the header has one column they are empty cells).
//
// An empty cell is null for a std::optional, except that a quoted one is the empty text of an optional<string>.
// Numbers, times and enums are written as in JSON without quotes, booleans as true and false, bytes as base64, and
// lists, maps and structs as JSON text. Columns that the struct does not have are ignored; a field without a column is
// an error unless it is a std::optional.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::csv {

struct Options {
  char delimiter = ',';                                  // no quote, no line end
  std::size_t record_bytes_max = std::size_t{16} << 20;  // a longer record, or a quote never closed, is an error
};

/// One cell of a record, unquoted.
struct Cell {
  std::string_view text;
  bool quoted = false;
};

/// One record; the cells point into the splitter's buffer.
struct Record {
  std::vector<Cell> cells;
  std::uint64_t line = 0;    // on which it begins, from 1
  std::uint64_t offset = 0;  // at which it begins, in bytes from the start of the file
};

/// Cuts a file, given piece by piece, into records. Use from one thread at a time.
class Splitter {
 public:
  explicit Splitter(Options options = {}) : options_(options) {}

  /// Adds the next bytes of the file, copied. Ask for all records that are complete before adding more.
  void Append(std::string_view bytes);
  /// Says that the file is complete.
  void Close() { closed_ = true; }

  /// True: `*record` is the next record, valid until the next call of any function. False: add bytes, or, after
  /// `Close`, the end. INVALID_ARGUMENT names the line; the next call goes on behind the bad record.
  StatusOr<bool> Next(Record* record);

 private:
  enum class Scan { kComplete, kIncomplete, kTextAfterQuote, kOpenQuote };
  struct Span {
    std::size_t begin, end;
    bool quoted, doubled;
  };

  Scan ScanRecord(std::size_t* end);
  Scan ScanQuoted(std::size_t* at, Span* span) const;
  void Consume(std::size_t end);
  void SkipBadRecord();
  std::string_view Unquoted(const Span& span);

  Options options_;
  std::string buffer_;
  std::size_t at_ = 0;        // in buffer_, where the next record begins
  std::uint64_t offset_ = 0;  // of at_, in the file
  std::uint64_t line_ = 1;
  bool closed_ = false;
  bool skipping_ = false;  // the rest of a bad record, up to its line end
  std::vector<Span> spans_;
};

/// Which column goes to which field. Immutable; thread safe.
class Mapping {
 public:
  /// INVALID_ARGUMENT when a field that is no std::optional has no column, or a field's column occurs twice.
  static StatusOr<Mapping> Make(const Schema& schema, const Record& header);

  /// Reads a record into `*object`, a struct of that schema. `row`, from 1 and without the header, is for the errors.
  Status Read(const Record& record, std::uint64_t row, void* object) const;

 private:
  Mapping() = default;

  std::vector<const Field*> columns_;  // by column; null where the struct has none
  std::vector<const Field*> absent_;   // optional fields without a column
};

/// Reads structs from a file given piece by piece: `Append`, then `Next` until it is false, and so on; `Close` at the
/// end. A bad row is an error of its own; reading goes on behind it. A bad header is the answer of every call. Use from
/// one thread at a time.
class RowReader {
 public:
  explicit RowReader(const Schema& schema, Options options = {}) : schema_(&schema), splitter_(options) {}

  void Append(std::string_view bytes) { splitter_.Append(bytes); }
  void Close() { splitter_.Close(); }
  /// True: `*object`, a struct of the schema, holds the next row. False: add bytes, or the end. INVALID_ARGUMENT names
  /// row, line and field.
  StatusOr<bool> Next(void* object);

  /// Of the row read last, bad or good: its number from 1 and its offset in bytes in the file.
  std::uint64_t row() const { return row_; }
  std::uint64_t offset() const { return record_.offset; }

 private:
  StatusOr<bool> ReadHeader();

  const Schema* schema_;
  Splitter splitter_;
  StatusOr<Mapping> mapping_ = FailedPreconditionError("the header has not been read");
  bool has_header_ = false;
  bool blank_rows_ = false;
  Record record_;
  std::uint64_t row_ = 0;
};

/// The same for a struct whose type is known.
template <class T>
class Reader : public RowReader {
 public:
  explicit Reader(Options options = {}) : RowReader(SchemaOf<T>(), options) {}
  StatusOr<bool> Next(T* object) { return RowReader::Next(object); }
};

/// All rows of a whole text; the first bad row is the error.
template <class T>
StatusOr<std::vector<T>> Parse(std::string_view text, Options options = {}) {
  Reader<T> reader(options);
  reader.Append(text);
  reader.Close();
  std::vector<T> rows;
  while (true) {
    T row{};
    StatusOr<bool> more = reader.Next(&row);
    if (!more.ok()) return more.status();
    if (!*more) return rows;
    rows.push_back(std::move(row));
  }
}

/// Appends the header row, ended by LF.
void AppendHeader(const Schema& schema, std::string* out, Options options = {});
/// Appends one row, ended by LF.
void AppendRow(const Schema& schema, const void* object, std::string* out, Options options = {});

/// Header and rows of structs whose type is known.
template <class T>
std::string Write(const std::vector<T>& rows, Options options = {}) {
  std::string text;
  AppendHeader(SchemaOf<T>(), &text, options);
  for (const T& row : rows) AppendRow(SchemaOf<T>(), &row, &text, options);
  return text;
}

}  // namespace millrace::csv
