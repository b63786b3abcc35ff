#include "io/duckdb/duckdb_view_store.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "io/duckdb/cell_columns.h"
#include "io/duckdb/view_sql.h"

namespace millrace::io_duckdb {

using columnar::Appender;
using columnar::ColumnSource;
using columnar::Connection;
using columnar::QuoteLiteral;

struct DuckdbViewStore::View {
  std::string name;
  ViewDescriptor descriptor;
  columnar::ViewColumns columns;
  std::atomic<std::uint64_t> superseding = 0;                        // appended since the last compaction
  std::atomic<std::uint64_t> compacted_cells = 0;                    // all that the last compaction left
  std::atomic<CellTableState> state = CellTableState::kAnyVersions;  // as in the file; set with commit_mutex_ held
  std::uint64_t commits = 0;                                         // guarded by commit_mutex_
};

struct DuckdbViewStore::PendingEpoch {
  explicit PendingEpoch(Connection opened) : connection(std::move(opened)) {}

  std::mutex mutex;  // guards what follows; taken after the store's mutex is released
  Connection connection;
  std::map<std::string, Appender> appenders;                   // by view
  std::map<std::string, Appender> row_appenders;               // by table of the caller's
  std::map<std::shared_ptr<View>, std::uint64_t> superseding;  // of each view with cells
};

namespace {

constexpr std::int64_t kFormat = 1;

// How many cells are likely to supersede another one. First panes are not, unless windows merge: history that is read
// again fires most panes once, and ranking all of them would find nothing. Decides only when a compaction pays.
std::uint64_t CountSuperseding(std::span<const Cell> cells, bool merges_windows) {
  if (merges_windows) return cells.size();
  return static_cast<std::uint64_t>(
      std::count_if(cells.begin(), cells.end(), [](const Cell& cell) { return cell.version.pane > 0; }));
}

StatusOr<CellTableState> StateOf(Connection& connection, const std::string& view) {
  StatusOr<std::int64_t> rows =
      connection.QueryInt64("SELECT count(*) FROM millrace._newest_only WHERE name = " + QuoteLiteral(view));
  if (!rows.ok()) return rows.status();
  return *rows > 0 ? CellTableState::kNewestOnly : CellTableState::kAnyVersions;
}

}  // namespace

DuckdbViewStore::DuckdbViewStore(columnar::Database database, DuckdbViewStoreOptions options)
    : database_(std::move(database)), options_(std::move(options)) {}

StatusOr<std::unique_ptr<DuckdbViewStore>> DuckdbViewStore::Open(const DuckdbViewStoreOptions& options) {
  StatusOr<columnar::Database> database = columnar::Database::Open({.path = options.path,
                                                                    .threads = options.threads,
                                                                    .memory_limit_mib = options.memory_limit_mib,
                                                                    .temp_directory = options.temp_directory});
  if (!database.ok()) return database.status();
  std::unique_ptr<DuckdbViewStore> store(new DuckdbViewStore(std::move(*database), options));
  Status status = store->LoadState();
  if (!status.ok()) return status;
  if (options.compact_after_cells > 0) store->compactor_ = std::thread([raw = store.get()] { raw->RunCompactions(); });
  return store;
}

DuckdbViewStore::~DuckdbViewStore() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    is_closing_ = true;
    if (compact_connection_ != nullptr) compact_connection_->Interrupt();
  }
  wake_.notify_all();
  if (compactor_.joinable()) compactor_.join();
}

Status DuckdbViewStore::LoadState() {
  StatusOr<Connection> connection = database_.Connect();
  if (!connection.ok()) return connection.status();
  // Epochs and fences are appended and never updated, so that transactions of several epochs do not conflict.
  Status status = connection->Execute(
      "BEGIN; CREATE SCHEMA IF NOT EXISTS millrace;"
      "CREATE TABLE IF NOT EXISTS millrace._format (format BIGINT);"
      "CREATE TABLE IF NOT EXISTS millrace._epochs (epoch UBIGINT);"
      "CREATE TABLE IF NOT EXISTS millrace._fences (generation UBIGINT, attempt UBIGINT);"
      "CREATE TABLE IF NOT EXISTS millrace._views (name VARCHAR, signature VARCHAR);"
      "CREATE TABLE IF NOT EXISTS millrace._newest_only (name VARCHAR);"
      "INSERT INTO millrace._format SELECT " +
      std::to_string(kFormat) +
      " WHERE NOT EXISTS (FROM millrace._format);"
      "DELETE FROM millrace._epochs WHERE epoch < (SELECT max(epoch) FROM millrace._epochs); COMMIT");
  if (!status.ok()) return status;
  StatusOr<columnar::Result> result = connection->Query(
      "SELECT format, coalesce((SELECT max(epoch) FROM millrace._epochs), 0), coalesce(generation, 0), "
      "coalesce(attempt, 0) FROM millrace._format LEFT JOIN millrace._fences ON true "
      "ORDER BY generation DESC NULLS LAST, attempt DESC NULLS LAST LIMIT 1");
  if (!result.ok()) return result.status();
  std::int64_t format = 0;
  const std::pair<const Type*, void*> targets[] = {{&TypeOf<std::int64_t>(), &format},
                                                   {&TypeOf<std::uint64_t>(), &last_epoch_},
                                                   {&TypeOf<std::uint64_t>(), &fence_.first},
                                                   {&TypeOf<std::uint64_t>(), &fence_.second}};
  for (std::size_t i = 0; i < 4; ++i) status = status.ok() ? result->Bind(i, *targets[i].first) : status;
  if (!status.ok()) return status;
  StatusOr<bool> has_rows = result->Next();
  if (!has_rows.ok()) return has_rows.status();
  std::vector<columnar::FieldIssue> issues;
  for (std::size_t i = 0; i < 4 && *has_rows; ++i) result->Decode(i, 0, 1, targets[i].second, 0, &issues);
  if (format == kFormat && issues.empty()) return OkStatus();
  return FailedPreconditionError("database file " + database_.path() + " has views of format " +
                                 std::to_string(format) + ", this program reads format " + std::to_string(kFormat) +
                                 "; use the program that wrote it, or rebuild the views by replay");
}

Status DuckdbViewStore::Declare(const ViewDescriptor& descriptor) {
  StatusOr<columnar::ViewColumns> columns = columnar::ColumnsOfView(descriptor);
  if (!columns.ok()) return columns.status();
  if (descriptor.name[0] == '_') {
    return InvalidArgumentError("view " + descriptor.name + ": names that begin with an underscore are reserved");
  }
  std::lock_guard<std::mutex> lock(mutex_);
  StatusOr<Connection> connection = database_.Connect();
  if (!connection.ok()) return connection.status();
  StatusOr<columnar::Result> found =
      connection->Query("SELECT signature FROM millrace._views WHERE name = " + QuoteLiteral(descriptor.name));
  if (!found.ok()) return found.status();
  StatusOr<bool> exists = found->Next();
  if (!exists.ok()) return exists.status();
  if (*exists) {
    const std::string signature = found->Text(0, 0).value_or("");
    if (signature != columns->signature) {
      return FailedPreconditionError("view " + descriptor.name + " in " + database_.path() + " is " + signature +
                                     ", but the pipeline declares " + columns->signature +
                                     "; write a new generation, or give the view another name");
    }
  } else {
    if (!pending_.empty()) return FailedPreconditionError("declare view " + descriptor.name + " before appending");
    StatusOr<std::string> create = CreateViewSql(descriptor.name, *columns);
    if (!create.ok()) return create.status();
    found = StatusOr<columnar::Result>(CancelledError("closed"));
    Status status =
        connection->Execute("BEGIN; " + *create + "; INSERT INTO millrace._views VALUES (" +
                            QuoteLiteral(descriptor.name) + ", " + QuoteLiteral(columns->signature) + "); COMMIT");
    if (!status.ok()) return status.WithContext("view " + descriptor.name);
  }
  if (views_.contains(descriptor.name)) return OkStatus();
  auto view = std::make_shared<View>();
  view->name = descriptor.name;
  view->descriptor = descriptor;
  view->columns = std::move(*columns);
  StatusOr<std::int64_t> cells =
      connection->QueryInt64("SELECT count(*) FROM millrace." + columnar::QuoteIdentifier(descriptor.name) +
                             (view->columns.merges_windows ? "" : " WHERE _pane > 0"));
  if (!cells.ok()) return cells.status();
  view->superseding = static_cast<std::uint64_t>(*cells);
  StatusOr<CellTableState> state = StateOf(*connection, descriptor.name);
  if (!state.ok()) return state.status();
  view->state = *state;
  views_.emplace(descriptor.name, std::move(view));
  return OkStatus();
}

StatusOr<std::shared_ptr<DuckdbViewStore::View>> DuckdbViewStore::FindView(std::string_view name) const {
  auto found = views_.find(name);
  if (found != views_.end()) return found->second;
  return NotFoundError("view " + std::string(name) + " was not declared in " + database_.path());
}

StatusOr<std::shared_ptr<DuckdbViewStore::PendingEpoch>> DuckdbViewStore::FindEpoch(std::uint64_t epoch) {
  auto found = pending_.find(epoch);
  if (found != pending_.end()) return found->second;
  StatusOr<Connection> connection = database_.Connect();
  if (!connection.ok()) return connection.status();
  Status status = connection->Execute("BEGIN");
  if (!status.ok()) return status;
  return pending_.emplace(epoch, std::make_shared<PendingEpoch>(std::move(*connection))).first->second;
}

Status DuckdbViewStore::Append(std::string_view name, std::uint64_t epoch, std::span<const Cell> cells) {
  std::shared_ptr<View> view;
  std::shared_ptr<PendingEpoch> pending;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    StatusOr<std::shared_ptr<View>> found_view = FindView(name);
    if (!found_view.ok()) return found_view.status();
    if (epoch <= last_epoch_ || cells.empty()) return OkStatus();
    for (const Cell& cell : cells) {
      if (std::pair{cell.version.generation, cell.version.attempt} < fence_) {
        return columnar::FencedError(name, cell.version, fence_);
      }
    }
    StatusOr<std::shared_ptr<PendingEpoch>> found_epoch = FindEpoch(epoch);
    if (!found_epoch.ok()) return found_epoch.status();
    view = *found_view;
    pending = *found_epoch;
  }
  const CellSources sources(cells, view->columns, epoch);
  std::lock_guard<std::mutex> lock(pending->mutex);
  auto appender = pending->appenders.find(view->name);
  if (appender == pending->appenders.end()) {
    StatusOr<Appender> opened =
        pending->connection.Append(kInternalSchema, view->name, CellTableColumns(view->columns));
    if (!opened.ok()) return opened.status();
    appender = pending->appenders.emplace(view->name, std::move(*opened)).first;
  }
  Status status = appender->second.Append(sources.sources(), cells.size());
  if (status.ok()) pending->superseding[view] += CountSuperseding(cells, view->columns.merges_windows);
  return status.WithContext("view " + view->name);
}

Status DuckdbViewStore::AppendRows(const std::string& table, const std::vector<columnar::ColumnSpec>& columns,
                                   std::uint64_t epoch, const std::vector<ColumnSource>& sources, std::size_t count) {
  std::shared_ptr<PendingEpoch> pending;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (epoch <= last_epoch_ || count == 0) return OkStatus();
    StatusOr<std::shared_ptr<PendingEpoch>> found_epoch = FindEpoch(epoch);
    if (!found_epoch.ok()) return found_epoch.status();
    pending = *found_epoch;
  }
  std::lock_guard<std::mutex> lock(pending->mutex);
  auto appender = pending->row_appenders.find(table);
  if (appender == pending->row_appenders.end()) {
    StatusOr<Appender> opened = pending->connection.Append("main", table, columns);
    if (!opened.ok()) return opened.status();
    appender = pending->row_appenders.emplace(table, std::move(*opened)).first;
  }
  return appender->second.Append(sources, count);
}

Status DuckdbViewStore::Commit(std::uint64_t epoch) {
  std::lock_guard<std::mutex> commit_lock(commit_mutex_);
  std::shared_ptr<PendingEpoch> pending;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (epoch <= last_epoch_) return OkStatus();
    if (!pending_.empty() && pending_.begin()->first < epoch) {
      return FailedPreconditionError("epoch " + std::to_string(epoch) + " cannot be committed before epoch " +
                                     std::to_string(pending_.begin()->first) + "; commit or discard that one first");
    }
    StatusOr<std::shared_ptr<PendingEpoch>> found = FindEpoch(epoch);
    if (!found.ok()) return found.status();
    pending = *found;
    pending_.erase(epoch);
  }
  std::lock_guard<std::mutex> pending_lock(pending->mutex);
  Status status;
  for (const auto& [view, superseding] : pending->superseding) {
    ++view->commits;
    if (view->state == CellTableState::kNewestOnly) {
      status = status.ok() ? SetState(*view, CellTableState::kAnyVersions) : status;
    }
  }
  if (!status.ok()) return status;
  for (auto& [name, appender] : pending->appenders) status = status.ok() ? appender.Flush() : status;
  for (auto& [table, appender] : pending->row_appenders) status = status.ok() ? appender.Flush() : status;
  pending->appenders.clear();
  pending->row_appenders.clear();
  if (status.ok()) {
    status = pending->connection.Execute("INSERT INTO millrace._epochs VALUES (" + std::to_string(epoch) + "); COMMIT");
  }
  if (!status.ok()) return status.WithContext("committing epoch " + std::to_string(epoch));
  for (const auto& [view, superseding] : pending->superseding) view->superseding += superseding;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    last_epoch_ = epoch;
  }
  wake_.notify_all();
  return OkStatus();
}

// In a transaction of its own: the epochs' began earlier and would conflict. Only the order matters: the ranking view
// is back before versions are committed that it must rank.
Status DuckdbViewStore::SetState(View& view, CellTableState state) {
  StatusOr<Connection> connection = database_.Connect();
  if (!connection.ok()) return connection.status();
  const std::string name = QuoteLiteral(view.name);
  const std::string note = state == CellTableState::kNewestOnly
                               ? "INSERT INTO millrace._newest_only VALUES (" + name + ")"
                               : "DELETE FROM millrace._newest_only WHERE name = " + name;
  Status status = connection->Execute("BEGIN; " + ViewSql(view.name, view.columns, state) + "; " + note + "; COMMIT");
  if (!status.ok()) return status.WithContext("replacing the SQL view " + view.name);
  view.state = state;
  return OkStatus();
}

Status DuckdbViewStore::Discard(std::uint64_t epoch) {
  std::lock_guard<std::mutex> lock(mutex_);
  pending_.erase(epoch);
  return OkStatus();
}

StatusOr<std::uint64_t> DuckdbViewStore::LastEpoch() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return last_epoch_;
}

Status DuckdbViewStore::Fence(std::uint64_t generation, std::uint64_t attempt) {
  std::lock_guard<std::mutex> commit_lock(commit_mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  if (std::pair{generation, attempt} <= fence_) return OkStatus();
  StatusOr<Connection> connection = database_.Connect();
  if (!connection.ok()) return connection.status();
  Status status = connection->Execute("INSERT INTO millrace._fences VALUES (" + std::to_string(generation) + ", " +
                                      std::to_string(attempt) + ")");
  if (!status.ok()) return status.WithContext("fencing");
  fence_ = {generation, attempt};
  pending_.clear();
  return OkStatus();
}

Status DuckdbViewStore::Read(const ViewQuery& query, const CellVisitor& visit) const {
  std::shared_ptr<View> view;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    StatusOr<std::shared_ptr<View>> found = FindView(query.view);
    if (!found.ok()) return found.status();
    view = *found;
  }
  Status valid = columnar::CheckViewQuery(query);
  if (!valid.ok()) return valid;
  StatusOr<Connection> connection = database_.Connect();
  if (!connection.ok()) return connection.status();
  CellTableState state = view->state;
  if (state == CellTableState::kNewestOnly) {
    // A commit may come in between: what the table holds is asked in the transaction that reads it.
    Status begun = connection->Execute("BEGIN");
    if (!begun.ok()) return begun;
    StatusOr<CellTableState> now = StateOf(*connection, view->name);
    if (!now.ok()) return now.status();
    state = *now;
  }
  std::vector<Parameter> parameters;
  StatusOr<columnar::Statement> statement = connection->Prepare(ReadSql(query, view->columns, state, parameters));
  if (!statement.ok()) return statement.status();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Status status = statement->Bind(i + 1, *parameters[i].type, parameters[i].value);
    if (!status.ok()) return status.WithContext("view " + query.view);
  }
  StatusOr<columnar::Result> result = statement->Query();
  if (!result.ok()) return result.status();
  CellReader reader(view->descriptor, view->columns);
  Status status = reader.Bind(*result);
  if (!status.ok()) return status;
  while (true) {
    StatusOr<bool> has_rows = result->Next();
    if (!has_rows.ok()) return has_rows.status();
    if (!*has_rows) return OkStatus();
    for (std::size_t row = 0; row < result->rows(); ++row) {
      StatusOr<Cell> cell = reader.Decode(*result, row);
      if (!cell.ok()) return cell.status().WithContext("view " + query.view);
      if (!visit(*cell)) return OkStatus();
    }
  }
}

Status DuckdbViewStore::Compact() {
  std::vector<std::shared_ptr<View>> views;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [name, view] : views_) views.push_back(view);
  }
  for (const std::shared_ptr<View>& view : views) {
    if (view->state == CellTableState::kNewestOnly) continue;
    std::uint64_t commits = 0;
    {
      std::lock_guard<std::mutex> commit_lock(commit_mutex_);
      commits = view->commits;
    }
    Status status = CompactView(*view);
    if (!status.ok()) return status;
    // If nothing was committed since before the compaction began, its work is complete.
    std::lock_guard<std::mutex> commit_lock(commit_mutex_);
    if (view->commits == commits && view->state == CellTableState::kAnyVersions) {
      status = SetState(*view, CellTableState::kNewestOnly);
    }
    if (!status.ok()) return status;
  }
  return OkStatus();
}

Status DuckdbViewStore::CompactView(View& view) {
  std::lock_guard<std::mutex> compact_lock(compact_mutex_);
  view.superseding = 0;
  StatusOr<Connection> opened = database_.Connect();
  if (!opened.ok()) return opened.status();
  Connection* connection = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (is_closing_) return CancelledError("the store is closing");
    compact_connection_ = std::make_unique<Connection>(std::move(*opened));
    connection = compact_connection_.get();
  }
  Status status = connection->Execute(CompactSql(view.name, view.columns));
  StatusOr<std::int64_t> left =
      connection->QueryInt64("SELECT count(*) FROM millrace." + columnar::QuoteIdentifier(view.name));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    compact_connection_.reset();
  }
  if (!status.ok()) return status.WithContext("compacting view " + view.name);
  if (!left.ok()) return left.status();
  view.compacted_cells = static_cast<std::uint64_t>(*left);
  return OkStatus();
}

void DuckdbViewStore::RunCompactions() {
  std::unique_lock<std::mutex> lock(mutex_);
  auto find_due = [this]() -> std::shared_ptr<View> {
    for (const auto& [name, view] : views_) {
      if (view->superseding >= std::max<std::uint64_t>(options_.compact_after_cells, view->compacted_cells))
        return view;
    }
    return nullptr;
  };
  while (!is_closing_) {
    std::shared_ptr<View> view = find_due();
    if (view == nullptr) {
      wake_.wait(lock);
      continue;
    }
    lock.unlock();
    // A failure costs space and no correctness: the next one is tried when as many cells were appended again.
    static_cast<void>(CompactView(*view));
    lock.lock();
  }
}

}  // namespace millrace::io_duckdb
