#include "nexmark/options.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace millrace::nexmark {
namespace {

Status Wrong(const std::string& name, const std::string& text, const std::string& expected) {
  return InvalidArgumentError("--" + name + "=" + text + ": " + expected);
}

Status SetCount(const std::string& name, const std::string& text, std::uint64_t& to) {
  StatusOr<std::uint64_t> count = ParseCount(name, text);
  if (!count.ok()) return count.status();
  to = *count;
  return OkStatus();
}

Status SetChoice(const std::string& name, const std::string& text, const std::string& off, const std::string& on,
                 bool& to) {
  if (text != off && text != on) return Wrong(name, text, "give " + off + " or " + on);
  to = text == on;
  return OkStatus();
}

Status SetFlag(const std::string& name, const std::string& text, Options& options) {
  if (name == "query") {
    StatusOr<Query> query = ParseQuery(text);
    if (!query.ok()) return query.status().WithContext("--query");
    options.query = *query;
    return OkStatus();
  }
  if (name == "disorder") {
    StatusOr<int> disorder_log2 = ParseDisorder(text);
    if (!disorder_log2.ok()) return disorder_log2.status();
    options.generator.disorder_log2 = *disorder_log2;
    return OkStatus();
  }
  if (name == "format") {
    bool json = false;
    Status status = SetChoice(name, text, "text", "json", json);
    options.format = json ? OutputFormat::kJson : OutputFormat::kText;
    return status;
  }
  if (name == "events") return SetCount(name, text, options.events);
  if (name == "seed") return SetCount(name, text, options.generator.seed);
  if (name == "rate") return SetCount(name, text, options.generator.rate);
  if (name == "keys") return SetCount(name, text, options.keys);
  if (name == "strings") return SetChoice(name, text, "pooled", "owned", options.owned_strings);
  options.others.emplace_back(name, text);
  return OkStatus();
}

}  // namespace

std::optional<std::string> Options::Take(const std::string& name) {
  const auto found = std::find_if(others.begin(), others.end(), [&](const auto& other) { return other.first == name; });
  if (found == others.end()) return std::nullopt;
  std::string value = std::move(found->second);
  others.erase(found);
  return value;
}

StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  bool has_query = false;
  bool has_events = false;
  for (const std::string& argument : arguments) {
    if (argument == "--help") {
      options.help = true;
      return options;
    }
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with("--") || equals == std::string::npos) {
      return InvalidArgumentError("\"" + argument + "\" is no flag; write --name=value, and --help for the names");
    }
    const std::string name = argument.substr(2, equals - 2);
    if (Status status = SetFlag(name, argument.substr(equals + 1), options); !status.ok()) return status;
    has_query = has_query || name == "query";
    has_events = has_events || name == "events";
  }
  if (!has_query) return InvalidArgumentError("--query is missing; write for example --query=q5");
  if (!has_events) options.events = options.query == Query::kQk ? kDefaultKeyedEvents : kDefaultEvents;
  if (Status status = Validate(options.generator); !status.ok()) return status;
  constexpr std::uint64_t kKeysMax = std::uint64_t{1} << 32;
  if (options.keys < 1 || options.keys > kKeysMax) {
    return Wrong("keys", std::to_string(options.keys), "give a number from 1 to 4294967296");
  }
  return options;
}

Status RejectUnknown(const Options& options) {
  if (options.others.empty()) return OkStatus();
  return InvalidArgumentError("--" + options.others.front().first + " is not known here; --help lists the flags");
}

StatusOr<int> ParseDisorder(const std::string& text) {
  constexpr std::uint64_t kLog2Max = 30;
  const std::string expected = "give a block of 2^k rows, k from 0 to 30, as 2^12 or 4096; 0 keeps the order";
  if (text.starts_with("2^")) {
    StatusOr<std::uint64_t> log2 = ParseCount("disorder", text.substr(2));
    if (!log2.ok() || *log2 > kLog2Max) return Wrong("disorder", text, expected);
    return static_cast<int>(*log2);
  }
  StatusOr<std::uint64_t> rows = ParseCount("disorder", text);
  if (!rows.ok()) return Wrong("disorder", text, expected);
  if (*rows == 0) return 0;
  if (!std::has_single_bit(*rows) || *rows > std::uint64_t{1} << kLog2Max) return Wrong("disorder", text, expected);
  return std::countr_zero(*rows);
}

StatusOr<std::uint64_t> ParseCount(const std::string& name, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Wrong(name, text, "give a whole number from 0 to 18446744073709551615");
  }
  return value;
}

std::string OptionsHelp() {
  return "  --query=NAME        q0, q1, q2, q5, q7, q8, q12 or qk; required\n"
         "  --events=N          rows of the query's stream [4000000; qk 10000000]\n"
         "  --seed=N            of the generator [42]\n"
         "  --rate=N            events per second of event time [50000]\n"
         "  --disorder=2^K      permute the stream within blocks of 2^K rows, written as 2^12 or 4096 [0: in order]\n"
         "  --keys=K            different keys of qk [1000]\n"
         "  --strings=FORM      texts of a bid: pooled (references) or owned [pooled]\n"
         "  --format=FORM       text or json [text]\n";
}

}  // namespace millrace::nexmark
