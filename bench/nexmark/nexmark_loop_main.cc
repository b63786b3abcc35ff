// nexmark_loop: one query as a hand-written loop in one thread, with its figures on one line.
#include <cstdio>
#include <string>
#include <vector>

#include "nexmark/loop.h"
#include "nexmark/options.h"
#include "nexmark/pools.h"
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
    std::printf("Runs a Nexmark query as a hand-written loop in one thread.\n%s%s", OptionsHelp().c_str(),
                "  --rows=FORM         input: needed (only the fields that the query reads) or whole rows [needed]\n");
    return 0;
  }
  const std::string rows = options->Take("rows").value_or("needed");
  if (rows != "needed" && rows != "whole") {
    return Fail(InvalidArgumentError("--rows=" + rows + ": give needed or whole"));
  }
  if (Status status = RejectUnknown(*options); !status.ok()) return Fail(status);

  Pools::Get();  // built before the measurement, as it does not depend on the number of events
  const RunMeter meter;
  StatusOr<Check> check = RunLoop({.query = options->query,
                                   .generator = options->generator,
                                   .events = options->events,
                                   .keys = options->keys,
                                   .owned_strings = options->owned_strings,
                                   .whole_rows = rows == "whole"});
  if (!check.ok()) return Fail(check.status());
  RunReport report{
      .query = std::string(QueryName(options->query)),
      .events = options->events,
      .threads = 1,
      .mode = "loop",
      .check = check->ToString(SumsOfCheck(options->query)),
      .extra = {{"rows", JsonQuoted(rows)}, {"strings", JsonQuoted(options->owned_strings ? "owned" : "pooled")}}};
  meter.Finish(report);
  const std::string text = options->format == OutputFormat::kJson ? ToJson(report) : ToText(report);
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace millrace::nexmark

int main(int argc, char** argv) { return millrace::nexmark::Main({argv + 1, argv + argc}); }
