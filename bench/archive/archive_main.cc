// Measures the archive: records of a log into Parquet files, checking these, and reading them by a pipeline. One thread
// each. See bench/README.md.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "archive/archiver.h"
#include "archive/parquet_record_file.h"
#include "archive/verify.h"
#include "base/random.h"
#include "log/log_writer.h"
#include "millrace/core/options.h"
#include "millrace/io/archive.h"
#include "millrace/millrace.h"

namespace {

using namespace millrace;

struct ArchiveBenchOptions {
  std::string folder = "archive-bench";
  std::int64_t records = 2'000'000;
  std::int64_t bytes = 100;
  std::int32_t partitions = 4;
  bool attributes = false;

  static constexpr OptionHelp kOptionHelp[] = {
      {"folder", "is made, and removed at the end"},
      {"records", "so many records"},
      {"bytes", "bytes of data of each: words, so that they can be compressed as text can"},
      {"partitions", "of the topic"},
      {"attributes", "with two attributes each"},
  };
};

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

std::string Words(base::Random& random, std::int64_t bytes) {
  std::string text;
  while (static_cast<std::int64_t>(text.size()) < bytes) text += "word" + std::to_string(random.Below(5000)) + " ";
  text.resize(static_cast<std::size_t>(bytes));
  return text;
}

Status Fill(const ArchiveBenchOptions& options) {
  auto writer = log::LogWriter::Open(base::PosixFileSystem(), options.folder + "/log", "bench",
                                     {.partitions = options.partitions, .sync = log::SyncPolicy::kOs});
  if (!writer.ok()) return writer.status();
  base::Random random(42);
  constexpr std::int64_t kAtOnce = 1000;
  std::vector<std::string> keys(kAtOnce);
  std::vector<std::string> data(kAtOnce);
  std::vector<std::map<std::string, std::string>> attributes(kAtOnce);
  for (std::int64_t done = 0; done < options.records; done += kAtOnce) {
    std::vector<log::AppendRecord> records;
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      keys[i] = "key-" + std::to_string(random.Below(100'000));
      data[i] = Words(random, options.bytes);
      if (options.attributes) attributes[i] = {{"id", std::to_string(done) + keys[i]}, {"source", "bench"}};
      const Timestamp time = Timestamp::FromMillis(1'700'000'000'000 + done + static_cast<std::int64_t>(i));
      records.push_back({.event_time = time, .key = keys[i], .data = data[i], .attributes = &attributes[i]});
    }
    if (const auto appended = (*writer)->Append(records); !appended.ok()) return appended.status();
  }
  return (*writer)->Close();
}

void Print(const char* what, const ArchiveBenchOptions& options, double seconds, double bytes) {
  std::printf(
      "{\"what\": \"%s\", \"records\": %lld, \"bytes_each\": %lld, \"seconds\": %.3f, \"records_per_s\": %.0f, "
      "\"file_mb\": %.1f}\n",
      what, static_cast<long long>(options.records), static_cast<long long>(options.bytes), seconds,
      static_cast<double>(options.records) / seconds, bytes / 1e6);
}

Status Measure(const ArchiveBenchOptions& options) {
  const auto store = archive::OpenFolderStore(options.folder + "/archive/bench");
  auto archiver = archive::Archiver::Open({.log_folder = options.folder + "/log", .topic = "bench", .store = store});
  if (!archiver.ok()) return archiver.status();
  auto started = std::chrono::steady_clock::now();
  const auto round = (*archiver)->ArchiveClosed(true);
  if (!round.ok()) return round.status();
  Print("archive", options, Seconds(started), static_cast<double>(round->bytes));

  started = std::chrono::steady_clock::now();
  const auto report = archive::VerifyArchive(*store, archive::ParquetFiles());
  if (!report.ok()) return report.status();
  if (!report->problems.empty()) return DataLossError(report->problems[0].problem);
  Print("verify", options, Seconds(started), static_cast<double>(report->bytes));

  Pipeline pipeline;
  pipeline | "Read" >> archive::Read({.folder = options.folder + "/archive", .topic = "bench"}) |
      "Size" >> Map([](const LogRecord& record) { return record.data.size(); });
  started = std::chrono::steady_clock::now();
  const PipelineResult result = pipeline.Run({.threads = 1});
  if (!result.status.ok()) return result.status;
  Print("read", options, Seconds(started), static_cast<double>(report->bytes));
  return OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  ArchiveBenchOptions options;
  OptionParser parser;
  parser.Add("Options", &options);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto parsed = parser.Parse(arguments);
  if (!parsed.ok() || !parsed->empty()) {
    std::cerr << parsed.status() << "\n" << parser.Help();
    return 2;
  }
  std::filesystem::remove_all(options.folder);
  Status status = Fill(options);
  if (status.ok()) status = Measure(options);
  std::filesystem::remove_all(options.folder);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
