#include "cli/run_results.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/cell_epoch.h"
#include "io/duckdb/duckdb_view_store.h"
#include "io/rocksdb/rocksdb_view_store.h"

namespace millrace::cli {

namespace {

using Clock = std::chrono::steady_clock;

// Epochs that may wait for a store besides the one that it writes.
constexpr std::size_t kEpochsWaitingMax = 1;

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
  std::deque<std::shared_ptr<const CellEpoch>> waiting;
  bool busy = false;
  double busy_s = 0;

  Status Write(const CellEpoch& epoch) const {
    if (letters != nullptr) MILLRACE_RETURN_IF_ERROR(letters->Write(epoch.letters()));
    for (const std::shared_ptr<CellBlock>& block : epoch.blocks()) {
      MILLRACE_RETURN_IF_ERROR(store->Append(block->view().name, epoch.number(), block->cells()));
    }
    return store->Commit(epoch.number());
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
  Status AddToEpoch(Add&& add);
  void SealEpoch();
  bool CanSeal() const;
  bool HasRoom() const { return epoch->size() < options.epoch_cells_max || CanSeal(); }
  bool IsIdle() const;
  bool EpochIsDue() const { return !epoch->empty() && Clock::now() >= epoch->opened() + options.epoch_age_max; }
  void RunWriter(StoreQueue& queue);

  const RunResultsOptions options;
  std::unique_ptr<io_duckdb::DuckdbViewStore> warehouse;
  std::unique_ptr<io_rocksdb::RocksdbViewStore> lookup;
  std::unique_ptr<DeadLetterTable> letter_table;
  std::map<std::string, std::shared_ptr<CellBlockPool>, std::less<>> pools;  // by view; not changed after the start

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::shared_ptr<CellEpoch> epoch = std::make_shared<CellEpoch>();
  std::uint64_t next_epoch = 1;
  StoreQueue queues[2];
  Status failure;
  bool stopping = false;
  RunResultsCounts counts;
  std::vector<std::thread> writers;
};

Status RunResults::Impl::Open() {
  MILLRACE_ASSIGN_OR_RETURN(warehouse, io_duckdb::DuckdbViewStore::Open({.path = WarehousePath(options.folder)}));
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
    if (queue.waiting.size() >= kEpochsWaitingMax) return false;
  }
  return true;
}

bool RunResults::Impl::IsIdle() const {
  for (const StoreQueue& queue : queues) {
    if (queue.busy || !queue.waiting.empty()) return false;
  }
  return true;
}

void RunResults::Impl::SealEpoch() {
  epoch->Seal(next_epoch++);
  counts.superseded += epoch->dropped();
  ++counts.epochs;
  for (StoreQueue& queue : queues) queue.waiting.push_back(epoch);
  epoch = std::make_shared<CellEpoch>();
  changed.notify_all();
}

template <class Add>
Status RunResults::Impl::AddToEpoch(Add&& add) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return !failure.ok() || HasRoom(); });
  if (!failure.ok()) return failure;
  if (epoch->size() >= options.epoch_cells_max) SealEpoch();
  const bool was_empty = epoch->empty();
  add();
  if (was_empty) changed.notify_all();  // the writers wait for its age from now on
  return OkStatus();
}

Status RunResults::Impl::Write(std::string_view view, std::span<const Cell> cells) {
  if (cells.empty()) return OkStatus();
  const auto pool = pools.find(view);
  if (pool == pools.end()) return InternalError("view " + std::string(view) + " was not declared before the run");
  std::shared_ptr<CellBlock> block = pool->second->Take();
  block->Fill(cells, options.generation, 1);
  return AddToEpoch([&] {
    epoch->Add(std::move(block));
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
  return AddToEpoch([&] {
    epoch->AddLetters(std::move(rows));
    counts.letters += letters.size();
  });
}

Status RunResults::Impl::Finish() {
  std::unique_lock lock(mutex);
  if (failure.ok() && !epoch->empty()) SealEpoch();
  changed.wait(lock, [this] { return !failure.ok() || IsIdle(); });
  return failure;
}

void RunResults::Impl::RunWriter(StoreQueue& queue) {
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (queue.waiting.empty()) {
      if (epoch->empty() || !CanSeal()) {
        changed.wait(lock);
      } else if (EpochIsDue()) {
        SealEpoch();
      } else {
        changed.wait_until(lock, epoch->opened() + options.epoch_age_max);
      }
      continue;
    }
    const std::shared_ptr<const CellEpoch> next = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    queue.busy = true;
    changed.notify_all();
    lock.unlock();
    const auto began = Clock::now();
    Status written = queue.Write(*next);
    const double spent_s = std::chrono::duration<double>(Clock::now() - began).count();
    lock.lock();
    queue.busy = false;
    queue.busy_s += spent_s;
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
  counts.warehouse_s = impl_->queues[0].busy_s;
  counts.lookup_s = impl_->queues[1].busy_s;
  return counts;
}

std::string WarehousePath(const std::string& generation_folder) { return generation_folder + "/warehouse.duckdb"; }
std::string LookupPath(const std::string& generation_folder) { return generation_folder + "/views"; }

}  // namespace millrace::cli
