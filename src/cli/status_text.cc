#include "cli/status_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "cli/row_writer.h"

namespace millrace::cli {

namespace {

constexpr std::size_t kDirtyShown = 10;
constexpr std::size_t kPartitionsShown = 20;
constexpr std::size_t kGap = 2;

// Columns that are as wide as their widest cell.
class TextTable {
 public:
  /// `is_number`: by column; the others are set to the left.
  TextTable(std::vector<std::string> titles, std::vector<bool> is_number)
      : is_number_(std::move(is_number)), rows_{std::move(titles)} {}

  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string Text() const {
    if (rows_.size() == 1) return "";
    std::vector<std::size_t> widths(is_number_.size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
    }
    std::string text = "\n";
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string blanks(widths[i] - DisplayWidth(row[i]), ' ');
        line += is_number_[i] ? blanks + row[i] : row[i] + blanks;
        line += std::string(kGap, ' ');
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

 private:
  std::vector<bool> is_number_;
  std::vector<std::vector<std::string>> rows_;
};

std::string Count(std::int64_t count) { return GroupedDigits(count); }
std::string Rate(double per_s) { return GroupedDigits(std::llround(per_s)) + "/s"; }

template <class T>
std::string Optional(const std::optional<T>& value) {
  return value ? Count(*value) : "-";
}

std::string Bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

// Whole seconds, or milliseconds below one.
std::string Span(Duration span) {
  const std::int64_t unit = std::abs(span.count()) < 1'000'000 ? 1'000 : 1'000'000;
  return DurationToString(Duration(span.count() / unit * unit));
}

std::string WatermarkText(Timestamp watermark) {
  if (watermark == Timestamp::Min()) return "none yet";
  return watermark == Timestamp::Max() ? "end of time" : watermark.ToString();
}

std::string Line(const char* name, const std::string& value) {
  std::string text = name;
  text.resize(12, ' ');
  return text + value + "\n";
}

// "reading, 45 % of 3,033,007 records, 12s left; promoted when_equal".
std::string ReplayText(const ReplayStatus& replay) {
  std::string text = replay.state + ", " + std::to_string(static_cast<int>(replay.fraction * 100)) + " % of " +
                     Count(replay.positions) + " records";
  if (replay.left && replay.fraction < 1) text += ", " + Span(*replay.left) + " left";
  text += "; promote " + replay.promote;
  return replay.refusal.empty() ? text : text + ": " + replay.refusal;
}

std::string HeadText(const server::ServerStatus& status, const RunStatus& run) {
  std::string text = Line(
      "job", run.job + ", " + run.mode + ", " + run.state + (run.failure.empty() ? std::string() : ": " + run.failure));
  const std::string verb = run.replay ? " replay" : " run";
  text += Line("process", "`" + status.program + verb + "` (pid " + std::to_string(status.pid) + "), for " +
                              Span(status.now - run.started_at) +
                              (status.url.empty() ? std::string() : ", at " + status.url));
  if (run.generation > 0) {
    text += Line("generation", std::to_string(run.generation) +
                                   (run.attempt > 0 ? ", attempt " + std::to_string(run.attempt) : std::string()));
  }
  text += Line("read", Count(run.elements_read) + " elements, " + Rate(run.rate.over_10s) + " over 10 s, " +
                           Rate(run.rate.over_60s) + " over 60 s");
  text += Line("watermark", WatermarkText(run.watermark));
  if (!run.holds.empty() && run.watermark < Timestamp::Max()) text += Line("held back", "by " + HoldsText(run.holds));
  if (run.replay) text += Line("replay", ReplayText(*run.replay));
  if (run.state_bytes > 0) text += Line("state", Bytes(run.state_bytes));
  if (run.age > std::chrono::seconds(5)) text += Line("note", "these figures are " + Span(run.age) + " old");
  return text;
}

std::string CheckpointText(const CheckpointStatus& checkpoint) {
  if (!checkpoint.last_epoch && checkpoint.interval.count() == 0 && checkpoint.failed == 0) return "";
  std::string text = "none yet";
  if (checkpoint.last_epoch) {
    text = "epoch " + std::to_string(*checkpoint.last_epoch);
    if (checkpoint.age) text += ", " + Span(*checkpoint.age) + " ago";
    text += ", took " + Span(checkpoint.duration) + ", wrote " + Bytes(checkpoint.bytes) + " of " +
            Bytes(checkpoint.state_bytes);
  }
  if (checkpoint.failed > 0) {
    text += "; " + Count(checkpoint.failed) + " failed, the last one: " + checkpoint.last_failure;
  }
  return Line("checkpoint", text);
}

std::string SourcesText(const RunStatus& run) {
  TextTable table({"source", "partition", "position", "end", "lag", "archived", "watermark", "last event", ""},
                  {false, false, true, true, true, true, false, false, false});
  std::size_t shown = 0;
  std::size_t left_out = 0;
  for (const SourceStatus& source : run.sources) {
    for (const PartitionStatus& partition : source.partitions) {
      if (++shown > kPartitionsShown) {
        ++left_out;
        continue;
      }
      table.Add({source.label, partition.partition, Count(partition.position), Optional(partition.end),
                 Optional(partition.lag), Optional(partition.archived_through), WatermarkText(partition.watermark),
                 partition.last_event_time ? partition.last_event_time->ToString() : "-",
                 partition.done   ? "done"
                 : partition.idle ? "idle"
                                  : ""});
    }
  }
  std::string text = table.Text();
  if (left_out > 0) text += "and " + std::to_string(left_out) + " more; --format=json gives all\n";
  return text;
}

std::string StepsText(const RunStatus& run) {
  TextTable table({"step", "kind", "in", "out", "late", "state", "open", "watermark", "held by"},
                  {false, false, true, true, true, true, true, false, false});
  for (const StepStatus& step : run.steps) {
    std::string open = step.open_windows == 0 ? "-" : Count(step.open_windows);
    if (step.oldest_open_window) open += " from " + step.oldest_open_window->start.ToString();
    table.Add({step.label, step.kind, Count(step.elements_in), Count(step.elements_out), Count(step.late_dropped),
               step.state_bytes == 0 ? "-" : Bytes(step.state_bytes), open, WatermarkText(step.output_watermark),
               step.held_by});
  }
  return table.Text();
}

std::string ResultsText(const RunStatus& run) {
  TextTable views({"view", "cells", "complete through", "committed epoch"}, {false, true, false, true});
  for (const ViewStatus& view : run.views) {
    views.Add({view.name, Count(view.cells_written), WatermarkText(view.complete_through),
               view.committed_epoch ? std::to_string(*view.committed_epoch) : "-"});
  }
  TextTable letters({"dead letters", "step", "count"}, {false, false, true});
  for (const DeadLetterStatus& letter : run.dead_letters) letters.Add({letter.name, letter.step, Count(letter.count)});
  return views.Text() + letters.Text();
}

// Nothing for a directory that has one generation, of which all else is said.
std::string GenerationsText(const std::vector<server::GenerationStatus>& generations) {
  if (generations.size() < 2) return "";
  TextTable table({"generation", "", "epoch", "watermark", "process", "caught up"},
                  {true, false, true, false, false, false});
  for (const server::GenerationStatus& generation : generations) {
    std::string purpose = generation.purpose;
    if (!generation.part.empty()) purpose += " of " + generation.part;
    if (generation.is_done) purpose += ", done";
    table.Add({std::to_string(generation.generation), purpose,
               generation.epoch ? std::to_string(*generation.epoch) : "-",
               generation.watermark ? WatermarkText(*generation.watermark) : "-",
               generation.process.empty() ? "none" : generation.process,
               generation.caught_up ? (*generation.caught_up ? "yes" : "no") : "-"});
  }
  return table.Text();
}

// "days through 2001-02-03T00:00:00Z, version 3; 2 dirty: 2001-01-05 2001-01-06".
std::string BatchText(const std::optional<server::BatchStatus>& batch) {
  if (!batch) return "";
  std::string text = "nothing is computed yet";
  if (batch->from && batch->through) {
    text = Count(batch->partitions) + " partitions of a " + batch->every + ", " + batch->from->ToString() +
           " through " + batch->through->ToString() + ", version " + std::to_string(batch->version);
  }
  if (batch->behind_a_hole > 0) text += "; " + Count(batch->behind_a_hole) + " more behind a hole";
  std::string lines = Line("batch layer", text);
  if (!batch->dirty.empty()) {
    std::string names;
    for (std::size_t i = 0; i < std::min(batch->dirty.size(), kDirtyShown); ++i) names += " " + batch->dirty[i];
    if (batch->dirty.size() > kDirtyShown) names += " ...";
    lines += Line("dirty", Count(static_cast<std::int64_t>(batch->dirty.size())) + " to be computed again:" + names);
  }
  if (batch->unchecked > 0) lines += Line("", Count(batch->unchecked) + " records have landed since it was looked");
  if (batch->complete_at) {
    lines += Line("", "all that has landed is in it when event time is " + batch->complete_at->ToString() +
                          (batch->left ? ", in " + Span(*batch->left) : std::string()));
  }
  return lines;
}

}  // namespace

std::string StatusText(const server::ServerStatus& status) {
  if (!status.run) {
    return Line("process", "`" + status.program + " run` (pid " + std::to_string(status.pid) + ") is starting");
  }
  const RunStatus& run = *status.run;
  return HeadText(status, run) + CheckpointText(run.checkpoint) + BatchText(status.batch) +
         GenerationsText(status.generations) + SourcesText(run) + StepsText(run) + ResultsText(run);
}

std::string StatusText(const DirectoryStatus& status) {
  std::string text = Line("job", status.job + ", nothing runs");
  if (status.resumable) {
    text += Line("resumable", "generation " + std::to_string(status.resumable->generation) + ", last attempt " +
                                  std::to_string(status.resumable->attempt));
  }
  if (status.checkpoint) {
    const StoredCheckpoint& checkpoint = *status.checkpoint;
    text += Line("checkpoint", "epoch " + std::to_string(checkpoint.epoch) + " of attempt " +
                                   std::to_string(checkpoint.attempt) + ", " + checkpoint.at.ToString() + ", took " +
                                   Span(checkpoint.duration) + ", " + Bytes(checkpoint.bytes));
    if (checkpoint.watermark) text += Line("watermark", WatermarkText(*checkpoint.watermark));
  }
  const std::string generations = BatchText(status.batch) + GenerationsText(status.generations);
  if (status.generation == 0) return text + Line("results", "none: no run has come to its end yet") + generations;
  text += Line("results", "generation " + std::to_string(status.generation) + " of a " + status.mode + " run" +
                              (status.written_at ? ", " + status.written_at->ToString() : std::string()));
  return text + generations;
}

}  // namespace millrace::cli
