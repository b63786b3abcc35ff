#include "storage/rocksdb_spill_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "millrace/detail/operator.h"
#include "millrace/runner/rocksdb_state.h"

namespace millrace::storage {

namespace {

using detail::PipelineFailure;

// A key is the number of its table (8 bytes, big-endian), its shard (1 byte), and the entry's encoded key.
constexpr std::size_t kTableBytes = 8;

std::string TablePrefix(std::uint64_t table) {
  std::string prefix;
  for (int shift = 56; shift >= 0; shift -= 8) prefix.push_back(static_cast<char>(table >> shift));
  return prefix;
}

std::uint64_t TableOf(const rocksdb::Slice& key) {
  std::uint64_t table = 0;
  for (std::size_t i = 0; i < kTableBytes; ++i) table = table << 8 | static_cast<unsigned char>(key[i]);
  return table;
}

Status StatusOf(const rocksdb::Status& status, const std::string& folder) {
  if (status.ok()) return OkStatus();
  const std::string text = folder + ": " + status.ToString();
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kNoSpace) {
    return ResourceExhaustedError(text +
                                  "; the disk is full: make room there, or give the state more memory "
                                  "(--state_memory_mib)");
  }
  return status.IsCorruption() ? DataLossError(text) : UnavailableError(text);
}

/// The numbers of the tables that are still there. Data of the others is garbage, which compactions leave out.
class LiveTables {
 public:
  std::uint64_t Add() {
    const std::lock_guard lock(mutex_);
    live_.insert(++last_);
    return last_;
  }
  void Remove(std::uint64_t table) {
    const std::lock_guard lock(mutex_);
    live_.erase(table);
  }
  std::set<std::uint64_t> Now() const {
    const std::lock_guard lock(mutex_);
    return live_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::uint64_t> live_;
  std::uint64_t last_ = 0;
};

class DeadTableFilter final : public rocksdb::CompactionFilter {
 public:
  explicit DeadTableFilter(std::set<std::uint64_t> live) : live_(std::move(live)) {}
  const char* Name() const override { return "MillraceDeadTables"; }
  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& /*value*/, std::string* /*new_value*/,
              bool* /*value_changed*/) const override {
    return !live_.contains(TableOf(key));
  }

 private:
  // Of the moment when the compaction began: a table that is made later has nothing in its input.
  const std::set<std::uint64_t> live_;
};

class DeadTableFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit DeadTableFilterFactory(std::shared_ptr<const LiveTables> live) : live_(std::move(live)) {}
  const char* Name() const override { return "MillraceDeadTables"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& /*context*/) override {
    return std::make_unique<DeadTableFilter>(live_->Now());
  }

 private:
  std::shared_ptr<const LiveTables> live_;
};

/// The database with its folder. Outlived by no table or snapshot: each holds it.
struct Database {
  Database(std::string in, std::shared_ptr<LiveTables> tables) : folder(std::move(in)), live(std::move(tables)) {}
  ~Database() {
    db.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void Check(const rocksdb::Status& status) const {
    if (!status.ok()) throw PipelineFailure(StatusOf(status, folder));
  }

  const std::string folder;
  const std::shared_ptr<LiveTables> live;
  std::unique_ptr<rocksdb::DB> db;
};

/// A table's number, as long as anyone reads from it.
class TableNumber {
 public:
  explicit TableNumber(std::shared_ptr<Database> database)
      : database_(std::move(database)), number_(database_->live->Add()), prefix_(TablePrefix(number_)) {}
  TableNumber(const TableNumber&) = delete;
  TableNumber& operator=(const TableNumber&) = delete;
  ~TableNumber() {
    database_->live->Remove(number_);
    if (bytes_ < kBytesOfAFile) return;
    // Whole files that hold nothing else need no compaction.
    const std::string end = TablePrefix(number_ + 1);
    const rocksdb::Slice from = prefix_;
    const rocksdb::Slice to = end;
    static_cast<void>(
        rocksdb::DeleteFilesInRange(database_->db.get(), database_->db->DefaultColumnFamily(), &from, &to, false));
  }

  const Database& database() const { return *database_; }
  rocksdb::DB& db() const { return *database_->db; }
  const std::string& prefix() const { return prefix_; }
  void Count(std::size_t bytes) { bytes_ += bytes; }

 private:
  static constexpr std::size_t kBytesOfAFile = std::size_t{8} << 20;

  const std::shared_ptr<Database> database_;
  const std::uint64_t number_;
  const std::string prefix_;
  std::size_t bytes_ = 0;
};

// Walks the keys that begin with `prefix`.
rocksdb::Status Walk(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, const std::string& prefix,
                     const detail::SpillVisitor& visit, Status* visited) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  options.fill_cache = false;
  options.readahead_size = std::size_t{1} << 20;
  std::string end = prefix;
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  const rocksdb::Slice bound = end;
  if (!end.empty()) options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> at(db.NewIterator(options));
  for (at->Seek(prefix); at->Valid() && visited->ok(); at->Next()) {
    const rocksdb::Slice key = at->key();
    const rocksdb::Slice value = at->value();
    *visited = visit({key.data() + kTableBytes + 1, key.size() - kTableBytes - 1}, {value.data(), value.size()});
  }
  return at->status();
}

class RocksdbSnapshot final : public detail::SpillSnapshot {
 public:
  explicit RocksdbSnapshot(std::shared_ptr<TableNumber> table)
      : table_(std::move(table)), snapshot_(table_->db().GetSnapshot()) {}
  RocksdbSnapshot(const RocksdbSnapshot&) = delete;
  RocksdbSnapshot& operator=(const RocksdbSnapshot&) = delete;
  ~RocksdbSnapshot() override { table_->db().ReleaseSnapshot(snapshot_); }

  Status ForEach(const detail::SpillVisitor& visit) const override {
    Status visited;
    const rocksdb::Status walked = Walk(table_->db(), snapshot_, table_->prefix(), visit, &visited);
    return walked.ok() ? visited : StatusOf(walked, table_->database().folder);
  }

 private:
  const std::shared_ptr<TableNumber> table_;
  const rocksdb::Snapshot* const snapshot_;
};

class RocksdbSpillTable final : public detail::SpillTable {
 public:
  explicit RocksdbSpillTable(std::shared_ptr<Database> database)
      : table_(std::make_shared<TableNumber>(std::move(database))), key_(table_->prefix()) {
    write_.disableWAL = true;
  }

  void Put(int shard, std::string_view key, std::string_view value) override {
    table_->Count(key.size() + value.size());
    Check(table_->db().Put(write_, KeyOf(shard, key), rocksdb::Slice(value.data(), value.size())));
  }
  void Remove(int shard, std::string_view key) override { Check(table_->db().Delete(write_, KeyOf(shard, key))); }
  bool Get(int shard, std::string_view key, std::string* value) override {
    const rocksdb::Status status = table_->db().Get(read_, KeyOf(shard, key), value);
    if (status.IsNotFound()) return false;
    Check(status);
    return true;
  }
  void ForEach(int shard, const detail::SpillVisitor& visit) override {
    Status visited;
    const rocksdb::Status walked = Walk(table_->db(), nullptr, KeyOf(shard, {}), visit, &visited);
    Check(walked);
    if (!visited.ok()) throw PipelineFailure(visited);
  }
  std::shared_ptr<const detail::SpillSnapshot> Snapshot() override {
    return std::make_shared<const RocksdbSnapshot>(table_);
  }

 private:
  const std::string& KeyOf(int shard, std::string_view key) {
    key_.resize(kTableBytes);
    key_.push_back(static_cast<char>(shard));
    key_.append(key);
    return key_;
  }
  void Check(const rocksdb::Status& status) const { table_->database().Check(status); }

  const std::shared_ptr<TableNumber> table_;
  rocksdb::WriteOptions write_;
  const rocksdb::ReadOptions read_;
  std::string key_;
};

class RocksdbSpillStore final : public detail::SpillStore {
 public:
  explicit RocksdbSpillStore(std::shared_ptr<Database> database) : database_(std::move(database)) {}
  std::unique_ptr<detail::SpillTable> NewTable() override { return std::make_unique<RocksdbSpillTable>(database_); }

 private:
  std::shared_ptr<Database> database_;
};

rocksdb::Options OptionsOf(const RocksdbSpillOptions& spill, const std::shared_ptr<LiveTables>& live) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(static_cast<std::size_t>(spill.cache_bytes) / 2);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = static_cast<std::size_t>(spill.cache_bytes) / 4;
  options.max_write_buffer_number = 2;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kLZ4Compression;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  options.keep_log_file_num = 1;
  options.max_background_jobs = 2;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compaction_filter_factory = std::make_shared<DeadTableFilterFactory>(live);
  return options;
}

}  // namespace

StatusOr<std::unique_ptr<detail::SpillStore>> OpenRocksdbSpillStore(const RocksdbSpillOptions& options) {
  std::error_code error;
  std::filesystem::remove_all(options.folder, error);
  if (!error) std::filesystem::create_directories(options.folder, error);
  if (error) {
    return UnavailableError("the state backend rocksdb cannot use its folder " + options.folder + ": " +
                            error.message());
  }
  auto live = std::make_shared<LiveTables>();
  auto database = std::make_shared<Database>(options.folder, live);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(OptionsOf(options, live), options.folder, &db);
  if (!opened.ok()) return StatusOf(opened, options.folder);
  database->db.reset(db);
  return std::unique_ptr<detail::SpillStore>(std::make_unique<RocksdbSpillStore>(std::move(database)));
}

}  // namespace millrace::storage

namespace millrace {

StateOptions RocksdbState(StateOptions options) {
  options.backend = StateBackend::kRocksdb;
  options.open = [](const StateOptions& state) -> StatusOr<std::shared_ptr<detail::SpillStore>> {
    MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<detail::SpillStore> store,
                              storage::OpenRocksdbSpillStore({.folder = state.folder}));
    return std::shared_ptr<detail::SpillStore>(std::move(store));
  };
  return options;
}

}  // namespace millrace
