// The command line that the loop and the engine's benchmark share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/status.h"
#include "nexmark/generator.h"
#include "nexmark/query.h"

namespace millrace::nexmark {

enum class OutputFormat : std::uint8_t { kText, kJson };

struct Options {
  Query query = Query::kQ0;
  std::uint64_t events = 0;  // rows of the query's stream; set to the query's default when not given
  GeneratorConfig generator = {};
  std::uint64_t keys = 1'000;
  bool owned_strings = false;
  std::string log_folder = {};  // rows come from an event log there; empty: from the generator
  OutputFormat format = OutputFormat::kText;
  bool help = false;

  // Flags of this command line that are not among the above, as name (without dashes) and value: those of one program
  // only. `RejectUnknown` refuses what is left.
  std::vector<std::pair<std::string, std::string>> others = {};

  /// Takes a flag out of `others`.
  std::optional<std::string> Take(const std::string& name);
};

/// Parses `--name=value` arguments (`arguments` without the program's name). An INVALID_ARGUMENT names the flag, its
/// value and what it should be.
StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments);

/// An INVALID_ARGUMENT that names the first flag in `others`, if there is one.
Status RejectUnknown(const Options& options);

/// Parses a block size of rows, a power of two up to 2^30: "2^12" or "4096"; "0" and "1" mean in order. Returns the
/// exponent.
StatusOr<int> ParseDisorder(const std::string& text);

/// Parses a whole number; `name` is that of the flag, for the message.
StatusOr<std::uint64_t> ParseCount(const std::string& name, const std::string& text);

/// The lines of --help about the flags that `ParseOptions` knows.
std::string OptionsHelp();

}  // namespace millrace::nexmark
