#include "cli/row_writer.h"

#include <algorithm>
#include <utility>

#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr std::size_t kRowsMeasured = 10'000;

class TableWriter final : public RowWriter {
 public:
  TableWriter(std::vector<RowColumn> columns, std::ostream& out) : columns_(std::move(columns)), out_(out) {
    for (const RowColumn& column : columns_) widths_.push_back(DisplayWidth(column.name));
  }

  void Write(const std::vector<RowCell>& row) override {
    ++count_;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < columns_.size(); ++i) texts.push_back(Text(row[i], columns_[i]));
    if (has_header_) return Print(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) widths_[i] = std::max(widths_[i], DisplayWidth(texts[i]));
    measured_.push_back(std::move(texts));
    if (measured_.size() >= kRowsMeasured) PrintMeasured();
  }

  void Finish() override {
    if (!has_header_) PrintMeasured();
    out_ << "(" << GroupedDigits(count_) << (count_ == 1 ? " row)\n" : " rows)\n");
  }

 private:
  static std::string Text(const RowCell& cell, const RowColumn& column) {
    if (cell.is_null) return "";
    std::string text = cell.text;
    if (column.kind == CellKind::kTime && text.size() > 10 && text[10] == 'T') {
      text[10] = ' ';
      if (text.back() == 'Z') text.pop_back();
    }
    for (char& c : text) {
      if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    }
    return text;
  }

  void PrintMeasured() {
    has_header_ = true;
    std::vector<std::string> names;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      names.push_back(columns_[i].name);
      lines.emplace_back(widths_[i], '-');
    }
    Print(names);
    Print(lines);
    for (const std::vector<std::string>& row : measured_) Print(row);
    measured_.clear();
  }

  void Print(const std::vector<std::string>& texts) {
    std::string line;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::size_t width = DisplayWidth(texts[i]);
      const std::string padding(width < widths_[i] ? widths_[i] - width : 0, ' ');
      if (i > 0) line += "  ";
      line += columns_[i].is_number ? padding + texts[i] : texts[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out_ << line << '\n';
  }

  const std::vector<RowColumn> columns_;
  std::ostream& out_;
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> measured_;
  bool has_header_ = false;
  std::int64_t count_ = 0;
};

class JsonWriter final : public RowWriter {
 public:
  JsonWriter(std::vector<RowColumn> columns, std::ostream& out) : columns_(std::move(columns)), out_(out) {
    for (const RowColumn& column : columns_) names_.push_back(json::Write(column.name) + ":");
  }

  void Write(const std::vector<RowCell>& row) override {
    line_ = "{";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line_ += ',';
      line_ += names_[i];
      if (row[i].is_null) {
        line_ += "null";
      } else if (columns_[i].kind == CellKind::kLiteral && !IsNoJsonNumber(row[i].text)) {
        line_ += row[i].text;
      } else {
        json::Append(row[i].text, &line_);
      }
    }
    out_ << line_ << "}\n";
  }
  void Finish() override {}

 private:
  static bool IsNoJsonNumber(std::string_view text) {
    return text == "NaN" || text == "Infinity" || text == "-Infinity";
  }

  const std::vector<RowColumn> columns_;
  std::ostream& out_;
  std::vector<std::string> names_;
  std::string line_;
};

class CsvWriter final : public RowWriter {
 public:
  CsvWriter(const std::vector<RowColumn>& columns, std::ostream& out) : out_(out) {
    std::vector<RowCell> names;
    for (const RowColumn& column : columns) names.push_back({.text = column.name, .is_null = false});
    Write(names);
  }

  void Write(const std::vector<RowCell>& row) override {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out_ << ',';
      if (!row[i].is_null) WriteText(row[i].text);
    }
    out_ << '\n';
  }
  void Finish() override {}

 private:
  // An empty text is quoted, so that it is not taken for NULL.
  void WriteText(std::string_view text) {
    if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
      out_ << text;
      return;
    }
    out_ << '"';
    for (const char c : text) {
      if (c == '"') out_ << '"';
      out_ << c;
    }
    out_ << '"';
  }

  std::ostream& out_;
};

}  // namespace

Status CheckFormat(std::string_view format) {
  if (format == "table" || format == "json" || format == "csv") return OkStatus();
  return InvalidArgumentError("--format=" + std::string(format) + ": give table, json or csv");
}

StatusOr<std::unique_ptr<RowWriter>> MakeRowWriter(std::string_view format, std::vector<RowColumn> columns,
                                                   std::ostream& out) {
  if (Status known = CheckFormat(format); !known.ok()) return known;
  std::unique_ptr<RowWriter> writer;
  if (format == "table") writer = std::make_unique<TableWriter>(std::move(columns), out);
  if (format == "json") writer = std::make_unique<JsonWriter>(std::move(columns), out);
  if (format == "csv") writer = std::make_unique<CsvWriter>(columns, out);
  return writer;
}

std::string GroupedDigits(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::size_t DisplayWidth(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace millrace::cli
