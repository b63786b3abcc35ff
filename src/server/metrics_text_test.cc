#include "server/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "server/process_figures.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A status with a value for everything, and names that need care.
ServerStatus FullStatus() {
  ServerStatus status{.program = "flights", .version = "0.1.0", .now = Timestamp::FromSeconds(1'000'000)};
  RunStatus run{.job = "a \"job\"\\\nof two lines",
                .generation = 3,
                .attempt = 2,
                .mode = "streaming",
                .state = "running",
                .started_at = Timestamp::FromSeconds(999'000)};
  run.elements_read = 9'007'199'254'740'993;
  run.watermark = Timestamp::FromMillis(999'998'500);
  SourceStatus source{.label = "Flights", .elements_read = 7, .watermark = Timestamp::FromSeconds(5)};
  source.partitions.push_back({.partition = "flights/0", .position = 4, .end = 9, .archived_through = 2, .lag = 5});
  source.partitions.push_back({.partition = "flights/1", .idle = true});
  run.sources.push_back(source);
  StepStatus step{.label = "Count", .kind = "CombinePerKey", .output_watermark = Timestamp::Max(), .elements_out = 12};
  step.metrics.counters["größe {x}"] = -4;
  step.metrics.gauges["level"] = 3;
  step.metrics.distributions["length"] = {.count = 2, .sum = 30, .min = 10, .max = 20};
  run.steps.push_back(step);
  run.checkpoint.last_epoch = 17;
  run.checkpoint.at = Timestamp::FromSeconds(999'990);
  run.checkpoint.age = std::chrono::milliseconds(10'250);
  run.dead_letters.push_back({.name = "rejects", .step = "Parse", .count = 6});
  run.views.push_back({.name = "counts", .cells_written = 8, .committed_epoch = 17});
  status.run = run;
  return status;
}

// A ledger in which a step has lost something, and an epoch what another one has made up for.
Ledger FullLedger() {
  Ledger ledger;
  ledger.total = {.first_epoch = 1, .epoch = 17};
  ledger.total.steps.push_back({.step = "Read \"it\"", .kind = "Read", .out = {12}, .is_source = true});
  LedgerStep count{.step = "Count", .kind = "CombinePerKey", .inputs = {"Read \"it\""}, .put_out = 12, .taken_in = 12};
  count.units = 24;
  count.late = 3;
  count.closed = 13;
  count.open_after = 8;
  ledger.total.steps.push_back(count);
  ledger.epochs.push_back(ledger.total);
  ledger.total.steps[1].put_out = 13;
  return ledger;
}

// The grammar of the text format 0.0.4: comments first, all samples of a metric together, each once.
void CheckGrammar(const std::string& text) {
  static const std::regex kHelp("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) [^\n]+");
  static const std::regex kType("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|summary|histogram|untyped)");
  static const std::regex kSample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (-?[0-9][0-9.e+-]*|NaN|[+-]Inf))re");
  std::set<std::string> ended;
  std::set<std::string> samples;
  std::string current;
  std::string type;
  ASSERT_TRUE(text.ends_with('\n'));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kHelp)) {
      EXPECT_TRUE(ended.insert(match[1]).second) << "twice: " << line;
      current = match[1];
      type.clear();
    } else if (std::regex_match(line, match, kType)) {
      EXPECT_EQ(match[1], current) << line;
      type = match[2];
      EXPECT_EQ(type == "counter", current.ends_with("_total")) << line;
    } else {
      ASSERT_TRUE(std::regex_match(line, match, kSample)) << line;
      const std::string name = match[1];
      const bool is_part = type == "summary" && (name == current + "_sum" || name == current + "_count");
      EXPECT_TRUE(name == current || is_part) << line;
      EXPECT_FALSE(type.empty()) << line;
      EXPECT_TRUE(samples.insert(name + std::string(match[2])).second) << "twice: " << line;
    }
  }
}

TEST(MetricsText, KeepsToTheGrammar) {
  CheckGrammar(MetricsText(FullStatus()));
  CheckGrammar(MetricsText({}));
  const Ledger ledger = FullLedger();
  CheckGrammar(MetricsText(FullStatus(), &ledger));
}

TEST(MetricsText, TellsTheFacts) {
  const std::string text = MetricsText(FullStatus());
  for (const char* line : {
           "# HELP millrace_elements_read_total Elements read by all sources since the run began.\n"
           "# TYPE millrace_elements_read_total counter\n"
           "millrace_elements_read_total 9007199254740993\n",
           "millrace_run_info{job=\"a \\\"job\\\"\\\\\\nof two "
           "lines\",mode=\"streaming\",generation=\"3\",attempt=\"2\"} 1\n",
           "millrace_run_state{state=\"running\"} 1\n",
           "millrace_run_state{state=\"failed\"} 0\n",
           "millrace_watermark_timestamp_seconds 999998.5\n",
           "millrace_watermark_lag_seconds 1.5\n",
           "millrace_partition_lag_records{source=\"Flights\",partition=\"flights/0\"} 5\n",
           "millrace_partition_archived_position{source=\"Flights\",partition=\"flights/0\"} 2\n",
           "millrace_partition_idle{source=\"Flights\",partition=\"flights/1\"} 1\n",
           "millrace_step_elements_out_total{step=\"Count\",kind=\"CombinePerKey\"} 12\n",
           "millrace_user_counter{step=\"Count\",name=\"größe {x}\"} -4\n",
           "millrace_user_distribution_sum{step=\"Count\",name=\"length\"} 30\n",
           "millrace_checkpoint_age_seconds 10.25\n",
           "millrace_dead_letters_total{name=\"rejects\",step=\"Parse\"} 6\n",
           "millrace_view_committed_epoch{view=\"counts\"} 17\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  // What is not known gives no sample: an end of a partition, a watermark at an end of time.
  EXPECT_THAT(text, Not(HasSubstr("millrace_partition_end_position{source=\"Flights\",partition=\"flights/1\"}")));
  EXPECT_THAT(text, Not(HasSubstr("millrace_step_output_watermark_timestamp_seconds{")));
}

TEST(MetricsText, TellsTheLedger) {
  const Ledger ledger = FullLedger();
  const std::string text = MetricsText(FullStatus(), &ledger);
  const std::size_t problems = ProblemsOf(ledger.total).size();
  ASSERT_EQ(problems, 1U);
  ASSERT_TRUE(ProblemsOf(ledger.epochs[0]).empty()) << ProblemsOf(ledger.epochs[0])[0].text;
  for (const char* line : {
           "millrace_ledger_epoch 17\n",
           "millrace_ledger_taken_in_total{step=\"Count\",kind=\"CombinePerKey\"} 12\n",
           "millrace_ledger_late_total{step=\"Count\",kind=\"CombinePerKey\"} 3\n",
           "millrace_ledger_open_units{step=\"Count\",kind=\"CombinePerKey\"} 8\n",
           "millrace_ledger_imbalances{step=\"Count\"} 1\n",
           "millrace_ledger_imbalances{step=\"Read \\\"it\\\"\"} 0\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(MetricsText(FullStatus()), Not(HasSubstr("millrace_ledger_")));
}

TEST(MetricsText, LeavesOutWhatIsTooMuch) {
  ServerStatus status = FullStatus();
  auto& partitions = status.run->sources[0].partitions;
  partitions.clear();
  for (std::size_t i = 0; i < kSamplesMax + 5; ++i) partitions.push_back({.partition = std::to_string(i)});
  const std::string text = MetricsText(status);
  EXPECT_THAT(text, HasSubstr("millrace_partition_position{source=\"Flights\",partition=\"9999\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("partition=\"10000\"")));
  EXPECT_THAT(text, HasSubstr("\nmillrace_metrics_samples_dropped 10\n"));  // of positions, and of idle or not
}

// The parser that Prometheus' own client for Python has; tools/setup installs it.
TEST(MetricsText, IsReadByThePrometheusClient) {
  const std::string modules = std::string(MILLRACE_SOURCE_DIR) + "/.setup/python";
  ASSERT_TRUE(std::filesystem::exists(modules)) << "run tools/setup";
  const auto folder = std::filesystem::temp_directory_path() / ("millrace_metrics_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Ledger ledger = FullLedger();
  std::ofstream(folder / "metrics.txt") << MetricsText(FullStatus(), &ledger);
  std::ofstream(folder / "check.py") << R"py(import sys
from prometheus_client.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(open(sys.argv[1], encoding="utf-8").read())}
def value(sample, /, **labels):
    [found] = [s.value for f in families.values() for s in f.samples if s.name == sample and s.labels == labels]
    return found
assert families["millrace_elements_read"].type == "counter", families["millrace_elements_read"]
assert value("millrace_run_info", job='a "job"\\\nof two lines', mode="streaming", generation="3", attempt="2") == 1
assert value("millrace_user_counter", step="Count", name="größe {x}") == -4
assert value("millrace_user_distribution_count", step="Count", name="length") == 2
assert value("millrace_partition_lag_records", source="Flights", partition="flights/0") == 5
assert families["millrace_ledger_units"].type == "counter", families["millrace_ledger_units"]
assert value("millrace_ledger_units_total", step="Count", kind="CombinePerKey") == 24
assert value("millrace_ledger_closed_total", step="Count", kind="CombinePerKey") == 13
assert value("millrace_ledger_imbalances", step="Count") == 1
assert value("millrace_ledger_imbalances", step='Read "it"') == 0
assert len(families) > 50, len(families)
)py";
  const std::string command = "PYTHONPATH='" + modules + "' python3 '" + (folder / "check.py").string() + "' '" +
                              (folder / "metrics.txt").string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::filesystem::remove_all(folder);
}

TEST(ProcessFigures, AreOfThisProcess) {
  std::vector<char> memory(32 << 20, 'x');
  const ProcessFigures figures = FiguresOfThisProcess();
  EXPECT_GT(figures.resident_bytes, memory.size());
  EXPECT_GE(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.threads, 1);
  EXPECT_GE(figures.open_files, 3);
  EXPECT_GE(figures.open_files_max, figures.open_files);
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(figures.started_unix_s, now, 600);
}

}  // namespace
}  // namespace millrace::server
