#include "cli/run_results.h"

#include <time.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/cell_portion.h"
#include "io/duckdb/duckdb_view_store.h"
#include "io/rocksdb/rocksdb_view_store.h"

namespace millrace::cli {

namespace {

using Clock = std::chrono::steady_clock;

// Portions that may wait for a store besides the one that it writes.
constexpr std::size_t kPortionsWaitingMax = 1;

// Of this thread so far.
double ProcessorTime_s() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The warehouse's table of dead letters. One thread.
class DeadLetterTable {
 public:
  static StatusOr<std::unique_ptr<DeadLetterTable>> Create(const columnar::Database& database) {
    MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, database.Connect());
    MILLRACE_RETURN_IF_ERROR(connection.Execute(
        std::string("CREATE TABLE ") + kDeadLettersTable +
        " (name VARCHAR, step VARCHAR, element VARCHAR, event_time TIMESTAMP, written_at TIMESTAMP)"));
    const std::vector<columnar::ColumnSpec> columns = columnar::ColumnsOf(SchemaOf<DeadLetterRow>());
    MILLRACE_ASSIGN_OR_RETURN(columnar::Appender appender, connection.Append("", kDeadLettersTable, columns));
    return std::unique_ptr<DeadLetterTable>(new DeadLetterTable(std::move(connection), std::move(appender)));
  }

  Status Write(const std::vector<DeadLetterRow>& letters) {
    if (letters.empty()) return OkStatus();
    std::vector<columnar::ColumnSource> sources;
    for (const Field& field : SchemaOf<DeadLetterRow>().fields()) {
      sources.push_back({.base = letters.data(), .stride = sizeof(DeadLetterRow), .offset = field.offset});
    }
    MILLRACE_RETURN_IF_ERROR(appender_.Append(sources, letters.size()).WithContext("dead letters"));
    return appender_.Flush().WithContext("dead letters");
  }

 private:
  DeadLetterTable(columnar::Connection connection, columnar::Appender appender)
      : connection_(std::move(connection)), appender_(std::move(appender)) {}

  columnar::Connection connection_;
  columnar::Appender appender_;
};

// One store with what waits for it.
struct StoreQueue {
  ViewStore* store = nullptr;
  DeadLetterTable* letters = nullptr;  // of the warehouse only
  std::deque<std::shared_ptr<const CellPortion>> waiting;
  bool busy = false;
  double used_s = 0;  // processor time

  Status Write(const CellPortion& portion) const {
    if (letters != nullptr) MILLRACE_RETURN_IF_ERROR(letters->Write(portion.letters()));
    for (const auto& [view, cells] : portion.CellsByView()) {
      MILLRACE_RETURN_IF_ERROR(store->Append(view, portion.epoch(), cells));
    }
    return portion.ends_epoch() ? store->Commit(portion.epoch()) : OkStatus();
  }
};

}  // namespace

struct RunResults::Impl : ViewSink, DeadLetterSink {
  explicit Impl(RunResultsOptions given) : options(std::move(given)) {}
  ~Impl() override { Stop(); }

  Status Declare(const ViewDescriptor& view) override;
  Status Write(std::string_view view, std::span<const Cell> cells) override;
  Status Write(std::span<const DeadLetter> letters) override;
  Status Finish() override;
  void Stop();

  Status Open();
  template <class Add>
  Status AddToPortion(std::size_t count, Add&& add);
  void SealPortion(bool ends_epoch);
  bool CanSeal() const;
  bool IsFull() const { return portion->size() >= options.portion_cells_max; }
  bool IsIdle() const;
  std::optional<Clock::time_point> EpochDue() const;
  void RunWriter(StoreQueue& queue);

  const RunResultsOptions options;
  std::unique_ptr<io_duckdb::DuckdbViewStore> warehouse;
  std::unique_ptr<io_rocksdb::RocksdbViewStore> lookup;
  std::unique_ptr<DeadLetterTable> letter_table;
  std::map<std::string, std::shared_ptr<CellBlockPool>, std::less<>> pools;  // by view; not changed after the start

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::shared_ptr<CellPortion> portion = std::make_shared<CellPortion>();
  std::uint64_t epoch = 1;        // that is being filled
  std::size_t epoch_cells = 0;    // in it
  Clock::time_point epoch_began;  // when its first cell came
  StoreQueue queues[2];
  Status failure;
  bool stopping = false;
  RunResultsCounts counts;
  std::vector<std::thread> writers;
};

Status RunResults::Impl::Open() {
  io_duckdb::DuckdbViewStoreOptions duckdb{.path = WarehousePath(options.folder)};
  if (!options.is_streaming) duckdb.compact_after_cells = 0;
  MILLRACE_ASSIGN_OR_RETURN(warehouse, io_duckdb::DuckdbViewStore::Open(duckdb));
  MILLRACE_ASSIGN_OR_RETURN(lookup, io_rocksdb::RocksdbViewStore::Open({.path = LookupPath(options.folder)}));
  MILLRACE_ASSIGN_OR_RETURN(letter_table, DeadLetterTable::Create(warehouse->database()));
  queues[0].store = warehouse.get();
  queues[0].letters = letter_table.get();
  queues[1].store = lookup.get();
  for (StoreQueue& queue : queues) {
    MILLRACE_RETURN_IF_ERROR(queue.store->Fence(options.generation, 1));
    writers.emplace_back([this, &queue] { RunWriter(queue); });
  }
  return OkStatus();
}

Status RunResults::Impl::Declare(const ViewDescriptor& view) {
  if (view.name == kDeadLettersTable) {
    return InvalidArgumentError("a view cannot be named " + view.name +
                                ": this is the table of dead letters; give it another name");
  }
  for (StoreQueue& queue : queues) MILLRACE_RETURN_IF_ERROR(queue.store->Declare(view));
  pools.try_emplace(view.name, std::make_shared<CellBlockPool>(view));
  return OkStatus();
}

bool RunResults::Impl::CanSeal() const {
  for (const StoreQueue& queue : queues) {
    if (queue.waiting.size() >= kPortionsWaitingMax) return false;
  }
  return true;
}

bool RunResults::Impl::IsIdle() const {
  for (const StoreQueue& queue : queues) {
    if (queue.busy || !queue.waiting.empty()) return false;
  }
  return true;
}

std::optional<Clock::time_point> RunResults::Impl::EpochDue() const {
  if (epoch_cells == 0 || !options.is_streaming) return std::nullopt;
  return epoch_began + options.epoch_age_max;
}

void RunResults::Impl::SealPortion(bool ends_epoch) {
  portion->Seal(epoch, ends_epoch);
  counts.superseded += portion->dropped();
  for (StoreQueue& queue : queues) queue.waiting.push_back(portion);
  portion = std::make_shared<CellPortion>();
  if (ends_epoch) {
    ++epoch;
    epoch_cells = 0;
  }
  changed.notify_all();
}

template <class Add>
Status RunResults::Impl::AddToPortion(std::size_t count, Add&& add) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return !failure.ok() || !IsFull() || CanSeal(); });
  if (!failure.ok()) return failure;
  if (IsFull()) SealPortion(epoch_cells >= options.epoch_cells_max);
  if (epoch_cells == 0) {
    epoch_began = Clock::now();
    changed.notify_all();  // the writers wait for its age from now on
  }
  epoch_cells += count;
  add();
  return OkStatus();
}

Status RunResults::Impl::Write(std::string_view view, std::span<const Cell> cells) {
  if (cells.empty()) return OkStatus();
  const auto pool = pools.find(view);
  if (pool == pools.end()) return InternalError("view " + std::string(view) + " was not declared before the run");
  std::shared_ptr<CellBlock> block = pool->second->Take();
  block->Fill(cells, options.generation, 1);
  return AddToPortion(cells.size(), [&] {
    portion->Add(std::move(block));
    counts.cells += cells.size();
  });
}

Status RunResults::Impl::Write(std::span<const DeadLetter> letters) {
  if (letters.empty()) return OkStatus();
  const Timestamp now = base::SystemClock().Now();
  std::vector<DeadLetterRow> rows;
  rows.reserve(letters.size());
  for (const DeadLetter& letter : letters) {
    DeadLetterRow row{
        .name = letter.name, .step = letter.step, .element = letter.element, .event_time = {}, .written_at = now};
    if (letter.event_time != Timestamp::Min()) row.event_time = letter.event_time;
    rows.push_back(std::move(row));
  }
  return AddToPortion(letters.size(), [&] {
    portion->AddLetters(std::move(rows));
    counts.letters += letters.size();
  });
}

Status RunResults::Impl::Finish() {
  std::unique_lock lock(mutex);
  if (failure.ok() && epoch_cells > 0) SealPortion(true);
  changed.wait(lock, [this] { return !failure.ok() || IsIdle(); });
  if (!failure.ok()) return failure;
  lock.unlock();
  // What is read from now on is not written to again: full reads by SQL are some ten times as fast.
  return warehouse->Compact();
}

void RunResults::Impl::RunWriter(StoreQueue& queue) {
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (queue.waiting.empty()) {
      const std::optional<Clock::time_point> due = EpochDue();
      if (!due || !CanSeal()) {
        changed.wait(lock);
      } else if (Clock::now() < *due) {
        changed.wait_until(lock, *due);
      } else {
        SealPortion(true);
      }
      continue;
    }
    const std::shared_ptr<const CellPortion> next = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    queue.busy = true;
    changed.notify_all();
    lock.unlock();
    Status written = queue.Write(*next);
    const double used_s = ProcessorTime_s();
    lock.lock();
    queue.busy = false;
    queue.used_s = used_s;
    if (!written.ok() && failure.ok()) failure = std::move(written);
    if (!failure.ok()) stopping = true;
    changed.notify_all();
  }
}

void RunResults::Impl::Stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  for (std::thread& writer : writers) writer.join();
  writers.clear();
}

StatusOr<std::unique_ptr<RunResults>> RunResults::Create(const RunResultsOptions& options) {
  auto impl = std::make_shared<Impl>(options);
  MILLRACE_RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<RunResults>(new RunResults(std::move(impl)));
}

RunResults::~RunResults() {
  impl_->Stop();
  impl_->letter_table.reset();
  impl_->warehouse.reset();
  impl_->lookup.reset();
}

std::shared_ptr<ViewSink> RunResults::views() { return impl_; }
std::shared_ptr<DeadLetterSink> RunResults::dead_letters() { return impl_; }

RunResultsCounts RunResults::counts() const {
  const std::lock_guard lock(impl_->mutex);
  RunResultsCounts counts = impl_->counts;
  counts.epochs = impl_->epoch - 1;
  counts.warehouse_s = impl_->queues[0].used_s;
  counts.lookup_s = impl_->queues[1].used_s;
  return counts;
}

std::string WarehousePath(const std::string& generation_folder) { return generation_folder + "/warehouse.duckdb"; }
std::string LookupPath(const std::string& generation_folder) { return generation_folder + "/views"; }

}  // namespace millrace::cli
