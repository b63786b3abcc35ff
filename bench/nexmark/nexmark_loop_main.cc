// nexmark_loop: one query as a hand-written loop in one thread, with its figures on one line.
#include <cstdio>
#include <string>
#include <vector>

#include "nexmark/loop.h"
#include "nexmark/options.h"
#include "nexmark/report.h"

namespace millrace::nexmark {
namespace {

constexpr int kExitWrongUsage = 2;

int Fail(const Status& status) {
  std::fprintf(stderr, "nexmark_loop: %s\n", status.message().c_str());
  return kExitWrongUsage;
}

int Main(const std::vector<std::string>& arguments) {
  StatusOr<Options> options = ParseOptions(arguments);
  if (!options.ok()) return Fail(options.status());
  if (options->help) {
    std::printf("Runs a Nexmark query as a hand-written loop in one thread.\n%s", OptionsHelp().c_str());
    return 0;
  }
  if (Status status = RejectUnknown(*options); !status.ok()) return Fail(status);

  const RunMeter meter;
  StatusOr<Check> check = RunLoop({.query = options->query,
                                   .generator = options->generator,
                                   .events = options->events,
                                   .keys = options->keys,
                                   .owned_strings = options->owned_strings});
  if (!check.ok()) return Fail(check.status());
  RunReport report{.query = std::string(QueryName(options->query)),
                   .events = options->events,
                   .threads = 1,
                   .mode = "loop",
                   .check = check->ToString(SumsOfCheck(options->query))};
  meter.Finish(report);
  const std::string text = options->format == OutputFormat::kJson ? ToJson(report) : ToText(report);
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace millrace::nexmark

int main(int argc, char** argv) { return millrace::nexmark::Main({argv + 1, argv + argc}); }
