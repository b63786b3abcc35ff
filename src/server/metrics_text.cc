#include "server/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "server/process_figures.h"

namespace millrace::server {

namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

constexpr const char* kCounter = "counter";
constexpr const char* kGauge = "gauge";

double Seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }
double Seconds(Timestamp time) { return Seconds(time.since_epoch()); }
bool IsFinite(Timestamp time) { return time > Timestamp::Min() && time < Timestamp::Max(); }

// Writes metric after metric: its help and type at its first sample, then the samples.
class MetricsWriter {
 public:
  void Begin(const char* name, const char* type, const char* help) {
    name_ = name;
    type_ = type;
    help_ = help;
    samples_ = 0;
  }
  void Sample(Labels labels, double value, const char* suffix = "") {
    std::array<char, 32> digits{};
    if (!std::isfinite(value)) return Line(labels, std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf", suffix);
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    Line(labels, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())), suffix);
  }
  void Sample(Labels labels, std::int64_t value, const char* suffix = "") {
    Line(labels, std::to_string(value), suffix);
  }
  void Sample(Labels labels, std::uint64_t value) { Line(labels, std::to_string(value), ""); }
  void Sample(Labels labels, bool value) { Line(labels, value ? "1" : "0", ""); }
  /// A time that is not known yet, or has no end, gives no sample.
  void Sample(Labels labels, Timestamp time) {
    if (IsFinite(time)) Sample(labels, Seconds(time));
  }
  template <class T>
  void Sample(Labels labels, const std::optional<T>& value) {
    if (value) Sample(labels, *value);
  }
  template <class T>
  void Metric(const char* name, const char* type, const char* help, const T& value) {
    Begin(name, type, help);
    Sample({}, value);
  }

  std::string Finish() {
    const std::int64_t dropped = dropped_;
    Metric("millrace_metrics_samples_dropped", kGauge, "Samples of this page left out because a metric had too many.",
           dropped);
    return std::move(text_);
  }

 private:
  void Line(Labels labels, std::string_view value, const char* suffix) {
    if (samples_ == 0) {
      text_.append("# HELP ").append(name_).append(" ").append(help_).append("\n");
      text_.append("# TYPE ").append(name_).append(" ").append(type_).append("\n");
    }
    if (++samples_ > kSamplesMax) {
      ++dropped_;
      return;
    }
    text_.append(name_).append(suffix);
    char before = '{';
    for (const auto& [label, content] : labels) {
      text_ += before;
      text_.append(label).append("=\"");
      AppendEscaped(content);
      text_ += '"';
      before = ',';
    }
    if (labels.size() > 0) text_ += '}';
    text_.append(" ").append(value).append("\n");
  }

  void AppendEscaped(std::string_view content) {
    for (const char c : content) {
      if (c == '\n') {
        text_ += "\\n";
      } else {
        if (c == '\\' || c == '"') text_ += '\\';
        text_ += c;
      }
    }
  }

  std::string text_;
  const char* name_ = "";
  const char* type_ = "";
  const char* help_ = "";
  std::size_t samples_ = 0;
  std::int64_t dropped_ = 0;
};

void WriteRun(MetricsWriter& out, const RunStatus& run, Timestamp now) {
  out.Begin("millrace_run_info", kGauge, "The run; always 1.");
  out.Sample({{"job", run.job},
              {"mode", run.mode},
              {"generation", std::to_string(run.generation)},
              {"attempt", std::to_string(run.attempt)}},
             true);
  out.Begin("millrace_run_state", kGauge, "1 for the state that the run is in, 0 for the others.");
  for (const char* state : {"starting", "running", "draining", "stopping", "done", "cancelled", "failed"}) {
    out.Sample({{"state", state}}, run.state == state);
  }
  out.Metric("millrace_run_started_timestamp_seconds", kGauge, "When the run began.", run.started_at);
  out.Metric("millrace_run_status_age_seconds", kGauge, "How old the figures of the run are.", Seconds(run.age));
  out.Metric("millrace_run_threads", kGauge, "Worker threads.", std::int64_t{run.threads});
  out.Metric("millrace_elements_read_total", kCounter, "Elements read by all sources since the run began.",
             run.elements_read);
  out.Metric("millrace_watermark_timestamp_seconds", kGauge, "The least watermark of all steps, in event time.",
             run.watermark);
  out.Begin("millrace_watermark_lag_seconds", kGauge, "How far the watermark is behind the clock.");
  if (IsFinite(run.watermark)) out.Sample({}, Seconds(now - run.watermark));
  out.Metric("millrace_state_bytes", kGauge, "State of all steps.", run.state_bytes);
}

template <class Value>
void WritePartitions(MetricsWriter& out, const RunStatus& run, const char* name, const char* type, const char* help,
                     Value PartitionStatus::* value) {
  out.Begin(name, type, help);
  for (const SourceStatus& source : run.sources) {
    for (const PartitionStatus& partition : source.partitions) {
      out.Sample({{"source", source.label}, {"partition", partition.partition}}, partition.*value);
    }
  }
}

void WriteSources(MetricsWriter& out, const RunStatus& run) {
  out.Begin("millrace_source_elements_read_total", kCounter, "Elements read by a source.");
  for (const SourceStatus& source : run.sources) out.Sample({{"source", source.label}}, source.elements_read);
  out.Begin("millrace_source_bad_records_total", kCounter, "Records that a source could not read.");
  for (const SourceStatus& source : run.sources) out.Sample({{"source", source.label}}, source.bad_records);
  out.Begin("millrace_source_watermark_timestamp_seconds", kGauge, "A source's watermark, in event time.");
  for (const SourceStatus& source : run.sources) out.Sample({{"source", source.label}}, source.watermark);
  WritePartitions(out, run, "millrace_partition_position", kGauge, "The next position to be read.",
                  &PartitionStatus::position);
  WritePartitions(out, run, "millrace_partition_end_position", kGauge, "One behind the last position that there is.",
                  &PartitionStatus::end);
  WritePartitions(out, run, "millrace_partition_landed_position", kGauge, "Positions before it are durable in the log.",
                  &PartitionStatus::landed);
  WritePartitions(out, run, "millrace_partition_archived_position", kGauge, "Positions before it are in the archive.",
                  &PartitionStatus::archived_through);
  WritePartitions(out, run, "millrace_partition_lag_records", kGauge, "Positions not read yet.", &PartitionStatus::lag);
  WritePartitions(out, run, "millrace_partition_watermark_timestamp_seconds", kGauge,
                  "A partition's watermark, in event time.", &PartitionStatus::watermark);
  WritePartitions(out, run, "millrace_partition_idle", kGauge, "1 where the partition has stepped aside as idle.",
                  &PartitionStatus::idle);
}

template <class Value>
void WriteSteps(MetricsWriter& out, const RunStatus& run, const char* name, const char* type, const char* help,
                Value StepStatus::* value) {
  out.Begin(name, type, help);
  for (const StepStatus& step : run.steps) out.Sample({{"step", step.label}, {"kind", step.kind}}, step.*value);
}

void WriteSteps(MetricsWriter& out, const RunStatus& run) {
  WriteSteps(out, run, "millrace_step_elements_in_total", kCounter, "Elements given to a step.",
             &StepStatus::elements_in);
  WriteSteps(out, run, "millrace_step_elements_out_total", kCounter, "Elements given by a step, of all its outputs.",
             &StepStatus::elements_out);
  WriteSteps(out, run, "millrace_step_late_dropped_total", kCounter,
             "(element, window) pairs that came after the allowed lateness.", &StepStatus::late_dropped);
  WriteSteps(out, run, "millrace_step_state_bytes", kGauge, "A step's state.", &StepStatus::state_bytes);
  WriteSteps(out, run, "millrace_step_open_windows", kGauge, "A step's windows that are not closed.",
             &StepStatus::open_windows);
  WriteSteps(out, run, "millrace_step_input_watermark_timestamp_seconds", kGauge,
             "The watermark of a step's inputs, in event time.", &StepStatus::input_watermark);
  WriteSteps(out, run, "millrace_step_output_watermark_timestamp_seconds", kGauge,
             "The watermark of a step's outputs, in event time.", &StepStatus::output_watermark);
}

// The user's own: their names are labels, for a name of a metric may not hold every character.
void WriteUserMetrics(MetricsWriter& out, const RunStatus& run) {
  out.Begin("millrace_user_counter", kGauge, "A counter of the pipeline's own code, which may also go down.");
  for (const StepStatus& step : run.steps) {
    for (const auto& [name, value] : step.metrics.counters) out.Sample({{"step", step.label}, {"name", name}}, value);
  }
  out.Begin("millrace_user_gauge", kGauge, "A gauge of the pipeline's own code.");
  for (const StepStatus& step : run.steps) {
    for (const auto& [name, value] : step.metrics.gauges) out.Sample({{"step", step.label}, {"name", name}}, value);
  }
  out.Begin("millrace_user_distribution", "summary", "A distribution of the pipeline's own code.");
  for (const StepStatus& step : run.steps) {
    for (const auto& [name, value] : step.metrics.distributions) {
      out.Sample({{"step", step.label}, {"name", name}}, value.sum, "_sum");
      out.Sample({{"step", step.label}, {"name", name}}, value.count, "_count");
    }
  }
}

void WriteCheckpoint(MetricsWriter& out, const CheckpointStatus& checkpoint) {
  out.Metric("millrace_checkpoints_committed_total", kCounter, "Checkpoints committed by this process.",
             checkpoint.committed);
  out.Metric("millrace_checkpoints_failed_total", kCounter, "Checkpoints that failed in this process.",
             checkpoint.failed);
  if (!checkpoint.last_epoch) return;
  out.Metric("millrace_checkpoint_last_epoch", kGauge, "The epoch of the last checkpoint.", checkpoint.last_epoch);
  out.Metric("millrace_checkpoint_last_timestamp_seconds", kGauge, "When the last checkpoint was committed.",
             checkpoint.at);
  if (checkpoint.age) {
    out.Metric("millrace_checkpoint_age_seconds", kGauge, "Time since the last checkpoint.", Seconds(*checkpoint.age));
  }
  out.Metric("millrace_checkpoint_duration_seconds", kGauge, "How long the last checkpoint took.",
             Seconds(checkpoint.duration));
  out.Metric("millrace_checkpoint_written_bytes", kGauge, "What the last checkpoint wrote.", checkpoint.bytes);
  out.Metric("millrace_checkpoint_state_bytes", kGauge, "What the last checkpoint refers to.", checkpoint.state_bytes);
}

void WriteResults(MetricsWriter& out, const RunStatus& run) {
  out.Begin("millrace_dead_letters_total", kCounter, "Dead letters that a step has sent to a name.");
  for (const DeadLetterStatus& letters : run.dead_letters) {
    out.Sample({{"name", letters.name}, {"step", letters.step}}, letters.count);
  }
  out.Begin("millrace_view_cells_written_total", kCounter, "Cells written to a view.");
  for (const ViewStatus& view : run.views) out.Sample({{"view", view.name}}, view.cells_written);
  out.Begin("millrace_view_complete_through_timestamp_seconds", kGauge, "The watermark that has reached a view.");
  for (const ViewStatus& view : run.views) out.Sample({{"view", view.name}}, view.complete_through);
  out.Begin("millrace_view_committed_epoch", kGauge, "What belongs to this epoch or one before can be read.");
  for (const ViewStatus& view : run.views) out.Sample({{"view", view.name}}, view.committed_epoch);
  out.Begin("millrace_view_committed_timestamp_seconds", kGauge, "When that epoch was committed.");
  for (const ViewStatus& view : run.views) out.Sample({{"view", view.name}}, view.committed_at);
}

// The labels are the steps of the graph, so there are as many samples as these.
void WriteLedger(MetricsWriter& out, const Ledger& ledger) {
  struct Column {
    const char* name;
    const char* help;
    std::int64_t LedgerStep::* value;
  };
  static constexpr Column kColumns[] = {
      {"millrace_ledger_taken_in_total", "Elements that a step has taken in, as committed.", &LedgerStep::taken_in},
      {"millrace_ledger_units_total", "Elements, or elements in windows, that a step has decided about, as committed.",
       &LedgerStep::units},
      {"millrace_ledger_emitted_total", "Units that gave an output, as committed.", &LedgerStep::emitted},
      {"millrace_ledger_filtered_total", "Units that gave none, as committed.", &LedgerStep::filtered},
      {"millrace_ledger_failed_total", "Units that went to the output of failed elements, as committed.",
       &LedgerStep::failed},
      {"millrace_ledger_duplicates_total", "Units that were dropped as duplicates, as committed.",
       &LedgerStep::duplicates},
      {"millrace_ledger_late_total", "Units that were dropped as too late, as committed.", &LedgerStep::late},
      {"millrace_ledger_closed_total", "Units in windows that an aggregation has closed, as committed.",
       &LedgerStep::closed},
      {"millrace_ledger_taken_total", "Units given to a view, the dead letters or a side input, as committed.",
       &LedgerStep::taken},
  };
  const LedgerEpoch& total = ledger.total;
  out.Metric("millrace_ledger_epoch", kGauge, "The sums of the ledger go up to this epoch.", total.epoch);
  for (const Column& column : kColumns) {
    out.Begin(column.name, kCounter, column.help);
    for (const LedgerStep& step : total.steps) {
      out.Sample({{"step", step.step}, {"kind", step.kind}}, step.*column.value);
    }
  }
  out.Begin("millrace_ledger_open_units", kGauge,
            "Units in open windows, or that wait for a side input, as committed.");
  for (const LedgerStep& step : total.steps) {
    out.Sample({{"step", step.step}, {"kind", step.kind}}, step.open_after);
  }
  // An epoch's may be made up for by another one's, so each that is kept counts.
  std::map<std::string, std::int64_t> imbalances;
  for (const LedgerStep& step : total.steps) imbalances[step.step] = 0;
  for (const LedgerProblem& problem : ProblemsOf(total)) ++imbalances[problem.step];
  for (const LedgerEpoch& epoch : ledger.epochs) {
    for (const LedgerProblem& problem : ProblemsOf(epoch)) ++imbalances[problem.step];
  }
  out.Begin("millrace_ledger_imbalances", kGauge,
            "Equations of a step that do not hold, in the sums and in the epochs that are kept.");
  for (const auto& [step, count] : imbalances) out.Sample({{"step", step}}, count);
}

void WriteProcess(MetricsWriter& out) {
  const ProcessFigures figures = FiguresOfThisProcess();
  out.Metric("process_cpu_seconds_total", kCounter, "Processor time of all threads.", figures.cpu_s);
  out.Metric("process_start_time_seconds", kGauge, "When the process began.", figures.started_unix_s);
  out.Metric("process_resident_memory_bytes", kGauge, "Memory in use.", figures.resident_bytes);
  out.Metric("process_virtual_memory_bytes", kGauge, "Memory reserved.", figures.virtual_bytes);
  out.Metric("process_threads", kGauge, "Threads.", figures.threads);
  out.Metric("process_open_fds", kGauge, "Open files.", figures.open_files);
  out.Metric("process_max_fds", kGauge, "The most files that may be open.", figures.open_files_max);
}

}  // namespace

std::string MetricsText(const ServerStatus& status, const Ledger* ledger) {
  MetricsWriter out;
  out.Begin("millrace_build_info", kGauge, "The program; always 1.");
  out.Sample({{"program", status.program}, {"version", status.version}}, true);
  if (status.run) {
    WriteRun(out, *status.run, status.now);
    WriteSources(out, *status.run);
    WriteSteps(out, *status.run);
    WriteUserMetrics(out, *status.run);
    WriteCheckpoint(out, status.run->checkpoint);
    WriteResults(out, *status.run);
  }
  if (ledger != nullptr) WriteLedger(out, *ledger);
  WriteProcess(out);
  return out.Finish();
}

}  // namespace millrace::server
