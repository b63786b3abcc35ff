// The verbs `archive run|list|verify|compact`. They need no data directory lock: whoever writes an archive takes it
// over by its manifest, and readers of it need nothing.
#include <chrono>
#include <iostream>
#include <optional>
#include <thread>
#include <utility>

#include "archive/archiver.h"
#include "archive/parquet_record_file.h"
#include "archive/session.h"
#include "archive/verify.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/row_writer.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "log/topic.h"

namespace millrace::cli {

namespace {

using archive::ArchivedRange;
using archive::Archiver;

// What each of the verbs does for one topic; its exit code.
using TopicVerb = StatusOr<int> (*)(const Invocation& invocation, const std::string& topic);

std::string LogFolder(const Invocation& invocation) { return invocation.pipeline.data_dir + "/log"; }

std::shared_ptr<ArchiveStore> StoreOf(const Invocation& invocation, const std::string& topic) {
  return archive::OpenFolderStore(invocation.pipeline.data_dir + "/archive/" + topic);
}

std::string CutText(const log::Cut& cut) {
  std::string text;
  for (const std::int64_t offset : cut) text += (text.empty() ? "" : " ") + std::to_string(offset);
  return text;
}

void PrintRound(const std::string& topic, const archive::ArchiveRound& round, const Archiver& archiver) {
  std::cout << topic << ": " << GroupedDigits(round.records) << " records, "
            << GroupedDigits(static_cast<std::int64_t>(round.bytes)) << " bytes in " << GroupedDigits(round.files)
            << " files; archived through " << CutText(archiver.manifest().Cut()) << std::endl;
}

StatusOr<int> RunOnce(const Invocation& invocation, const std::string& topic) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<Archiver> archiver,
                            Archiver::Open(ArchiverOptionsOf(invocation, topic)));
  MILLRACE_ASSIGN_OR_RETURN(const archive::ArchiveRound round, archiver->ArchiveClosed(invocation.archive.flush));
  MILLRACE_RETURN_IF_ERROR(archiver->Compact().status());
  MILLRACE_RETURN_IF_ERROR(archiver->RemoveSuperseded().status());
  PrintRound(topic, round, *archiver);
  return 0;
}

// Until Ctrl-C, one thread for each topic; with --flush once more at the end, then all there is.
StatusOr<int> RunContinuously(const Invocation& invocation, const std::vector<std::string>& topics) {
  const StopSignals signals;
  std::vector<std::unique_ptr<Archiver>> archivers;
  for (const std::string& topic : topics) {
    MILLRACE_ASSIGN_OR_RETURN(archivers.emplace_back(), Archiver::Open(ArchiverOptionsOf(invocation, topic)));
  }
  std::vector<Status> outcomes(topics.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    threads.emplace_back([&, i] {
      archive::RunArchiverOptions run{.interval = invocation.archive.archive_interval};
      run.on_round = [&](const archive::ArchiveRound& round) { PrintRound(topics[i], round, *archivers[i]); };
      run.on_retry = [&](const Status& status) {
        std::cerr << invocation.program << ": " << topics[i] << ": " << status.message() << "; it is tried again\n";
      };
      outcomes[i] = archive::RunArchiver(*archivers[i], *signals.stop(), run);
      if (outcomes[i].ok() && invocation.archive.flush) outcomes[i] = archivers[i]->ArchiveClosed(true).status();
      if (!outcomes[i].ok()) signals.stop()->store(true);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& outcome : outcomes) MILLRACE_RETURN_IF_ERROR(outcome);
  return 0;
}

StatusOr<int> CompactTopic(const Invocation& invocation, const std::string& topic) {
  archive::ArchiverOptions options = ArchiverOptionsOf(invocation, topic);
  options.compaction.files_min = 2;  // whoever asks for it wants all of it
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<Archiver> archiver, Archiver::Open(std::move(options)));
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t replaced, archiver->Compact());
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t removed, archiver->RemoveSuperseded());
  std::cout << topic << ": " << GroupedDigits(replaced) << " files were merged, " << GroupedDigits(removed)
            << " replaced files removed, "
            << GroupedDigits(static_cast<std::int64_t>(archiver->manifest().ranges.size())) << " ranges are left\n";
  return 0;
}

StatusOr<int> VerifyTopic(const Invocation& invocation, const std::string& topic) {
  MILLRACE_ASSIGN_OR_RETURN(const archive::ArchiveReport report,
                            archive::VerifyArchive(*StoreOf(invocation, topic), archive::ParquetFiles()));
  for (const archive::ArchiveProblem& problem : report.problems) {
    std::cout << topic << ": " << problem.path;
    if (problem.partition >= 0) std::cout << ", partition " << problem.partition << ", offset " << problem.offset;
    std::cout << ": " << problem.problem << "\n";
  }
  for (const std::string& path : report.unnamed) {
    std::cout << topic << ": " << path << ": not in the manifest; if it is left of a crash, the next `archive run` "
              << "removes it\n";
  }
  std::cout << topic << ": " << GroupedDigits(report.files) << " files, " << GroupedDigits(report.records)
            << " records, " << GroupedDigits(static_cast<std::int64_t>(report.bytes)) << " bytes, "
            << GroupedDigits(static_cast<std::int64_t>(report.problems.size())) << " problems\n";
  return report.problems.empty() ? 0 : 1;
}

StatusOr<int> ListTopics(const Invocation& invocation, const std::vector<std::string>& topics) {
  const RowColumn number{.name = "", .kind = CellKind::kLiteral, .is_number = true};
  std::vector<RowColumn> columns = {{.name = "topic"}};
  for (const char* name : {"partition", "from", "to", "count", "controls", "bytes"}) {
    columns.push_back(number);
    columns.back().name = name;
  }
  for (const char* name : {"least_event_time", "greatest_event_time", "least_publish_time", "greatest_publish_time"}) {
    columns.push_back({.name = name, .kind = CellKind::kTime});
  }
  columns.push_back({.name = "digest"});
  columns.push_back({.name = "path"});
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, MakeRowWriter(invocation.output.format, columns, std::cout));
  for (const std::string& topic : topics) {
    const std::shared_ptr<ArchiveStore> store = StoreOf(invocation, topic);
    MILLRACE_ASSIGN_OR_RETURN(const archive::LoadedManifest loaded, archive::LoadManifest(*store));
    for (const ArchivedRange& range : loaded.manifest.ranges) {
      std::optional<std::string> path;
      if (!range.path.empty()) path = store->name() + "/" + range.path;
      writer->Write({TextCell(topic), NumberCell(range.partition), NumberCell(range.from), NumberCell(range.to),
                     NumberCell(range.count), NumberCell(range.controls.size()), NumberCell(range.bytes),
                     TimeCell(range.least_event_time), TimeCell(range.greatest_event_time),
                     TimeCell(range.least_publish_time), TimeCell(range.greatest_publish_time),
                     path ? TextCell(range.digest) : RowCell{}, path ? TextCell(*path) : RowCell{}});
    }
  }
  writer->Finish();
  return 0;
}

// The topics that are named, or all that have a log or, for those verbs that read the archive only, an archive.
StatusOr<std::vector<std::string>> TopicsOf(const Invocation& invocation) {
  std::vector<std::string> topics(invocation.arguments.begin() + 1, invocation.arguments.end());
  for (const std::string& topic : topics) {
    if (const Status valid = log::CheckTopicName(topic); !valid.ok()) return UsageError(valid.message());
  }
  if (!topics.empty()) return topics;
  base::FileSystem& files = base::PosixFileSystem();
  const bool needs_log = invocation.arguments[0] == "run" || invocation.arguments[0] == "compact";
  if (needs_log) {
    MILLRACE_ASSIGN_OR_RETURN(topics, log::ListTopics(files, LogFolder(invocation)));
    if (topics.empty()) return NotFoundError("there is no topic in " + LogFolder(invocation) + "; publish something");
    return topics;
  }
  StatusOr<std::vector<std::string>> found = files.List(invocation.pipeline.data_dir + "/archive");
  if (found.ok() && !found->empty()) return found;
  return NotFoundError("there is no archive in " + invocation.pipeline.data_dir + "; make one: " + invocation.program +
                       " archive run --data_dir=" + invocation.pipeline.data_dir);
}

StatusOr<int> ForEachTopic(const Invocation& invocation, const std::vector<std::string>& topics, TopicVerb verb) {
  int worst = 0;
  for (const std::string& topic : topics) {
    MILLRACE_ASSIGN_OR_RETURN(const int code, verb(invocation, topic));
    worst = std::max(worst, code);
  }
  return worst;
}

}  // namespace

archive::ArchiverOptions ArchiverOptionsOf(const Invocation& invocation, const std::string& topic) {
  archive::ArchiverOptions options{.log_folder = LogFolder(invocation), .topic = topic};
  options.store = StoreOf(invocation, topic);
  options.archive_after = invocation.archive.archive_after;
  options.grace = invocation.archive.archive_grace;
  options.written_by = ThisProcess(invocation).ToString();
  return options;
}

StatusOr<int> ArchiveVerb(const Invocation& invocation) {
  const std::string verb = invocation.arguments.empty() ? "" : invocation.arguments[0];
  if (verb != "run" && verb != "list" && verb != "verify" && verb != "compact") {
    return UsageError("archive " + verb + ": say run, list, verify or compact");
  }
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say where: " + invocation.program + " archive " + verb + " --data_dir=DIR");
  }
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  if (invocation.archive.archive_interval <= Duration(0)) return UsageError("--archive_interval must be positive");
  if (invocation.archive.archive_grace < Duration(0)) return UsageError("--archive_grace must not be negative");
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> topics, TopicsOf(invocation));
  if (verb == "list") return ListTopics(invocation, topics);
  if (verb == "verify") return ForEachTopic(invocation, topics, VerifyTopic);
  if (verb == "compact") return ForEachTopic(invocation, topics, CompactTopic);
  if (invocation.archive.continuous) return RunContinuously(invocation, topics);
  return ForEachTopic(invocation, topics, RunOnce);
}

}  // namespace millrace::cli
