// log_bench: appends to the event log and reads it again, beside raw sequential file I/O on the same disk with the
// same sync policy, in one run. See bench/README.md.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "millrace/core/options.h"

namespace millrace::log {
namespace {

struct BenchOptions {
  std::string folder = ".";
  std::int64_t megabytes = 512;
  std::int64_t append_kilobytes = 1024;
  std::int32_t partitions = 1;
  std::int32_t rounds = 3;

  static constexpr OptionHelp kOptionHelp[] = {
      {"folder", "where the files are made; they are removed at the end"},
      {"megabytes", "of payload for each measurement; a quarter of it with sync policy always"},
      {"append_kilobytes", "of payload in one append, and in one write of the raw file"},
      {"partitions", "of the topic; the raw side has as many files"},
      {"rounds", "each measurement is made so often, the two sides in turn; the medians are printed"},
  };
};

/// What is measured: payloads of one size under one policy.
struct Case {
  std::size_t payload_bytes = 0;
  SyncPolicy policy = SyncPolicy::kOs;
};

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

[[noreturn]] void Fail(const Status& status) {
  std::fprintf(stderr, "log_bench: %s\n", status.ToString().c_str());
  std::exit(1);
}
void Check(const Status& status) {
  if (!status.ok()) Fail(status);
}
template <class T>
T Check(StatusOr<T> result) {
  if (!result.ok()) Fail(result.status());
  return *std::move(result);
}

/// Payload bytes per second of the four things that are measured, in MB.
struct Rates {
  double raw_append = 0;
  double log_append = 0;
  double raw_read = 0;
  double log_read = 0;
  double raw_read_cached = 0;
  double log_read_cached = 0;
};

class Bench {
 public:
  Bench(const BenchOptions& options, const Case& measured)
      : options_(options),
        case_(measured),
        folder_(options.folder + "/log_bench_" + std::to_string(::getpid())),
        append_bytes_(static_cast<std::size_t>(options.append_kilobytes) << 10),
        payload_(measured.payload_bytes, '\0') {
    for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<char>(i * 131 + i / 7);
    total_bytes_ = static_cast<std::size_t>(options.megabytes) << 20;
    if (measured.policy == SyncPolicy::kAlways) total_bytes_ /= 4;
    std::filesystem::create_directories(folder_);
  }
  ~Bench() { std::filesystem::remove_all(folder_); }

  Rates Measure() {
    Rates rates;
    rates.raw_append = RawAppend();
    rates.log_append = LogAppend();
    Flush();
    rates.raw_read = RawRead();
    rates.raw_read_cached = RawRead();
    Flush();
    rates.log_read = LogRead();
    rates.log_read_cached = LogRead();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    return rates;
  }

 private:
  std::string RawPath(std::int32_t file) const { return folder_ + "/raw" + std::to_string(file); }
  double Rate(double seconds) const { return static_cast<double>(total_bytes_) / 1e6 / seconds; }

  // Payloads are gathered in a buffer and written when it is full, as one would without a log.
  double RawAppend() {
    std::vector<std::unique_ptr<base::File>> files;
    for (std::int32_t i = 0; i < options_.partitions; ++i) {
      files.push_back(Check(base::PosixFileSystem().Open(RawPath(i), base::OpenMode::kCreate)));
    }
    const auto partitions = static_cast<std::size_t>(options_.partitions);
    std::vector<std::string> buffers(partitions);
    for (std::string& buffer : buffers) buffer.reserve(append_bytes_ + payload_.size());
    std::vector<std::uint64_t> written(partitions);
    const auto began = Clock::now();
    std::size_t next = 0;
    for (std::size_t done = 0; done < total_bytes_; done += append_bytes_) {
      for (std::size_t in = 0; in < append_bytes_; in += payload_.size()) buffers[next++ % partitions] += payload_;
      for (std::size_t i = 0; i < partitions; ++i) {
        Check(files[i]->WriteAt(written[i], std::as_bytes(std::span(buffers[i]))));
        if (case_.policy == SyncPolicy::kAlways) Check(files[i]->Sync());
        written[i] += buffers[i].size();
        buffers[i].clear();
      }
    }
    return Rate(Seconds(began));
  }

  double LogAppend() {
    WriterOptions options{.partitions = options_.partitions, .sync = case_.policy};
    const auto writer = Check(LogWriter::Open(base::PosixFileSystem(), folder_ + "/log", "bench", options));
    std::vector<AppendRecord> records;
    std::int64_t number = 0;
    const auto began = Clock::now();
    for (std::size_t done = 0; done < total_bytes_; done += append_bytes_) {
      records.clear();
      for (std::size_t in = 0; in < append_bytes_; in += payload_.size()) {
        records.push_back({.event_time = Timestamp::FromMicros(1'700'000'000'000'000 + number * 50),
                           .data = payload_,
                           .partition = static_cast<std::int32_t>(number % options_.partitions)});
        ++number;
      }
      Check(writer->Append(records).status());
    }
    const double rate = Rate(Seconds(began));
    Check(writer->Close());
    return rate;
  }

  // Everything to the device and out of the cache, so that reading is reading from the disk.
  void Flush() {
    ::sync();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file()) continue;
      const int file = ::open(entry.path().c_str(), O_RDONLY);
      ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
      ::close(file);
    }
  }

  double RawRead() {
    std::vector<std::byte> block(std::size_t{1} << 20);
    std::size_t bytes = 0;
    const auto began = Clock::now();
    for (std::int32_t i = 0; i < options_.partitions; ++i) {
      const auto file = Check(base::PosixFileSystem().Open(RawPath(i), base::OpenMode::kRead));
      for (std::uint64_t at = 0;;) {
        const std::size_t count = Check(file->ReadAt(at, block));
        at += count;
        bytes += count;
        if (count < block.size()) break;
      }
    }
    const double seconds = Seconds(began);
    if (bytes < total_bytes_) Fail(InternalError("the raw files are short"));
    return Rate(seconds);
  }

  double LogRead() {
    const auto reader = Check(LogReader::Open(base::PosixFileSystem(), folder_ + "/log", "bench"));
    std::size_t bytes = 0;
    const auto began = Clock::now();
    for (std::int32_t i = 0; i < options_.partitions; ++i) {
      const auto cursor = Check(reader->Read(i, 0));
      RecordView view;
      while (Check(cursor->Next(&view)) == Found::kRecord) bytes += view.data.size();
    }
    const double seconds = Seconds(began);
    if (bytes < total_bytes_) Fail(InternalError("the log is short"));
    return Rate(seconds);
  }

  const BenchOptions options_;
  const Case case_;
  const std::string folder_;
  const std::size_t append_bytes_;
  std::string payload_;
  std::size_t total_bytes_ = 0;
};

double Median(const std::vector<Rates>& all, double Rates::* which) {
  std::vector<double> values;
  for (const Rates& rates : all) values.push_back(rates.*which);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void PrintRow(const char* what, const std::vector<Rates>& all, double Rates::* raw, double Rates::* log,
              std::size_t payload_bytes) {
  const double raw_rate = Median(all, raw);
  const double log_rate = Median(all, log);
  std::printf("  %-22s raw %7.0f MB/s   log %7.0f MB/s   %5.1f %%   %9.0f records/s\n", what, raw_rate, log_rate,
              100 * log_rate / raw_rate, log_rate * 1e6 / static_cast<double>(payload_bytes));
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  BenchOptions options;
  OptionParser parser;
  parser.Add("Options", &options);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Check(parser.Parse(arguments).status());
  std::printf("%lld MB of payload (a quarter with always), %lld KB an append, %d partitions, medians of %d\n",
              static_cast<long long>(options.megabytes), static_cast<long long>(options.append_kilobytes),
              options.partitions, options.rounds);
  for (const SyncPolicy policy : {SyncPolicy::kAlways, SyncPolicy::kOs}) {
    for (const std::size_t payload_bytes : {100, 1'000, 10'000}) {
      std::printf("%s, payloads of %zu B\n", policy == SyncPolicy::kAlways ? "always" : "os", payload_bytes);
      Bench bench(options, {.payload_bytes = payload_bytes, .policy = policy});
      std::vector<Rates> all;
      for (int round = 0; round < options.rounds; ++round) all.push_back(bench.Measure());
      PrintRow("append", all, &Rates::raw_append, &Rates::log_append, payload_bytes);
      PrintRow("read from the disk", all, &Rates::raw_read, &Rates::log_read, payload_bytes);
      PrintRow("read from the cache", all, &Rates::raw_read_cached, &Rates::log_read_cached, payload_bytes);
    }
  }
  return 0;
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) { return millrace::log::Main(argc, argv); }
