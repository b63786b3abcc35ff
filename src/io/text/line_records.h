// Readers of records: a line each, and CSV.
#pragma once

#include <memory>
#include <string>

#include "millrace/detail/record_reader.h"

namespace millrace::text_files {

StatusOr<std::unique_ptr<detail::RecordReader>> OpenLineRecords(const detail::RecordFormat& format,
                                                                const std::string& path, std::int64_t from,
                                                                std::shared_ptr<detail::LineNumbers> line_numbers);
/// For files whose cells may hold line ends. INVALID_ARGUMENT names the file whose header does not fit.
StatusOr<std::unique_ptr<detail::RecordReader>> OpenCsvRecords(const detail::RecordFormat& format,
                                                               const std::string& path, std::int64_t from);
/// For files whose cells hold none.
StatusOr<std::unique_ptr<detail::RecordReader>> OpenCsvLines(const detail::RecordFormat& format,
                                                             const std::string& path, std::int64_t from,
                                                             std::shared_ptr<detail::LineNumbers> line_numbers);

}  // namespace millrace::text_files
