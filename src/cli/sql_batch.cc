#include "cli/sql_batch.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <span>
#include <stop_token>
#include <thread>
#include <utility>

#include "archive/digest.h"
#include "archive/manifest.h"
#include "archive/parquet_record_file.h"
#include "base/build_id.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/cell_files.h"
#include "cli/batch_layer.h"
#include "cli/warehouse.h"
#include "columnar/database.h"
#include "columnar/view_columns.h"
#include "log/log_reader.h"
#include "millrace/io/archive.h"
#include "millrace/transforms/par_do.h"

namespace millrace::cli {

namespace {

constexpr std::uint64_t kSqlBytesMax = std::uint64_t{1} << 20;
constexpr auto kLookPause = std::chrono::milliseconds(20);

// Writes records to files of the archive's columns, one for each partition of the topic.
class TailFiles {
 public:
  explicit TailFiles(std::string folder) : folder_(std::move(folder)) {}

  Status Append(LogRecord record) {
    auto& writer = writers_[record.partition];
    if (writer == nullptr) {
      paths_.push_back(folder_ + "/tail-" + std::to_string(record.partition) + ".parquet");
      MILLRACE_ASSIGN_OR_RETURN(writer, archive::ParquetFiles().Create(paths_.back()));
    }
    return writer->Append(std::span(&record, 1));
  }
  StatusOr<std::vector<std::string>> Close() {
    for (const auto& [partition, writer] : writers_) MILLRACE_RETURN_IF_ERROR(writer->Close());
    return std::move(paths_);
  }

 private:
  const std::string folder_;
  std::vector<std::string> paths_;
  std::map<std::int32_t, std::unique_ptr<archive::RecordFileWriter>> writers_;
};

// Keeps the first error: an element function cannot end a run.
struct TakeRecord {
  TailFiles* files;
  Status* failed;
  void ProcessElement(const LogRecord& record) const {
    if (failed->ok()) *failed = files->Append(record);
  }
};

// The records of the portion behind the archive.
StatusOr<std::vector<std::string>> WriteTail(const Invocation& invocation, const archive::Manifest& manifest,
                                             const SqlPortion& portion,
                                             const std::shared_ptr<std::atomic<bool>>& cancel) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  MILLRACE_ASSIGN_OR_RETURN(
      const auto log, log::LogReader::Open(base::PosixFileSystem(), data_dir + "/log", invocation.pipeline.topic));
  log::Cut from;
  for (std::size_t p = 0; p < portion.cut.size(); ++p) {
    const auto partition = static_cast<std::int32_t>(p);
    MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, log->Range(partition));
    const auto bounds = manifest.BoundsOf(partition);
    from.push_back(std::min(bounds ? bounds->second : range.start, portion.cut[p]));
  }
  if (from == portion.cut) return std::vector<std::string>();
  TailFiles files(portion.staging);
  Status failed;
  Pipeline pipeline;
  pipeline |
      "Records" >> archive::Read({.folder = data_dir + "/archive",
                                  .log_folder = data_dir + "/log",
                                  .topic = invocation.pipeline.topic,
                                  .from = std::move(from),
                                  .to = portion.cut,
                                  .from_time = portion.event_times.from,
                                  .to_time = portion.event_times.to}) |
      "Write" >> ParDo(TakeRecord{&files, &failed});
  RunOptions options;
  options.threads = 1;
  options.cancel = cancel;
  const PipelineResult result = pipeline.Run(options);
  MILLRACE_RETURN_IF_ERROR(result.status);
  MILLRACE_RETURN_IF_ERROR(failed);
  if (result.state == PipelineResult::State::kCancelled) return CancelledError("the recompute was stopped");
  return files.Close();
}

// Files that may hold a record of the portion. What they hold else, the SQL leaves out.
std::vector<std::string> ArchivedFiles(const Invocation& invocation, const archive::Manifest& manifest,
                                       const SqlPortion& portion) {
  std::vector<std::string> files;
  for (const archive::ArchivedRange& range : manifest.ranges) {
    if (range.path.empty() || range.from >= portion.cut.at(static_cast<std::size_t>(range.partition))) continue;
    if (range.least_event_time && *range.least_event_time >= portion.event_times.to) continue;
    if (range.greatest_event_time && *range.greatest_event_time < portion.event_times.from) continue;
    files.push_back(invocation.pipeline.data_dir + "/archive/" + invocation.pipeline.topic + "/" + range.path);
  }
  return files;
}

std::vector<batch::SqlVariable> VariablesOf(const Invocation& invocation) {
  std::vector<batch::SqlVariable> variables;
  if (invocation.own_options.schema == nullptr) return variables;
  for (const Field& field : invocation.own_options.schema->fields()) {
    variables.push_back({.name = field.name, .type = field.type, .value = field.In(invocation.own_options.object)});
  }
  return variables;
}

// Ends what the engine does when the recompute is to stop.
std::jthread Watch(batch::SqlEngine& engine, const std::shared_ptr<std::atomic<bool>>& cancel) {
  return std::jthread([&engine, cancel](const std::stop_token& done) {
    while (!done.stop_requested()) {
      if (cancel != nullptr && cancel->load()) engine.Interrupt();
      std::this_thread::sleep_for(kLookPause);
    }
  });
}

}  // namespace

StatusOr<std::vector<batch::SqlView>> ReadSqlFiles(const Invocation& invocation,
                                                   const std::vector<ViewDescriptor>& views) {
  const auto& named = invocation.topology->sql;
  const std::filesystem::path folder =
      invocation.batch.sql_folder.empty() ? invocation.topology->sql_folder : invocation.batch.sql_folder;
  std::vector<batch::SqlView> files;
  std::string without;
  for (const ViewDescriptor& view : views) {
    const auto found = named.find(view.name);
    if (found == named.end()) {
      without += (without.empty() ? "" : ", ") + view.name;
      continue;
    }
    batch::SqlView& file = files.emplace_back();
    file.view = view;
    file.path = (folder / found->second).string();
    StatusOr<std::string> text = base::ReadFile(base::PosixFileSystem(), file.path, kSqlBytesMax);
    if (!text.ok()) {
      return text.status().WithContext("view " + view.name + ": SQL file " + file.path +
                                       " (say by --sql_folder where it is)");
    }
    file.text = *std::move(text);
  }
  if (without.empty()) return files;
  return FailedPreconditionError("--batch_engine=sql: no SQL file computes the view " + without +
                                 "; name one in topology::Lambda{.sql = {{\"VIEW\", \"FILE.sql\"}}}, or compute by "
                                 "--batch_engine=native");
}

std::string CodeVersionOf(const std::vector<batch::SqlView>& views) {
  archive::Digest digest;
  for (const batch::SqlView& view : views) digest.Add(view.view.name + "\n" + view.text + "\n");
  return base::BuildId() + "-sql-" + digest.Hex();
}

StatusOr<SqlComputed> ComputeBySql(const Invocation& invocation, const std::vector<batch::SqlView>& views,
                                   const SqlPortion& portion, const std::shared_ptr<std::atomic<bool>>& cancel) {
  MILLRACE_ASSIGN_OR_RETURN(const archive::Manifest manifest, ArchiveOfTopic(invocation));
  batch::SqlInput input{.files = ArchivedFiles(invocation, manifest, portion),
                        .cut = portion.cut,
                        .event_times = portion.event_times,
                        .range = portion.range,
                        .variables = VariablesOf(invocation)};
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> tail, WriteTail(invocation, manifest, portion, cancel));
  input.files.insert(input.files.end(), tail.begin(), tail.end());
  const int threads = WarehouseThreads(invocation);
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<batch::SqlEngine> engine,
                            batch::OpenDuckdbSql({.folder = portion.staging, .threads = threads}));
  const std::jthread watching = Watch(*engine, cancel);
  SqlComputed computed{.partitions = batch::PartitionsOf(portion.partitioning, portion.range)};
  MILLRACE_ASSIGN_OR_RETURN(computed.records, engine->Begin(input));
  MILLRACE_ASSIGN_OR_RETURN(
      const columnar::Database database,
      columnar::Database::Open({.threads = threads, .temp_directory = portion.staging + "/sort"}));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, database.Connect());
  for (const batch::SqlView& view : views) {
    const std::string path = portion.staging + "/" + view.view.name + ".parquet";
    MILLRACE_RETURN_IF_ERROR(engine->Compute(view, path));
    if (cancel != nullptr && cancel->load()) return CancelledError("the recompute was stopped");
    MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view.view));
    MILLRACE_RETURN_IF_ERROR(batch::WriteCellFiles(connection, portion.partitioning,
                                                   {.view = view.view.name,
                                                    .columns = &columns,
                                                    .relation = "read_parquet(" + columnar::QuoteLiteral(path) + ")",
                                                    .folder = portion.staging,
                                                    .version = portion.version},
                                                   &computed.partitions)
                                 .WithContext("view " + view.view.name));
  }
  return computed;
}

}  // namespace millrace::cli
