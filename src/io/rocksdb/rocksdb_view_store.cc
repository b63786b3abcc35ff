#include "io/rocksdb/rocksdb_view_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>

#include "columnar/view_columns.h"
#include "io/rocksdb/cell_format.h"
#include "io/rocksdb/merged_away.h"
#include "io/rocksdb/ordered_key.h"
#include "io/rocksdb/pending_cells.h"
#include "io/rocksdb/superseded_filter.h"
#include "millrace/core/coder.h"

namespace millrace::io_rocksdb {
namespace {

constexpr std::uint64_t kFormat = 1;

// From this many cells on, an epoch is written as sorted files that the store takes in at once: a third of the work of
// passing it through the write-ahead log and the memory table.
constexpr std::size_t kFileCellsMin = 50'000;
constexpr std::uint64_t kFileBytesMax = 64 << 20;
constexpr std::size_t kCellsAhead = 8;  // are on their way to the processor's cache

// So many files wait for a compaction. While whole files are taken in, as by a replay whose views nobody reads yet,
// each compaction would rewrite all there is for little; a look-up goes through a few more files meanwhile.
constexpr int kFilesWaiting = 4;
constexpr int kFilesWaitingBulk = 16;
constexpr int kFilesSlowWrites = 40;
constexpr int kFilesStopWrites = 64;

constexpr std::uint64_t kViewsMax = 65'535;

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Status StatusOf(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return OkStatus();
  const std::string text = status.ToString();
  const std::string where = "view store " + path;
  if (Has(text, "lock")) {
    return FailedPreconditionError(where +
                                   " is held by another process or open in this one already; send the query to the "
                                   "process that holds it (a running Millrace server answers queries), or stop it "
                                   "first. RocksDB says: " +
                                   text);
  }
  if (status.IsNoSpace() || Has(text, "No space left") || Has(text, "File too large")) {
    return ResourceExhaustedError(where + ": the disk is full; free some space and restart. RocksDB says: " + text);
  }
  if (Has(text, "Permission denied")) return PermissionDeniedError(where + ": " + text);
  if (status.IsCorruption() || Has(text, "does not match")) {
    return DataLossError(where + " is damaged; remove the directory and rebuild it by replay. RocksDB says: " + text);
  }
  if (Has(text, "No such file")) return NotFoundError(where + ": a folder or file is missing. RocksDB says: " + text);
  return UnavailableError(where + ": " + text);
}

std::string OwnKey(std::string_view name) { return ViewPrefix(0) + std::string(name); }

std::string NumberBytes(std::uint64_t value) {
  std::string bytes;
  AppendBigEndian(value, 8, &bytes);
  return bytes;
}

struct View {
  std::uint32_t number = 0;
  ViewDescriptor descriptor;
  columnar::ViewColumns columns;
};

rocksdb::Options OptionsOf(const RocksdbViewStoreOptions& options) {
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.max_open_files = 512;
  rocks.keep_log_file_num = 2;
  rocks.write_buffer_size = options.write_buffer_mib << 20;
  rocks.max_background_jobs = 2;
  rocks.level0_file_num_compaction_trigger = kFilesWaitingBulk;  // who only reads compacts nothing
  rocks.level0_slowdown_writes_trigger = kFilesSlowWrites;
  rocks.level0_stop_writes_trigger = kFilesStopWrites;
  rocks.compaction_filter_factory = std::make_shared<SupersededFilterFactory>();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_mib << 20);
  table.block_size = 16 << 10;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  const bool has_lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  rocks.compression = has_lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return rocks;
}

// The first bytes behind all that begin with `prefix`.
std::string Behind(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// The bytes [begin, end) that a query has to look at.
struct Range {
  std::string begin;
  std::string end;
};
Range RangeOf(const ViewQuery& query, const View& view) {
  const std::vector<columnar::ViewColumn>& columns = view.columns.key;
  const std::string prefix = ViewPrefix(view.number);
  Range range{prefix, Behind(prefix)};
  if (query.key != nullptr) {
    AppendKeyColumns(columns, query.key_columns, query.key, &range.begin);
    range.end = Behind(range.begin);
    if (query.key_columns >= columns.size()) {
      // Windows of one key are in the order of their starts, and none that starts behind `ends_by` lies within it.
      std::string last = range.begin;
      AppendOrderedInt64(query.is_exact_window ? query.starts_from.micros() : query.ends_by.micros(), &last);
      range.end = Behind(last);
      AppendOrderedInt64(query.starts_from.micros(), &range.begin);
    }
  }
  if (query.key_from != nullptr) AppendKeyColumns(columns, columns.size(), query.key_from, &range.begin);
  if (query.key_to != nullptr) {
    range.end = prefix;
    AppendKeyColumns(columns, columns.size(), query.key_to, &range.end);
  }
  return range;
}

bool IsSelected(const ViewQuery& query, const Cell& cell) {
  if (query.is_exact_window) return cell.window_start == query.starts_from && cell.window_end == query.ends_by;
  return cell.window_start >= query.starts_from && cell.window_end <= query.ends_by;
}

// Decodes keys and values into two objects, one cell after another.
class CellDecoder {
 public:
  explicit CellDecoder(const View& view)
      : view_(view), key_(view.descriptor.key->create()), value_(view.descriptor.value->create()) {}
  ~CellDecoder() {
    view_.descriptor.key->destroy(key_);
    view_.descriptor.value->destroy(value_);
  }
  CellDecoder(const CellDecoder&) = delete;
  CellDecoder& operator=(const CellDecoder&) = delete;

  Status Decode(std::string_view identity, std::string_view bytes, Cell* cell) {
    identity.remove_prefix(kViewNumberBytes);
    for (const columnar::ViewColumn& column : view_.columns.key) {
      Status status = TakeOrdered(*column.type, &identity, static_cast<char*>(key_) + column.offset);
      if (!status.ok()) return status.WithContext("key column " + column.name);
    }
    bytes.remove_prefix(1);
    Status status = DecodeElement(*view_.descriptor.value, &bytes, value_);
    if (!status.ok()) return status;
    cell->key = key_;
    cell->value = value_;
    return OkStatus();
  }

 private:
  const View& view_;
  void* key_;
  void* value_;
};

}  // namespace

struct RocksdbViewStore::Impl {
  RocksdbViewStoreOptions options;
  std::unique_ptr<rocksdb::DB> db;

  std::mutex commit_mutex;   // one commit or fence at a time; taken before `mutex`
  bool is_bulk = true;       // guarded by `commit_mutex`: kFilesWaitingBulk holds
  mutable std::mutex mutex;  // guards what follows
  std::map<std::string, std::shared_ptr<const View>, std::less<>> views;
  std::map<std::uint64_t, PendingCells> pending;
  std::size_t pending_bytes = 0;
  std::uint64_t last_epoch = 0;
  std::pair<std::uint64_t, std::uint64_t> fence = {0, 0};

  Status ReadNumber(std::string_view name, std::uint64_t* number) {
    std::string bytes;
    const rocksdb::Status status = db->Get({}, OwnKey(name), &bytes);
    if (status.IsNotFound()) return OkStatus();
    if (!status.ok()) return StatusOf(status, options.path);
    std::string_view rest = bytes;
    if (TakeBigEndian(&rest, 8, number)) return OkStatus();
    return DataLossError("view store " + options.path + ": the entry " + std::string(name) + " is damaged");
  }

  Status LoadState() {
    std::uint64_t format = kFormat;
    Status status = ReadNumber("format", &format);
    if (status.ok() && format != kFormat) {
      return FailedPreconditionError("view store " + options.path + " has format " + std::to_string(format) +
                                     ", this program reads format " + std::to_string(kFormat) +
                                     "; use the program that wrote it, or rebuild the views by replay");
    }
    if (status.ok()) status = ReadNumber("last_epoch", &last_epoch);
    if (status.ok()) status = ReadNumber("fence_generation", &fence.first);
    if (status.ok()) status = ReadNumber("fence_attempt", &fence.second);
    if (status.ok()) status = StatusOf(db->Put({}, OwnKey("format"), NumberBytes(kFormat)), options.path);
    return status;
  }

  StatusOr<std::shared_ptr<const View>> FindView(std::string_view name) const {
    auto found = views.find(name);
    if (found != views.end()) return found->second;
    return NotFoundError("view " + std::string(name) + " was not declared in " + options.path);
  }

  // The number of a view that is new to the store.
  StatusOr<std::uint32_t> Register(const ViewDescriptor& view, const std::string& signature) {
    std::uint64_t count = 0;
    Status status = ReadNumber("view_count", &count);
    if (!status.ok()) return status;
    if (count + 1 > kViewsMax) {
      return ResourceExhaustedError("view store " + options.path + " has " + std::to_string(count) +
                                    " views and takes no more; begin a new one");
    }
    rocksdb::WriteBatch batch;
    batch.Put(OwnKey("view_count"), NumberBytes(count + 1));
    batch.Put(OwnKey("view/" + view.name), NumberBytes(count + 1) + signature);
    rocksdb::WriteOptions sync;
    sync.sync = true;
    status = StatusOf(db->Write(sync, &batch), options.path);
    if (!status.ok()) return status;
    return static_cast<std::uint32_t>(count + 1);
  }

  // The number of the view of that name, 0 if the store has none; refused if it has another signature.
  StatusOr<std::uint32_t> FindRegistered(const ViewDescriptor& view, const std::string& signature) {
    std::string bytes;
    const rocksdb::Status found = db->Get({}, OwnKey("view/" + view.name), &bytes);
    if (found.IsNotFound()) return std::uint32_t{0};
    if (!found.ok()) return StatusOf(found, options.path);
    std::string_view rest = bytes;
    std::uint64_t number = 0;
    TakeBigEndian(&rest, 8, &number);
    if (rest != signature) {
      return FailedPreconditionError("view " + view.name + " in " + options.path + " is " + std::string(rest) +
                                     ", but the pipeline declares " + signature +
                                     "; write a new generation, or give the view another name");
    }
    return static_cast<std::uint32_t>(number);
  }

  // Of views whose windows merge: adds to sorted cells what removes those that were merged away.
  Status RemoveMergedAway(PendingCells* cells) {
    std::set<std::string> prefixes;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      for (const auto& [name, view] : views) {
        if (view->columns.merges_windows) prefixes.insert(ViewPrefix(view->number));
      }
    }
    if (prefixes.empty()) return OkStatus();
    PendingCells removals;
    const rocksdb::Status status = AddMergedAway(*cells, prefixes, *db, &removals);
    if (!status.ok()) return StatusOf(status, options.path);
    if (removals.size() == 0) return OkStatus();
    cells->AddAll(std::move(removals));
    cells->Sort();
    return OkStatus();
  }

  // Applies sorted cells through the log, at once.
  Status WriteCells(const PendingCells& cells) {
    rocksdb::WriteBatch batch;
    for (std::size_t i = 0; i < cells.size(); ++i) batch.Put(cells.Key(i), cells.Value(i));
    rocksdb::WriteOptions sync;
    sync.sync = true;
    return StatusOf(db->Write(sync, &batch), options.path);
  }

  std::string FileFolder() const { return options.path + "/epoch"; }

  // Applies sorted cells as files of at most about kFileBytesMax, at once: the store's manifest takes all or none.
  Status TakeInFiles(const PendingCells& cells) {
    std::error_code error;
    std::filesystem::create_directories(FileFolder(), error);
    std::vector<std::string> files;
    std::unique_ptr<rocksdb::SstFileWriter> writer;
    rocksdb::Status status;
    for (std::size_t i = 0; i < cells.size() && status.ok(); ++i) {
      if (writer == nullptr) {
        files.push_back(FileFolder() + "/" + std::to_string(files.size()) + ".cells");
        writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), db->GetOptions());
        status = writer->Open(files.back());
      }
      cells.WillRead(i + kCellsAhead);
      if (status.ok()) status = writer->Put(cells.Key(i), cells.Value(i));
      if (status.ok() && (i + 1 == cells.size() || writer->FileSize() >= kFileBytesMax)) {
        status = writer->Finish();
        writer.reset();
      }
    }
    rocksdb::IngestExternalFileOptions move;
    move.move_files = true;
    if (status.ok()) status = db->IngestExternalFile(files, move);
    writer.reset();
    std::filesystem::remove_all(FileFolder(), error);
    return StatusOf(status, options.path);
  }

  // Small epochs are live: from then on look-ups matter more than writing does.
  Status SetBulk(bool bulk) {
    if (bulk == is_bulk) return OkStatus();
    const std::string files = std::to_string(bulk ? kFilesWaitingBulk : kFilesWaiting);
    is_bulk = bulk;
    return StatusOf(db->SetOptions({{"level0_file_num_compaction_trigger", files}}), options.path);
  }

  Status Apply(const PendingCells& cells) {
    const bool bulk = cells.size() >= kFileCellsMin;
    Status status = SetBulk(bulk);
    if (!status.ok()) return status;
    return bulk ? TakeInFiles(cells) : WriteCells(cells);
  }

  void Forget(std::uint64_t epoch) {
    auto found = pending.find(epoch);
    if (found == pending.end()) return;
    pending_bytes -= found->second.bytes();
    pending.erase(found);
  }
};

RocksdbViewStore::RocksdbViewStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksdbViewStore::~RocksdbViewStore() = default;

StatusOr<std::unique_ptr<RocksdbViewStore>> RocksdbViewStore::Open(const RocksdbViewStoreOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(OptionsOf(options), options.path, &db);
  if (!opened.ok()) return StatusOf(opened, options.path);
  impl->db.reset(db);
  std::error_code ignored;
  std::filesystem::remove_all(impl->FileFolder(), ignored);  // of an epoch whose commit was cut off
  Status status = impl->LoadState();
  if (!status.ok()) return status;
  return std::unique_ptr<RocksdbViewStore>(new RocksdbViewStore(std::move(impl)));
}

Status RocksdbViewStore::Declare(const ViewDescriptor& descriptor) {
  StatusOr<columnar::ViewColumns> columns = columnar::ColumnsOfView(descriptor);
  if (!columns.ok()) return columns.status();
  std::lock_guard<std::mutex> lock(impl_->mutex);
  StatusOr<std::uint32_t> number = impl_->FindRegistered(descriptor, columns->signature);
  if (!number.ok()) return number.status();
  if (*number == 0) {
    if (!impl_->pending.empty())
      return FailedPreconditionError("declare view " + descriptor.name + " before appending");
    number = impl_->Register(descriptor, columns->signature);
    if (!number.ok()) return number.status();
  }
  impl_->views.try_emplace(descriptor.name, std::make_shared<View>(View{*number, descriptor, std::move(*columns)}));
  return OkStatus();
}

Status RocksdbViewStore::Append(std::string_view name, std::uint64_t epoch, std::span<const Cell> cells) {
  std::shared_ptr<const View> view;
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    StatusOr<std::shared_ptr<const View>> found = impl_->FindView(name);
    if (!found.ok()) return found.status();
    view = *found;
  }
  // Encoded outside of the lock, so that threads append side by side.
  PendingCells encoded;
  std::string key;
  for (const Cell& cell : cells) {
    key = ViewPrefix(view->number);
    AppendKeyColumns(view->columns.key, view->columns.key.size(), cell.key, &key);
    AppendWindow(cell.window_start, cell.window_end, &key);
    AppendVersion(cell.version, &key);
    encoded.Add(key, EncodeCellValue(*view->descriptor.value, cell));
  }
  std::lock_guard<std::mutex> lock(impl_->mutex);
  if (epoch <= impl_->last_epoch || cells.empty()) return OkStatus();
  for (const Cell& cell : cells) {
    if (std::pair{cell.version.generation, cell.version.attempt} < impl_->fence) {
      return columnar::FencedError(name, cell.version, impl_->fence);
    }
  }
  PendingCells& pending = impl_->pending[epoch];
  impl_->pending_bytes -= pending.bytes();
  pending.AddAll(std::move(encoded));
  impl_->pending_bytes += pending.bytes();
  if (impl_->pending_bytes > impl_->options.pending_mib_max << 20) {
    return ResourceExhaustedError("view store " + impl_->options.path + ": more than " +
                                  std::to_string(impl_->options.pending_mib_max) +
                                  " MiB of cells wait for a commit; make checkpoints more often or raise the limit");
  }
  return OkStatus();
}

Status RocksdbViewStore::Commit(std::uint64_t epoch) {
  std::lock_guard<std::mutex> commit_lock(impl_->commit_mutex);
  PendingCells cells;
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    if (epoch <= impl_->last_epoch) return OkStatus();
    if (!impl_->pending.empty() && impl_->pending.begin()->first < epoch) {
      return FailedPreconditionError("epoch " + std::to_string(epoch) + " cannot be committed before epoch " +
                                     std::to_string(impl_->pending.begin()->first) +
                                     "; commit or discard that one first");
    }
    auto found = impl_->pending.find(epoch);
    if (found != impl_->pending.end()) {
      impl_->pending_bytes -= found->second.bytes();
      cells = std::move(found->second);
      impl_->pending.erase(found);
    }
  }
  cells.Add(OwnKey("last_epoch"), NumberBytes(epoch));
  cells.Sort();
  Status merged = impl_->RemoveMergedAway(&cells);
  if (!merged.ok()) return merged.WithContext("committing epoch " + std::to_string(epoch));
  Status status = impl_->Apply(cells);
  if (!status.ok()) return status.WithContext("committing epoch " + std::to_string(epoch));
  std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->last_epoch = epoch;
  return OkStatus();
}

Status RocksdbViewStore::Discard(std::uint64_t epoch) {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->Forget(epoch);
  return OkStatus();
}

StatusOr<std::uint64_t> RocksdbViewStore::LastEpoch() const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->last_epoch;
}

Status RocksdbViewStore::Fence(std::uint64_t generation, std::uint64_t attempt) {
  std::lock_guard<std::mutex> commit_lock(impl_->commit_mutex);
  std::lock_guard<std::mutex> lock(impl_->mutex);
  if (std::pair{generation, attempt} <= impl_->fence) return OkStatus();
  rocksdb::WriteBatch batch;
  batch.Put(OwnKey("fence_generation"), NumberBytes(generation));
  batch.Put(OwnKey("fence_attempt"), NumberBytes(attempt));
  rocksdb::WriteOptions sync;
  sync.sync = true;
  Status status = StatusOf(impl_->db->Write(sync, &batch), impl_->options.path);
  if (!status.ok()) return status.WithContext("fencing");
  impl_->fence = {generation, attempt};
  impl_->pending.clear();
  impl_->pending_bytes = 0;
  return OkStatus();
}

Status RocksdbViewStore::Read(const ViewQuery& query, const CellVisitor& visit) const {
  std::shared_ptr<const View> view;
  {
    std::lock_guard<std::mutex> lock(impl_->mutex);
    StatusOr<std::shared_ptr<const View>> found = impl_->FindView(query.view);
    if (!found.ok()) return found.status();
    view = *found;
  }
  Status status = columnar::CheckViewQuery(query);
  if (!status.ok()) return status;
  const Range range = RangeOf(query, *view);
  const rocksdb::Slice end(range.end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  std::unique_ptr<rocksdb::Iterator> entries(impl_->db->NewIterator(options));
  CellDecoder decoder(*view);
  std::string identity;
  std::size_t left = query.limit;
  std::size_t skipped = 0;
  for (entries->Seek(range.begin); entries->Valid() && left > 0;) {
    const std::string_view key = entries->key().ToStringView();
    if (!IsCellKey(key)) return DataLossError("view store " + impl_->options.path + " has a key of no known form");
    if (IdentityOf(key) == identity) {
      // An older version: a few are stepped over, many are jumped over.
      if (++skipped % 8 == 0) {
        entries->Seek(identity + std::string(kVersionBytes, '\xFF'));
        if (entries->Valid() && entries->key().ToStringView().substr(0, identity.size()) != identity) continue;
      }
      if (entries->Valid()) entries->Next();
      continue;
    }
    skipped = 0;
    identity = IdentityOf(key);
    Cell cell;
    bool is_removed = false;
    WindowOf(identity, &cell.window_start, &cell.window_end);
    const std::string_view value = entries->value().ToStringView();
    if (!ReadFlags(value, &cell, &is_removed)) return DataLossError("view " + query.view + " has a cell without bytes");
    if (!is_removed && IsSelected(query, cell)) {
      cell.version = VersionOf(key);
      status = decoder.Decode(identity, value, &cell);
      if (!status.ok()) return status.WithContext("view " + query.view + " in " + impl_->options.path);
      --left;
      if (!visit(cell)) return OkStatus();
    }
    entries->Next();
  }
  return StatusOf(entries->status(), impl_->options.path);
}

Status RocksdbViewStore::Compact() {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  return StatusOf(impl_->db->CompactRange(options, nullptr, nullptr), impl_->options.path);
}

StatusOr<std::uint64_t> RocksdbViewStore::CountVersions() const {
  std::unique_ptr<rocksdb::Iterator> entries(impl_->db->NewIterator({}));
  std::uint64_t count = 0;
  for (entries->SeekToFirst(); entries->Valid(); entries->Next()) {
    if (IsCellKey(entries->key().ToStringView())) ++count;
  }
  if (!entries->status().ok()) return StatusOf(entries->status(), impl_->options.path);
  return count;
}

}  // namespace millrace::io_rocksdb
