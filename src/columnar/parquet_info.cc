// The footer of a Parquet file: see parquet_reader.h.
#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "columnar/parquet_error.h"
#include "columnar/parquet_reader.h"

namespace millrace::columnar {
namespace {

// The file's columns, in order; nested ones as one.
StatusOr<std::vector<Column>> ReadColumns(Connection& connection, const std::string& path) {
  StatusOr<Result> result = connection.Query("SELECT * FROM " + ReadParquetCall("read_parquet", path) + ") LIMIT 0");
  if (!result.ok()) return result.status();
  return result->columns();
}

std::optional<std::int64_t> Number(const Result& result, std::size_t column, std::size_t row) {
  std::optional<std::string> text = result.Text(column, row);
  std::int64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

std::optional<Timestamp> Time(const Result& result, std::size_t column, std::size_t row) {
  std::optional<std::int64_t> micros = Number(result, column, row);
  if (!micros) return std::nullopt;
  return Timestamp::FromMicros(*micros);
}

Status ReadRowGroups(Connection& connection, const std::string& path, ParquetFileInfo& info) {
  const std::string time_of =
      "CASE WHEN s.logical_type LIKE 'Timestamp%' OR s.converted_type LIKE 'TIMESTAMP%' OR s.type = 'INT96' THEN "
      "epoch_us(TRY_CAST(replace(m.VALUE, '+00', '') AS TIMESTAMP)) END";
  auto expression = [&time_of](const std::string& value) {
    std::string sql = time_of;
    return sql.replace(sql.find("VALUE"), 5, value);
  };
  StatusOr<Result> result = connection.Query(
      "SELECT m.row_group_id, m.row_group_num_rows, m.row_group_compressed_bytes, m.path_in_schema, m.stats_min_value, "
      "m.stats_max_value, m.stats_null_count, " +
      expression("stats_min_value") + ", " + expression("stats_max_value") + " FROM " +
      ReadParquetCall("parquet_metadata", path) + ") m LEFT JOIN " + ReadParquetCall("parquet_schema", path) +
      ") s ON s.name = m.path_in_schema AND s.num_children IS NULL ORDER BY m.row_group_id, m.column_id");
  if (!result.ok()) return result.status();
  std::int64_t current = -1;
  std::uint64_t first_row = 0;
  while (true) {
    StatusOr<bool> has_rows = result->Next();
    if (!has_rows.ok()) return has_rows.status();
    if (!*has_rows) return OkStatus();
    for (std::size_t row = 0; row < result->rows(); ++row) {
      const std::int64_t id = Number(*result, 0, row).value_or(0);
      if (id != current) {
        current = id;
        RowGroup group{.first_row = first_row,
                       .row_count = static_cast<std::uint64_t>(Number(*result, 1, row).value_or(0)),
                       .compressed_bytes = static_cast<std::uint64_t>(Number(*result, 2, row).value_or(0)),
                       .columns = {}};
        first_row += group.row_count;
        info.row_groups.push_back(std::move(group));
      }
      info.row_groups.back().columns.push_back({.column = result->Text(3, row).value_or(""),
                                                .min = result->Text(4, row),
                                                .max = result->Text(5, row),
                                                .min_time = Time(*result, 7, row),
                                                .max_time = Time(*result, 8, row),
                                                .null_count = Number(*result, 6, row)});
    }
  }
}

std::string Unescaped(const std::string& text) {
  // A BLOB's text spells bytes that are not printable as \xHH.
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x') {
      bytes += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

Status ReadMetadata(Connection& connection, const std::string& path, ParquetFileInfo& info) {
  StatusOr<Result> result =
      connection.Query("SELECT key, value FROM " + ReadParquetCall("parquet_kv_metadata", path) + ")");
  if (!result.ok()) return result.status();
  while (true) {
    StatusOr<bool> has_rows = result->Next();
    if (!has_rows.ok()) return has_rows.status();
    if (!*has_rows) return OkStatus();
    for (std::size_t row = 0; row < result->rows(); ++row) {
      info.metadata.emplace_back(Unescaped(result->Text(0, row).value_or("")),
                                 Unescaped(result->Text(1, row).value_or("")));
    }
  }
}

}  // namespace

std::optional<std::pair<Timestamp, Timestamp>> ParquetFileInfo::TimeRange(std::string_view column) const {
  std::optional<std::pair<Timestamp, Timestamp>> range;
  for (const RowGroup& group : row_groups) {
    const ColumnStatistics* found = nullptr;
    for (const ColumnStatistics& statistics : group.columns) {
      if (statistics.column == column) found = &statistics;
    }
    if (found == nullptr || !found->min_time || !found->max_time) return std::nullopt;
    if (!range) range = {*found->min_time, *found->max_time};
    range->first = std::min(range->first, *found->min_time);
    range->second = std::max(range->second, *found->max_time);
  }
  return range;
}

StatusOr<ParquetFileInfo> ReadParquetInfo(const std::string& path) {
  StatusOr<Connection> connection = ConnectForParquet();
  if (!connection.ok()) return connection.status();
  ParquetFileInfo info;
  StatusOr<std::vector<Column>> columns = ReadColumns(*connection, path);
  if (!columns.ok()) return ParquetError(path, columns.status());
  info.columns = std::move(*columns);
  Status status = ReadRowGroups(*connection, path, info);
  if (!status.ok()) return ParquetError(path, status);
  status = ReadMetadata(*connection, path, info);
  if (!status.ok()) return ParquetError(path, status);
  for (const RowGroup& group : info.row_groups) info.row_count += group.row_count;
  return info;
}

}  // namespace millrace::columnar
