// CSV files with a header row as a source and as a sink.
//
//   auto airports = pipeline | "Airports" >> csv::Read<Airport>("airports.csv");
//   airports | "Write" >> csv::Write("out/airports");
//
// How cells become fields is said in core/csv.h; columns are found by the header of each file. A file whose header
// lacks a column ends the run with a status that names file and field. A row that does not fit is a BadRecord with
// file, line, reason and text (of which at most 64 KiB are kept).
#pragma once

#include <string>
#include <utility>

#include "millrace/core/csv.h"
#include "millrace/io/file_sink.h"
#include "millrace/io/records.h"

namespace millrace {

namespace detail {
template <class T>
struct CsvRead : StructRecordRead<CsvRead<T>, T> {
  explicit CsvRead(std::string files)
      : StructRecordRead<CsvRead<T>, T>(std::move(files), {.syntax = RecordSyntax::kCsv, .type = &TypeOf<T>()}) {
    static_assert(Reflectable<T>, "Millrace: csv::Read needs a struct, whose fields are the columns.");
  }
  std::string DefaultLabel() const { return "CsvRead"; }

  /// Instead of a comma.
  CsvRead Delimiter(char delimiter) const {
    return this->With([&](CsvRead& self) { self.format.delimiter = delimiter; });
  }
  /// Says that no cell holds a line end, so that a file can be cut at any line and read by several workers. The first
  /// line of a row that breaks the promise is a BadRecord, its other lines are taken as rows. Without it a file is read
  /// by one worker.
  CsvRead WithoutNewlinesInCells() const {
    return this->With([](CsvRead& self) { self.format.newlines_in_cells = false; });
  }
};

struct CsvWrite : FileWrite<CsvWrite> {
  explicit CsvWrite(std::string file_prefix) : FileWrite(std::move(file_prefix), ".csv") {}
  std::string DefaultLabel() const { return "CsvWrite"; }

  /// Instead of a comma.
  CsvWrite Delimiter(char character) const {
    CsvWrite result = *this;
    result.delimiter = character;
    return result;
  }
  template <class T>
  static constexpr bool Accepts() {
    static_assert(kDescribable<T> && Reflectable<T>,
                  "Millrace: csv::Write needs a PCollection of structs, whose fields "
                  "are the columns.");
    return kDescribable<T> && Reflectable<T>;
  }
  template <class T>
  ShardOpener Opener() const {
    return OpenLineShards(LineSyntax::kCsv, TypeOf<T>(), delimiter);
  }

  char delimiter = ',';
};
}  // namespace detail

namespace csv {

/// Reads the files that `pattern` means (io/files.h; in a folder: those named *.csv); every row is one `T`.
template <class T>
auto Read(std::string pattern) {
  return detail::CsvRead<T>(std::move(pattern));
}

/// Writes a header row and each element as a row to files `prefix-00000-of-0000N.csv` (io/file_sink.h).
inline auto Write(std::string prefix) { return detail::CsvWrite(std::move(prefix)); }

}  // namespace csv

}  // namespace millrace
