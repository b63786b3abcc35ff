#include "cli/store_writers.h"

#include <time.h>

#include <utility>

#include "base/status_macros.h"
#include "cli/run_results.h"

namespace millrace::cli {

namespace {

// Portions that may wait for a store besides the one that it writes.
constexpr std::size_t kPortionsWaitingMax = 1;

// Of this thread so far.
double ProcessorTime_s() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Status MakeDeadLetterTable(const columnar::Database& database) {
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, database.Connect());
  const std::string table = kDeadLettersTable;
  MILLRACE_RETURN_IF_ERROR(
      connection.Execute("CREATE TABLE IF NOT EXISTS " + table +
                         " (name VARCHAR, step VARCHAR, element VARCHAR, event_time TIMESTAMP, written_at TIMESTAMP, "
                         "window_start TIMESTAMP, window_end TIMESTAMP, reason VARCHAR, origin VARCHAR, "
                         "position BIGINT, code_version VARCHAR, id VARCHAR)"));
  // A table of an earlier version has the first seven.
  for (const char* column :
       {"reason VARCHAR", "origin VARCHAR", "position BIGINT", "code_version VARCHAR", "id VARCHAR"}) {
    MILLRACE_RETURN_IF_ERROR(connection.Execute("ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS " + column));
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<StoreWriters>> StoreWriters::Open(const std::string& folder, bool is_streaming) {
  std::unique_ptr<StoreWriters> writers(new StoreWriters);
  MILLRACE_RETURN_IF_ERROR(writers->OpenStores(folder, is_streaming));
  return writers;
}

Status StoreWriters::OpenStores(const std::string& folder, bool is_streaming) {
  io_duckdb::DuckdbViewStoreOptions duckdb{.path = WarehousePath(folder)};
  if (!is_streaming) duckdb.compact_after_cells = 0;
  MILLRACE_ASSIGN_OR_RETURN(warehouse_, io_duckdb::DuckdbViewStore::Open(duckdb));
  MILLRACE_ASSIGN_OR_RETURN(lookup_, io_rocksdb::RocksdbViewStore::Open({.path = LookupPath(folder)}));
  MILLRACE_RETURN_IF_ERROR(MakeDeadLetterTable(warehouse_->database()));
  queues_[0].store = warehouse_.get();
  queues_[1].store = lookup_.get();
  for (Queue& queue : queues_) threads_.emplace_back([this, &queue] { Run(queue); });
  return OkStatus();
}

StoreWriters::~StoreWriters() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Status StoreWriters::Declare(const ViewDescriptor& view) {
  for (Queue& queue : queues_) MILLRACE_RETURN_IF_ERROR(queue.store->Declare(view));
  return OkStatus();
}

Status StoreWriters::Fence(std::uint64_t generation, std::uint64_t attempt) {
  for (Queue& queue : queues_) MILLRACE_RETURN_IF_ERROR(queue.store->Fence(generation, attempt));
  return OkStatus();
}

StatusOr<AppliedEpochs> StoreWriters::LastEpochs() const {
  AppliedEpochs applied;
  MILLRACE_ASSIGN_OR_RETURN(applied.warehouse, warehouse_->LastEpoch());
  MILLRACE_ASSIGN_OR_RETURN(applied.lookup, lookup_->LastEpoch());
  return applied;
}

bool StoreWriters::HasRoom() const {
  const std::lock_guard lock(mutex_);
  return stopping_ || HasRoomLocked();
}

bool StoreWriters::HasRoomLocked() const {
  for (const Queue& queue : queues_) {
    if (queue.waiting.size() >= kPortionsWaitingMax) return false;
  }
  return true;
}

bool StoreWriters::IsIdle() const {
  for (const Queue& queue : queues_) {
    if (queue.busy || !queue.waiting.empty()) return false;
  }
  return true;
}

Status StoreWriters::Push(const std::shared_ptr<const CellPortion>& portion) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || HasRoomLocked(); });
  if (!failure_.ok()) return failure_;
  for (Queue& queue : queues_) queue.waiting.push_back(portion);
  changed_.notify_all();
  return OkStatus();
}

Status StoreWriters::WaitUntilIdle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || IsIdle(); });
  return failure_;
}

Status StoreWriters::AppendLetters(const CellPortion& portion) {
  const std::vector<DeadLetterRow>& letters = portion.letters();
  if (letters.empty()) return OkStatus();
  std::vector<columnar::ColumnSource> sources;
  for (const Field& field : SchemaOf<DeadLetterRow>().fields()) {
    sources.push_back({.base = letters.data(), .stride = sizeof(DeadLetterRow), .offset = field.offset});
  }
  return warehouse_
      ->AppendRows(kDeadLettersTable, columnar::ColumnsOf(SchemaOf<DeadLetterRow>()), portion.epoch(), sources,
                   letters.size())
      .WithContext("dead letters");
}

Status StoreWriters::Write(const Queue& queue, const CellPortion& portion) {
  if (queue.store == warehouse_.get()) MILLRACE_RETURN_IF_ERROR(AppendLetters(portion));
  for (const auto& [view, cells] : portion.CellsByView()) {
    MILLRACE_RETURN_IF_ERROR(queue.store->Append(view, portion.epoch(), cells));
  }
  return portion.ends_epoch() ? queue.store->Commit(portion.epoch()) : OkStatus();
}

void StoreWriters::Run(Queue& queue) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue.waiting.empty()) {
      changed_.wait(lock);
      continue;
    }
    std::shared_ptr<const CellPortion> next = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    queue.busy = true;
    changed_.notify_all();
    lock.unlock();
    Status written = Write(queue, *next);
    next.reset();
    const double used_s = ProcessorTime_s();
    lock.lock();
    queue.busy = false;
    queue.used_s = used_s;
    if (!written.ok() && failure_.ok()) failure_ = std::move(written);
    if (!failure_.ok()) stopping_ = true;
    changed_.notify_all();
  }
}

Status StoreWriters::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

double StoreWriters::warehouse_s() const {
  const std::lock_guard lock(mutex_);
  return queues_[0].used_s;
}

double StoreWriters::lookup_s() const {
  const std::lock_guard lock(mutex_);
  return queues_[1].used_s;
}

}  // namespace millrace::cli
