// The verb `ledger`: prints what was read and what became of it, by epoch and step, and fails where it does not add up.
// It takes no lock, so it also works beside a run.
#include "cli/ledger.h"

#include <iostream>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/data_directory.h"
#include "cli/row_writer.h"
#include "cli/verbs.h"
#include "millrace/core/json.h"
#include "storage/checkpoint_store.h"
#include "storage/ledger_section.h"

namespace millrace::cli {

namespace {

constexpr std::int32_t kLedgerFormat = 1;
constexpr std::uint64_t kLedgerBytesMax = std::uint64_t{1} << 28;
constexpr const char* kLedgerFileName = "/ledger.json";
// A run may remove an old checkpoint while it is read.
constexpr int kReadsMax = 5;
constexpr auto kReadAgainAfter = std::chrono::seconds(1);
constexpr std::size_t kRangesShown = 4;
constexpr std::size_t kProblemsShown = 10;

struct LedgerFile {
  std::int32_t format = 0;
  Ledger ledger = {};
};

// An epoch as `--format=json` prints it.
struct LedgerLine {
  bool is_total = false;
  bool balances = true;
  std::vector<LedgerProblem> problems = {};
  LedgerEpoch epoch = {};
};

RowColumn LedgerText(std::string name) { return {.name = std::move(name)}; }
RowColumn LedgerNumber(std::string name) {
  return {.name = std::move(name), .kind = CellKind::kLiteral, .is_number = true};
}

// "flights/0 [1000, 2400), flights/1 [980, 2300) and 2 more".
std::string RangesText(const LedgerEpoch& epoch) {
  std::string text;
  std::size_t count = 0;
  std::int64_t more = 0;
  for (const LedgerSource& source : epoch.sources) {
    more += source.ranges_left_out;
    for (const LedgerRange& range : source.ranges) {
      if (++count > kRangesShown) continue;
      text += (text.empty() ? "" : ", ") + range.partition + " [" + std::to_string(range.from) + ", " +
              std::to_string(range.to) + ")";
    }
  }
  if (count > kRangesShown) more += static_cast<std::int64_t>(count - kRangesShown);
  return more > 0 ? text + " and " + std::to_string(more) + " more" : text.empty() ? "nothing" : text;
}

std::int64_t ElementsOf(const LedgerEpoch& epoch) {
  std::int64_t sum = 0;
  for (const LedgerSource& source : epoch.sources) sum += source.elements;
  return sum;
}

std::string NameOf(const LedgerEpoch& epoch) {
  if (epoch.first_epoch == epoch.epoch) return "epoch " + std::to_string(epoch.epoch);
  return "epochs " + std::to_string(epoch.first_epoch) + " to " + std::to_string(epoch.epoch);
}

Status PrintEpochs(const Ledger& ledger, const std::string& format) {
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, MakeRowWriter(format,
                                                             {LedgerNumber("epoch"),
                                                              LedgerNumber("attempt"),
                                                              {.name = "written_at", .kind = CellKind::kTime},
                                                              LedgerNumber("elements"),
                                                              LedgerText("balance"),
                                                              LedgerText("read")},
                                                             std::cout));
  for (const LedgerEpoch& epoch : ledger.epochs) {
    const std::size_t problems = ProblemsOf(epoch).size();
    writer->Write({NumberCell(epoch.epoch), NumberCell(epoch.attempt), TimeCell(epoch.written_at),
                   NumberCell(ElementsOf(epoch)),
                   TextCell(problems == 0 ? "balances" : std::to_string(problems) + " differences"),
                   TextCell(RangesText(epoch))});
  }
  writer->Finish();
  return OkStatus();
}

Status PrintSteps(const LedgerEpoch& epoch, const std::string& format) {
  MILLRACE_ASSIGN_OR_RETURN(const auto writer,
                            MakeRowWriter(format,
                                          {LedgerText("step"), LedgerText("kind"), LedgerNumber("in"),
                                           LedgerNumber("units"), LedgerNumber("emitted"), LedgerNumber("filtered"),
                                           LedgerNumber("failed"), LedgerNumber("duplicates"), LedgerNumber("late"),
                                           LedgerNumber("closed"), LedgerNumber("taken"), LedgerNumber("open_before"),
                                           LedgerNumber("open_after"), LedgerNumber("out"), LedgerText("balance")},
                                          std::cout));
  const std::vector<LedgerProblem> problems = ProblemsOf(epoch);
  for (const LedgerStep& step : epoch.steps) {
    std::int64_t out = 0;
    for (const std::int64_t elements : step.out) out += elements;
    std::string balance;
    for (const LedgerProblem& problem : problems) {
      if (problem.step == step.step) balance += (balance.empty() ? "" : "; ") + problem.text;
    }
    writer->Write({TextCell(step.step), TextCell(step.kind), NumberCell(step.taken_in), NumberCell(step.units),
                   NumberCell(step.emitted), NumberCell(step.filtered), NumberCell(step.failed),
                   NumberCell(step.duplicates), NumberCell(step.late), NumberCell(step.closed), NumberCell(step.taken),
                   NumberCell(step.open_before), NumberCell(step.open_after), NumberCell(out),
                   TextCell(balance.empty() ? "balances" : balance)});
  }
  writer->Finish();
  return OkStatus();
}

void PrintLine(LedgerEpoch epoch, bool is_total) {
  LedgerLine line{.is_total = is_total, .balances = true, .problems = ProblemsOf(epoch), .epoch = {}};
  line.balances = line.problems.empty();
  line.epoch = std::move(epoch);
  std::cout << json::Write(line) << "\n";
}

Status Print(const Ledger& ledger, const LedgerEpoch* chosen, const std::string& format) {
  if (format == "json") {
    if (chosen != nullptr) {
      PrintLine(*chosen, false);
      return OkStatus();
    }
    for (const LedgerEpoch& epoch : ledger.epochs) PrintLine(epoch, false);
    PrintLine(ledger.total, true);
    return OkStatus();
  }
  if (chosen != nullptr) return PrintSteps(*chosen, format);
  if (format == "csv") return PrintSteps(ledger.total, format);
  MILLRACE_RETURN_IF_ERROR(PrintEpochs(ledger, format));
  std::cout << "\n" << NameOf(ledger.total) << " together\n";
  return PrintSteps(ledger.total, format);
}

// Each difference, with its epoch and what was read in it; those of the sums only where no epoch that is kept has them.
std::vector<std::string> Differences(const Ledger& ledger, const LedgerEpoch* chosen) {
  std::vector<std::string> texts;
  const auto add = [&texts](const LedgerEpoch& epoch) {
    for (const LedgerProblem& problem : ProblemsOf(epoch)) {
      texts.push_back(NameOf(epoch) + ", which read " + RangesText(epoch) + ": step " + problem.step + ": " +
                      problem.text);
    }
  };
  if (chosen != nullptr) {
    add(*chosen);
    return texts;
  }
  for (const LedgerEpoch& epoch : ledger.epochs) add(epoch);
  if (texts.empty()) add(ledger.total);
  return texts;
}

StatusOr<Ledger> ReadLedgerFile(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(base::PosixFileSystem(), path, kLedgerBytesMax));
  StatusOr<LedgerFile> file = json::Parse<LedgerFile>(text);
  if (!file.ok()) return DataLossError(path + " is damaged: " + file.status().message());
  if (file->format != kLedgerFormat) {
    return FailedPreconditionError(path + " has format " + std::to_string(file->format) + ", this program reads " +
                                   std::to_string(kLedgerFormat));
  }
  return std::move(file->ledger);
}

StatusOr<std::optional<Ledger>> ReadNewest(const std::string& checkpoints) {
  base::FileSystem& files = base::PosixFileSystem();
  for (int read = 1;; ++read) {
    MILLRACE_ASSIGN_OR_RETURN(const auto manifest, storage::LatestCheckpoint(files, checkpoints));
    if (!manifest) return std::optional<Ledger>();
    StatusOr<std::optional<Ledger>> ledger = storage::ReadLedger(files, checkpoints, *manifest);
    if (ledger.ok() || read >= kReadsMax) return ledger;
  }
}

}  // namespace

Status KeepLedger(const std::string& generation_folder, const PipelineResult& result) {
  if (result.ledger.epochs.empty()) return OkStatus();
  const LedgerFile file{.format = kLedgerFormat, .ledger = result.ledger};
  return base::ReplaceFile(base::PosixFileSystem(), generation_folder + kLedgerFileName, json::Write(file) + "\n");
}

StatusOr<Ledger> ReadLedgerOf(const std::string& data_dir, const std::optional<std::uint64_t>& generation) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string checkpoints, CheckpointFolderOf(data_dir, generation));
  MILLRACE_ASSIGN_OR_RETURN(std::optional<Ledger> newest, ReadNewest(checkpoints));
  if (newest) return *std::move(newest);
  const std::string path = checkpoints.substr(0, checkpoints.rfind('/')) + kLedgerFileName;
  StatusOr<Ledger> kept = ReadLedgerFile(path);
  if (kept.ok() || kept.status().code() != StatusCode::kNotFound) return kept;
  return NotFoundError("there is no ledger in " + data_dir +
                       " yet: a run writes it with each checkpoint, or, without " + "checkpoints, at its end");
}

std::shared_ptr<const Ledger> CommittedLedger::Get() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (read_at_ && now - *read_at_ < kReadAgainAfter) return ledger_;
  read_at_ = now;
  StatusOr<Ledger> ledger = ReadLedgerOf(data_dir_, generation_);
  ledger_ = ledger.ok() ? std::make_shared<const Ledger>(*std::move(ledger)) : nullptr;
  return ledger_;
}

StatusOr<int> LedgerVerb(const Invocation& invocation) {
  if (!invocation.arguments.empty()) return UsageError("ledger takes no arguments: " + invocation.arguments[0]);
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say where the ledger is: " + invocation.program + " ledger --data_dir=DIR");
  }
  MILLRACE_ASSIGN_OR_RETURN(const Ledger ledger,
                            ReadLedgerOf(invocation.pipeline.data_dir, invocation.output.generation));
  const LedgerEpoch* chosen = nullptr;
  if (invocation.ledger.epoch) {
    for (const LedgerEpoch& epoch : ledger.epochs) {
      if (epoch.epoch == *invocation.ledger.epoch) chosen = &epoch;
    }
    if (chosen == nullptr) {
      return NotFoundError("the ledger has no epoch " + std::to_string(*invocation.ledger.epoch) +
                           "; it has the last " + std::to_string(ledger.epochs.size()) + ", from " +
                           std::to_string(ledger.epochs.empty() ? 0 : ledger.epochs.front().epoch) + " to " +
                           std::to_string(ledger.total.epoch));
    }
  }
  MILLRACE_RETURN_IF_ERROR(Print(ledger, chosen, invocation.output.format));
  const std::vector<std::string> differences = Differences(ledger, chosen);
  if (differences.empty()) return 0;
  std::cout << std::flush;
  std::cerr << invocation.program << ": the ledger does not balance\n";
  for (std::size_t i = 0; i < differences.size() && i < kProblemsShown; ++i)
    std::cerr << "  " << differences[i] << "\n";
  if (differences.size() > kProblemsShown) {
    std::cerr << "  and " << differences.size() - kProblemsShown << " more differences\n";
  }
  return 1;
}

}  // namespace millrace::cli
