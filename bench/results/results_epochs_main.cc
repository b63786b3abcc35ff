// What the sinks of a run with checkpoints cost: a write per cell, a barrier (Snapshot), and applying an epoch to the
// stores. Writes and decoding in processor time of their thread, the rest by the clock. One epoch of distinct (page,
// count) cells, and one of cells of which each is written four times.
//   results_epochs [CELLS] [FOLDER]
#include <time.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/epoch_cells.h"
#include "cli/run_results.h"

namespace millrace::bench_results {
namespace {

using Clock = std::chrono::steady_clock;

// Of the calling thread: other processes do not disturb it.
double ProcessorTime_s() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double Seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

struct PageCount {
  std::int64_t count = 0;
  double mean = 0;
};

const ViewDescriptor& Pages() {
  static const ViewDescriptor view{.name = "pages", .key = &TypeOf<std::string>(), .value = &TypeOf<PageCount>()};
  return view;
}

// Writes `cells` cells in batches as an operator does, each of `keys` keys in turn.
Status WriteCells(ViewSink& sink, std::uint64_t cells, std::uint64_t keys) {
  constexpr std::uint64_t kBatch = 512;
  std::vector<std::string> pages(kBatch);
  std::vector<PageCount> counts(kBatch);
  std::vector<Cell> batch(kBatch);
  for (std::uint64_t first = 0; first < cells; first += kBatch) {
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      pages[i] = "/page/" + std::to_string((first + i) % keys * 7919);
      counts[i] = {static_cast<std::int64_t>(first + i), 0.5};
      batch[i] = {&pages[i], &counts[i], Timestamp(), Timestamp::FromSeconds(60), {0, 0, (first + i) / keys}};
    }
    if (Status status = sink.Write("pages", batch); !status.ok()) return status;
  }
  return OkStatus();
}

// Decodes the batch without any store.
double DecodeSeconds(const EpochBatch& batch) {
  const std::vector<std::shared_ptr<cli::CellBlockPool>> pools = {std::make_shared<cli::CellBlockPool>(Pages())};
  std::vector<cli::EpochBlock> blocks;
  for (std::size_t i = 1; i < batch.size(); ++i) {
    std::string_view in = *batch[i];
    blocks.push_back(*cli::TakeBlock(&in));
  }
  const double begun_s = ProcessorTime_s();
  const auto decoded = cli::DecodeEpoch(1, blocks, pools, {}, [](const auto&) { return OkStatus(); });
  return decoded.ok() ? ProcessorTime_s() - begun_s : -1;
}

Status Measure(const char* name, const std::string& folder, std::uint64_t cells, std::uint64_t keys) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  auto results = cli::RunResults::Create({.folder = folder, .is_streaming = true, .has_checkpoints = true});
  if (!results.ok()) return results.status();
  ViewSink& sink = *(*results)->views();
  if (Status status = sink.Declare(Pages()); !status.ok()) return status;
  if (Status status = sink.Restore(0, "", 1); !status.ok()) return status;
  const double write_began_s = ProcessorTime_s();
  if (Status status = WriteCells(sink, cells, keys); !status.ok()) return status;
  const double write_s = ProcessorTime_s() - write_began_s;
  auto begun = Clock::now();
  const StatusOr<EpochBatch> batch = sink.Snapshot(1);
  const double snapshot_s = Seconds(begun);
  if (!batch.ok()) return batch.status();
  std::size_t bytes = 0;
  for (const auto& piece : *batch) bytes += piece->size();
  begun = Clock::now();
  if (Status status = sink.CommitEpoch(1); !status.ok()) return status;
  // The next epoch's batch is empty once this one is applied.
  for (std::uint64_t epoch = 2; sink.Snapshot(epoch)->size() > 1; ++epoch) {
    if (Status status = sink.CommitEpoch(epoch); !status.ok()) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const double apply_s = Seconds(begun);
  const auto each_ns = [&](double seconds) { return seconds * 1e9 / static_cast<double>(cells); };
  std::printf(
      "%-9s %8llu cells  %5.1f B/cell  write %6.1f ns/cell  snapshot %8.1f us, %6.3f ns/cell  "
      "decode %6.1f ns/cell  apply %6.1f ns/cell, %.2f M cells/s  (warehouse %.2f s, look-up %.2f s)\n",
      name, static_cast<unsigned long long>(cells), static_cast<double>(bytes) / static_cast<double>(cells),
      each_ns(write_s), snapshot_s * 1e6, each_ns(snapshot_s), each_ns(DecodeSeconds(*batch)), each_ns(apply_s),
      static_cast<double>(cells) / apply_s / 1e6, (*results)->counts().warehouse_s, (*results)->counts().lookup_s);
  return OkStatus();
}

}  // namespace
}  // namespace millrace::bench_results

int main(int argc, char** argv) {
  const std::uint64_t cells = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'024'000;
  const std::string folder =
      argc > 2 ? argv[2] : (std::filesystem::temp_directory_path() / "millrace_results_epochs").string();
  for (const auto& [name, keys] : {std::pair{"distinct", cells}, std::pair{"4 panes", cells / 4}}) {
    const millrace::Status status = millrace::bench_results::Measure(name, folder, cells, keys);
    if (!status.ok()) std::cerr << status << "\n";
    if (!status.ok()) return 1;
  }
  std::filesystem::remove_all(folder);
  return 0;
}
