#include "millrace/core/options.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "model/schema_text.h"

namespace millrace {

namespace {

constexpr std::size_t kHelpColumn = 34;
constexpr std::size_t kLineMax = 120;

// "tempLocation" and "temp_location" are one name.
std::string SnakeCase(std::string_view name) {
  std::string snake;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      if (!snake.empty() && snake.back() != '_') snake += '_';
      snake += static_cast<char>(c - 'A' + 'a');
    } else {
      snake += c;
    }
  }
  return snake;
}

// The type of one value: that of an optional's or a list's element.
const Type& ValueType(const Type& type) {
  return type.kind == FieldKind::kOptional || type.kind == FieldKind::kList ? *type.element : type;
}

bool CanBeSet(const Type& type) {
  const FieldKind kind = ValueType(type).kind;
  return model::IsTextual(ValueType(type)) && kind != FieldKind::kStringView && kind != FieldKind::kBytes;
}

bool IsSwitch(const Type& type) { return type.kind != FieldKind::kList && ValueType(type).kind == FieldKind::kBool; }

std::string_view TypeWord(const Type& type) {
  switch (ValueType(type).kind) {
    case FieldKind::kBool: return "true|false";
    case FieldKind::kFloat:
    case FieldKind::kDouble: return "NUMBER";
    case FieldKind::kString: return "TEXT";
    case FieldKind::kTimestamp: return "TIME";
    case FieldKind::kDuration: return "DURATION";
    default: return "INTEGER";
  }
}

// The value as it would be written, in quotes where it is a text; empty for an empty optional, list or text.
std::string DefaultText(const Type& type, const void* object) {
  if (type.kind == FieldKind::kOptional) {
    const void* value = type.optional_get(object);
    return value == nullptr ? "" : DefaultText(*type.element, value);
  }
  std::string text;
  if (type.kind == FieldKind::kList) {
    for (std::size_t i = 0; i < type.list_size(object); ++i) {
      text += (i == 0 ? "" : ", ") + DefaultText(*type.element, type.list_at(object, i));
    }
    return text;
  }
  model::AppendText(type, object, &text);
  return text;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// Words behind `head`, broken into lines that begin at kHelpColumn.
void AppendHelpLine(std::string head, const std::string& words, std::string* out) {
  if (head.size() + 2 > kHelpColumn) {
    *out += head + "\n";
    head.clear();
  }
  std::string line = head + std::string(kHelpColumn - head.size(), ' ');
  std::size_t at = 0;
  bool fresh = true;
  while (at < words.size()) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    if (!fresh && line.size() + 1 + (end - at) > kLineMax) {
      *out += line + "\n";
      line = std::string(kHelpColumn, ' ');
      fresh = true;
    }
    if (!fresh) line += ' ';
    line.append(words, at, end - at);
    fresh = false;
    at = end + 1;
  }
  *out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

// A single '-' begins an option unless a number follows: "-5" is a value or a key.
// A name has no white space: "-- a comment of SQL" is none, nor is text of several lines.
bool LooksLikeOption(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return false;
  if (argument.substr(0, argument.find('=')).find_first_of(" \t\r\n") != std::string_view::npos) return false;
  return argument[1] != '.' && std::isdigit(static_cast<unsigned char>(argument[1])) == 0;
}

}  // namespace

StatusOr<RunOptions> RunOptionsOf(const PipelineOptions& options) {
  static constexpr std::array kHere = {"native", "nativerunner", "directrunner", "direct"};
  static constexpr std::array kElsewhere = {"flink", "spark",    "dataflow",    "portable", "prism",
                                            "samza", "twister2", "interactive", "dask",     "ray"};
  std::string runner;
  for (const char c : options.runner) {
    if (c != '_' && c != '-') runner += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (std::find(kHere.begin(), kHere.end(), runner) == kHere.end()) {
    const bool known = std::any_of(kElsewhere.begin(), kElsewhere.end(),
                                   [&](std::string_view name) { return runner.starts_with(name); });
    if (known) {
      return UnimplementedError("--runner=" + options.runner +
                                ": not in this version of Millrace; use --runner=native, which runs in this process");
    }
    return InvalidArgumentError("--runner=" + options.runner + ": there is no such runner; use --runner=native");
  }
  if (options.streaming && options.batch) {
    return InvalidArgumentError("--streaming and --batch exclude each other; give one of them");
  }
  if (options.threads < 0) {
    return InvalidArgumentError("--threads=" + std::to_string(options.threads) +
                                ": give a number from 1 on, or 0 for one per core");
  }
  RunOptions run;
  if (options.state_backend == "rocksdb") {
    run.state.backend = StateBackend::kRocksdb;
    run.state.folder = options.temp_location.empty() ? "" : options.temp_location + "/state";
  } else if (options.state_backend != "memory") {
    return InvalidArgumentError("--state_backend=" + options.state_backend +
                                ": there is no such backend; use memory or rocksdb");
  }
  if (options.state_memory_mib < 1) {
    return InvalidArgumentError("--state_memory_mib=" + std::to_string(options.state_memory_mib) +
                                ": give a number from 1 on");
  }
  run.state.memory_bytes = std::int64_t{options.state_memory_mib} << 20;
  run.streaming = options.streaming;
  run.threads = options.threads;
  return run;
}

void OptionParser::AddFields(std::string title, const Schema& schema, void* options, std::span<const OptionHelp> help) {
  Section section{.title = std::move(title), .begin = options_.size(), .end = 0};
  for (const Field& field : schema.fields()) {
    Option option{.name = SnakeCase(field.name), .type = field.type, .object = field.In(options)};
    if (!CanBeSet(*field.type)) {
      mistakes_.push_back(
          schema.name() + "::" + field.name + " is a " + field.type->ToString() +
          ", which no option can set; use a bool, number, string, time, or an optional or list of these");
      continue;
    }
    if (Find(option.name) != nullptr || option.name == "help" || option.name == "version") {
      mistakes_.push_back(schema.name() + "::" + field.name + ": the option --" + option.name +
                          " is taken already; rename the field");
      continue;
    }
    for (const OptionHelp& line : help) {
      if (line.name == field.name) option.help = line.text;
    }
    option.default_text = DefaultText(*option.type, option.object);
    options_.push_back(std::move(option));
  }
  for (const OptionHelp& line : help) {
    if (schema.Find(line.name) == nullptr) {
      mistakes_.push_back(schema.name() + "::kOptionHelp names " + std::string(line.name) + ", which is no field");
    }
  }
  section.end = options_.size();
  sections_.push_back(std::move(section));
}

Status OptionParser::Check() const {
  if (mistakes_.empty()) return OkStatus();
  std::string text = "the program's options cannot be:";
  for (const std::string& mistake : mistakes_) text += "\n  " + mistake;
  return InvalidArgumentError(text);
}

OptionParser::Option* OptionParser::Find(std::string_view name) {
  const std::string snake = SnakeCase(name);
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.name == snake; });
  return found == options_.end() ? nullptr : &*found;
}

std::string OptionParser::Unknown(std::string_view name) const {
  const std::string snake = SnakeCase(name);
  std::string text = "there is no option --" + std::string(name);
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, snake.size() / 3) + 1;
  for (const Option& option : options_) {
    const std::size_t distance = EditDistance(snake, option.name);
    if (distance < least) {
      least = distance;
      nearest = option.name;
    }
  }
  if (!nearest.empty()) return text + "; did you mean --" + std::string(nearest) + "?";
  return text + "; --help lists all";
}

std::string OptionParser::SetValue(Option& option, std::string_view text) {
  const Type& type = *option.type;
  void* object = option.object;
  if (type.kind == FieldKind::kOptional) object = type.optional_emplace(object);
  if (type.kind == FieldKind::kList) {
    if (!option.given) type.list_clear(object);
    object = type.list_append(object);
  }
  option.given = true;
  std::string why;
  if (model::ParseText(text, ValueType(type), object, &why)) return "";
  return "--" + option.name + "=" + std::string(text) + ": " + why;
}

StatusOr<std::vector<std::string>> OptionParser::Parse(std::span<const std::string> arguments) {
  if (Status sound = Check(); !sound.ok()) return sound;
  std::vector<std::string> others;
  std::vector<std::string> errors;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      others.insert(others.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (!LooksLikeOption(argument)) {
      others.push_back(argument);
      continue;
    }
    const std::string_view body = std::string_view(argument).substr(argument.starts_with("--") ? 2 : 1);
    const std::size_t equals = body.find('=');
    const std::string_view name = body.substr(0, equals);
    Option* option = Find(name);
    std::string error;
    if (!argument.starts_with("--")) {
      error = argument + ": options begin with two dashes: --" + std::string(body);
    } else if (option == nullptr) {
      error = Unknown(name);
    } else if (equals != std::string_view::npos) {
      error = SetValue(*option, body.substr(equals + 1));
    } else if (IsSwitch(*option->type)) {
      error = SetValue(*option, "true");
    } else if (i + 1 < arguments.size() && !LooksLikeOption(arguments[i + 1]) && arguments[i + 1] != "--") {
      error = SetValue(*option, arguments[++i]);
    } else {
      error = "--" + option->name + " needs a value: --" + option->name + "=" + std::string(TypeWord(*option->type));
    }
    if (!error.empty()) errors.push_back(std::move(error));
  }
  if (errors.empty()) return others;
  std::string text;
  for (const std::string& error : errors) text += (text.empty() ? "" : "\n") + error;
  return InvalidArgumentError(text);
}

std::string OptionParser::Help() const {
  std::string text;
  for (const Section& section : sections_) {
    if (section.begin == section.end) continue;
    text += (text.empty() ? "" : "\n") + section.title + "\n";
    for (std::size_t i = section.begin; i < section.end; ++i) {
      const Option& option = options_[i];
      std::string head = "  --" + option.name;
      head += IsSwitch(*option.type) ? "" : "=" + std::string(TypeWord(*option.type));
      std::string words = option.help;
      if (option.type->kind == FieldKind::kList) words += std::string(words.empty() ? "" : " ") + "(may be repeated)";
      const bool plain_switch = IsSwitch(*option.type) && option.default_text != "true";
      if (!plain_switch && !option.default_text.empty()) {
        words += std::string(words.empty() ? "" : " ") + "[" + option.default_text + "]";
      }
      AppendHelpLine(head, words, &text);
    }
  }
  return text;
}

}  // namespace millrace
