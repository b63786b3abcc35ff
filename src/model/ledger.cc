#include "millrace/runner/ledger.h"

#include <algorithm>
#include <map>
#include <utility>

namespace millrace {

namespace {

std::string Counted(std::int64_t count, const char* what) { return std::to_string(count) + " " + what; }

// "3 elements are missing", "1 unit too many".
std::string Difference(std::int64_t missing, const char* one) {
  const std::int64_t count = missing < 0 ? -missing : missing;
  std::string text = Counted(count, one) + (count == 1 ? "" : "s");
  if (missing < 0) return text + " too many";
  return text + (count == 1 ? " is missing" : " are missing");
}

std::string Decided(const LedgerStep& step) {
  std::string text;
  const auto add = [&text](std::int64_t count, const char* what) {
    if (count != 0) text += (text.empty() ? "" : ", ") + Counted(count, what);
  };
  add(step.emitted, "emitted");
  add(step.filtered, "filtered");
  add(step.failed, "failed");
  add(step.duplicates, "dropped as duplicates");
  add(step.late, "dropped as too late");
  add(step.closed, "in closed windows");
  add(step.taken, "taken");
  if (step.open_before != 0 || step.open_after != 0) {
    text += (text.empty() ? "" : ", ") + ("open before " + std::to_string(step.open_before)) + " and after " +
            std::to_string(step.open_after);
  }
  return text.empty() ? "nothing became of them" : text;
}

void CheckEdge(const LedgerStep& step, std::vector<LedgerProblem>* problems) {
  const std::int64_t missing = step.put_out - step.taken_in;
  if (step.is_source || missing == 0) return;
  std::string from;
  for (const std::string& input : step.inputs) from += (from.empty() ? "" : ", ") + input;
  problems->push_back({step.step, Difference(missing, "element") + " on the way from " + from + ": " +
                                      Counted(step.put_out, "put out, ") + Counted(step.taken_in, "taken in")});
}

void CheckUnits(const LedgerStep& step, std::vector<LedgerProblem>* problems) {
  if (step.one_each && step.units != step.taken_in) {
    problems->push_back({step.step, Difference(step.taken_in - step.units, "element") + " at its beginning: " +
                                        Counted(step.taken_in, "taken in, ") + Counted(step.units, "seen")});
  }
  const std::int64_t decided = step.emitted + step.filtered + step.failed + step.duplicates + step.late + step.closed +
                               step.taken + step.open_after - step.open_before;
  if (step.units == decided) return;
  problems->push_back(
      {step.step, Difference(step.units - decided, "unit") + ": " + Counted(step.units, "came, ") + Decided(step)});
}

void CheckOutputs(const LedgerStep& step, std::vector<LedgerProblem>* problems) {
  if (step.is_source) return;
  std::int64_t out = 0;
  for (const std::int64_t elements : step.out) out += elements;
  const std::int64_t least = step.emitted + step.failed;
  if (step.out.empty() || (step.one_each ? out == least : out >= least)) return;
  problems->push_back({step.step, Difference(least - out, "element") + " behind it: " +
                                      Counted(least, "units emitted, ") + Counted(out, "elements put out")});
}

void CheckState(const LedgerStep& step, bool is_end, std::vector<LedgerProblem>* problems) {
  if (step.shipped != step.received) {
    problems->push_back({step.step, Difference(step.shipped - step.received, "row") + " between the workers: " +
                                        Counted(step.shipped, "sent, ") + Counted(step.received, "received")});
  }
  if (step.keys_lost != 0) {
    problems->push_back({step.step, Difference(step.keys_lost, "key") + " in the state of its windows"});
  }
  if (is_end && step.open_after != 0) {
    problems->push_back({step.step, Counted(step.open_after, "units are still open though the input has ended")});
  }
}

void AddStep(const LedgerStep& step, LedgerStep* to) {
  to->put_out += step.put_out;
  to->taken_in += step.taken_in;
  to->units += step.units;
  to->emitted += step.emitted;
  to->filtered += step.filtered;
  to->failed += step.failed;
  to->duplicates += step.duplicates;
  to->late += step.late;
  to->closed += step.closed;
  to->taken += step.taken;
  to->open_after = step.open_after;
  to->shipped += step.shipped;
  to->received += step.received;
  to->keys_lost += step.keys_lost;
  to->out.resize(std::max(to->out.size(), step.out.size()));
  for (std::size_t i = 0; i < step.out.size(); ++i) to->out[i] += step.out[i];
}

void AddSource(const LedgerSource& source, LedgerSource* to) {
  to->elements += source.elements;
  to->ranges_left_out += source.ranges_left_out;
  for (const LedgerRange& range : source.ranges) {
    const auto meets = std::find_if(to->ranges.begin(), to->ranges.end(), [&range](const LedgerRange& known) {
      return known.partition == range.partition && known.to == range.from;
    });
    if (meets != to->ranges.end()) {
      meets->to = range.to;
    } else if (to->ranges.size() < Ledger::kRangesMax) {
      to->ranges.push_back(range);
    } else {
      ++to->ranges_left_out;
    }
  }
}

template <class Part>
Part* Find(const std::string& step, std::vector<Part>* parts) {
  const auto found = std::find_if(parts->begin(), parts->end(), [&](const Part& part) { return part.step == step; });
  return found == parts->end() ? nullptr : &*found;
}

}  // namespace

std::vector<LedgerProblem> ProblemsOf(const LedgerEpoch& epoch) {
  std::vector<LedgerProblem> problems;
  for (const LedgerStep& step : epoch.steps) {
    CheckEdge(step, &problems);
    CheckUnits(step, &problems);
    CheckOutputs(step, &problems);
    CheckState(step, epoch.is_end, &problems);
  }
  return problems;
}

void AddEpoch(LedgerEpoch epoch, Ledger* ledger) {
  LedgerEpoch& total = ledger->total;
  if (total.epoch == 0) total.first_epoch = epoch.first_epoch;
  total.epoch = epoch.epoch;
  total.attempt = epoch.attempt;
  total.written_at = epoch.written_at;
  total.is_end = epoch.is_end;
  for (const LedgerStep& step : epoch.steps) {
    LedgerStep* sum = Find(step.step, &total.steps);
    sum == nullptr ? total.steps.push_back(step) : AddStep(step, sum);
  }
  for (const LedgerSource& source : epoch.sources) {
    LedgerSource* sum = Find(source.step, &total.sources);
    sum == nullptr ? total.sources.push_back(source) : AddSource(source, sum);
  }
  ledger->epochs.push_back(std::move(epoch));
  if (ledger->epochs.size() > Ledger::kEpochsMax) {
    ledger->epochs.erase(ledger->epochs.begin(),
                         ledger->epochs.end() - static_cast<std::ptrdiff_t>(Ledger::kEpochsMax));
  }
}

}  // namespace millrace
