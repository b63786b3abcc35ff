#include "cli/certificate.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/build_id.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/digest_sql.h"
#include "batch/manifest.h"
#include "batch/merged_sql.h"
#include "cli/batch_layer.h"
#include "cli/late_cells.h"
#include "cli/run_results.h"
#include "cli/warehouse.h"
#include "columnar/view_columns.h"
#include "log/log_reader.h"

namespace millrace::cli {

namespace {

using columnar::QuoteIdentifier;
using columnar::QuoteLiteral;
using columnar::SqlTimestamp;

constexpr std::size_t kCellsShown = 100;
constexpr std::size_t kGroupsMax = 256;  // of cells, of one view, that are looked into
constexpr std::size_t kCertificateMemoryMib = 2048;

// The state of a partition before its cells are compared.
struct Compared {
  const batch::Partition* partition;
  const batch::PartitionVersion* version;
  std::string state;  // empty: to be compared
};

// What is known of one view while it is compared.
struct ViewComparison {
  const ViewDescriptor* view;
  columnar::ViewColumns columns = {};
  LateSource source = {};
  std::vector<LateKey> keys = {};
  std::map<Timestamp, CertifiedRange> ranges = {};  // by the beginnings of partitions
  std::map<Timestamp, std::string> causes = {};     // of differences, by partition
  std::string wanted = {};                          // the windows that are compared, as SQL
  batch::CellsSql batch = {};
  batch::CellsSql other = {};

  CertifiedRange* Find(const std::string& partition_us) {
    const auto found = ranges.find(Timestamp::FromMicros(std::stoll(partition_us)));
    return found != ranges.end() ? &found->second : nullptr;
  }
};

// All of one comparison.
class Reconciliation {
 public:
  Reconciliation(const Invocation& invocation, const Pipeline& pipeline, const CertificateRequest& request)
      : invocation_(invocation), pipeline_(pipeline), request_(request) {}
  ~Reconciliation() {
    connection_.reset();
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  Reconciliation(const Reconciliation&) = delete;
  Reconciliation& operator=(const Reconciliation&) = delete;

  StatusOr<Certificate> Run();

 private:
  Status Open();
  Status AwaitOther(const std::vector<batch::ViewGeometry>& geometries, const batch::Partitioning& partitioning);
  StatusOr<ViewComparison> Prepare(const ViewDescriptor& view);
  std::vector<Compared> PartitionsOf(Duration allowed_lateness) const;
  Status ReadOther(const std::string& name, const std::string& statement);
  Status CompareDigests(ViewComparison* comparison);
  Status CompareGroups(ViewComparison* comparison);
  Status CompareCells(ViewComparison* comparison);
  void Conclude(const ViewComparison& comparison);
  StatusOr<std::vector<std::vector<std::string>>> Rows(const std::string& statement);

  const Invocation& invocation_;
  const Pipeline& pipeline_;
  const CertificateRequest& request_;
  std::string folder_;
  std::string batch_folder_;
  std::string unit_;
  batch::Manifest manifest_;
  batch::Snapshot snapshot_;
  batch::Snapshot earlier_;  // of a comparison with a version
  std::set<Timestamp> dirty_;
  std::optional<GenerationReader> reader_;  // of a comparison with a generation
  Timestamp watermark_ = Timestamp::Max();
  std::optional<columnar::Connection> connection_;
  Certificate certificate_;
};

StatusOr<std::vector<std::vector<std::string>>> Reconciliation::Rows(const std::string& statement) {
  std::vector<std::vector<std::string>> rows;
  MILLRACE_ASSIGN_OR_RETURN(columnar::Result result, connection_->Query(statement));
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const bool more, result.Next());
    if (!more) return rows;
    for (std::size_t row = 0; row < result.rows(); ++row) {
      std::vector<std::string>& texts = rows.emplace_back();
      for (std::size_t column = 0; column < result.columns().size(); ++column) {
        texts.push_back(result.Text(column, row).value_or(""));
      }
    }
  }
}

Status Reconciliation::Open() {
  const std::string& data_dir = invocation_.pipeline.data_dir;
  batch_folder_ = std::filesystem::absolute(BatchFolder(data_dir)).string();
  MILLRACE_ASSIGN_OR_RETURN(manifest_, batch::ReadManifest(base::PosixFileSystem(), batch_folder_));
  MILLRACE_ASSIGN_OR_RETURN(snapshot_, batch::SnapshotOf(manifest_));
  if (snapshot_.empty()) {
    return FailedPreconditionError("the batch layer of " + data_dir + " has nothing yet; `" + invocation_.program +
                                   " recompute` computes it");
  }
  unit_ = manifest_.every;
  if (request_.version) {
    MILLRACE_ASSIGN_OR_RETURN(earlier_, batch::SnapshotOf(manifest_, {.version = *request_.version, .time = {}}));
  }
  folder_ = std::filesystem::absolute(data_dir).string() + "/reconcile-" + std::to_string(::getpid());
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder_));
  MILLRACE_ASSIGN_OR_RETURN(const columnar::Database database,
                            columnar::Database::Open({.path = folder_ + "/reconcile.duckdb",
                                                      .threads = WarehouseThreads(invocation_),
                                                      .memory_limit_mib = kCertificateMemoryMib}));
  MILLRACE_ASSIGN_OR_RETURN(connection_, database.Connect());
  return OkStatus();
}

// As GenerationDiff does: first how far event time has come, then the end of the log, then until it is read.
Status Reconciliation::AwaitOther(const std::vector<batch::ViewGeometry>& geometries,
                                  const batch::Partitioning& partitioning) {
  const std::string& data_dir = invocation_.pipeline.data_dir;
  if (!request_.version) {
    MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest directory, ReadDirectoryManifest(data_dir));
    const std::uint64_t generation = request_.generation.value_or(directory.generation);
    if (generation == 0) return FailedPreconditionError("no run has given results in " + data_dir + " yet");
    certificate_.with = "generation " + std::to_string(generation);
    MILLRACE_ASSIGN_OR_RETURN(reader_, GenerationReader::Open(invocation_, generation));
    MILLRACE_ASSIGN_OR_RETURN(const CommittedThrough through, reader_->AwaitCommitted());
    watermark_ = through.watermark;
  } else {
    certificate_.with = "version " + std::to_string(*request_.version);
  }
  MILLRACE_ASSIGN_OR_RETURN(const TopicExtent extent, ExtentOfTopic(invocation_));
  if (reader_) {
    MILLRACE_RETURN_IF_ERROR(reader_->AwaitRead(extent.end).status());
    MILLRACE_RETURN_IF_ERROR(reader_->AwaitCommitted().status());
  }
  MILLRACE_ASSIGN_OR_RETURN(dirty_, ScanForDirty(invocation_, geometries, partitioning, manifest_, extent.end));
  return OkStatus();
}

std::vector<Compared> Reconciliation::PartitionsOf(Duration allowed_lateness) const {
  std::vector<Compared> partitions;
  for (const batch::Snapshot::Entry& entry : snapshot_.entries) {
    if (request_.from && entry.partition->to <= *request_.from) continue;
    if (request_.to && entry.partition->from >= *request_.to) continue;
    Compared compared{.partition = entry.partition, .version = entry.version, .state = {}};
    const bool is_open = watermark_ == Timestamp::Min() ||
                         (watermark_ < Timestamp::Max() && entry.partition->to > watermark_ - allowed_lateness);
    // What has landed since is in the batch layer of neither version.
    if (!request_.version && dirty_.contains(entry.partition->from)) compared.state = "behind";
    if (is_open) compared.state = "open";
    if (request_.version) {
      const auto same = [&](const batch::Snapshot::Entry& other) { return other.partition == entry.partition; };
      if (std::none_of(earlier_.entries.begin(), earlier_.entries.end(), same)) compared.state = "open";
    }
    partitions.push_back(compared);
  }
  return partitions;
}

// The windows of the partitions that are compared.
std::string WantedSql(const std::vector<Compared>& partitions) {
  std::string wanted;
  for (std::size_t i = 0; i < partitions.size();) {
    if (!partitions[i].state.empty()) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < partitions.size() && partitions[end].state.empty()) ++end;
    wanted += (wanted.empty() ? "(" : " OR ") + ("(window_end > " + SqlTimestamp(partitions[i].partition->from)) +
              " AND window_end <= " + SqlTimestamp(partitions[end - 1].partition->to) + ")";
    i = end;
  }
  return wanted.empty() ? "false" : wanted + ")";
}

// What a statement gives on the other side, as the table `name` here.
Status Reconciliation::ReadOther(const std::string& name, const std::string& statement) {
  if (!reader_) return connection_->Execute("CREATE OR REPLACE TABLE " + name + " AS " + statement);
  const std::string path = folder_ + "/" + name + ".parquet";
  MILLRACE_RETURN_IF_ERROR(reader_->ExportRows(statement, path));
  return connection_->Execute("CREATE OR REPLACE TABLE " + name + " AS FROM read_parquet(" + QuoteLiteral(path) + ")");
}

StatusOr<ViewComparison> Reconciliation::Prepare(const ViewDescriptor& view) {
  ViewComparison comparison{.view = &view, .source = LateSourceOf(pipeline_, view.name)};
  MILLRACE_ASSIGN_OR_RETURN(comparison.columns, columnar::ColumnsOfView(view));
  comparison.keys = LateKeysOf(comparison.columns, view, comparison.source);
  const std::vector<Compared> partitions = PartitionsOf(comparison.source.allowed_lateness);
  comparison.wanted = WantedSql(partitions);
  for (const Compared& compared : partitions) {
    const Timestamp from = compared.partition->from;
    comparison.ranges[from] = {.view = view.name,
                               .from = from,
                               .to = compared.partition->to,
                               .state = compared.state.empty() ? "certified" : compared.state};
    comparison.causes[from] =
        compared.version->code_version.starts_with(base::BuildId()) ? "unexplained" : "code version";
  }
  MILLRACE_ASSIGN_OR_RETURN(comparison.batch.relation, batch::SnapshotSql(view.name, comparison.columns, batch_folder_,
                                                                          snapshot_, comparison.wanted));
  if (!reader_) {
    MILLRACE_ASSIGN_OR_RETURN(
        comparison.other.relation,
        batch::SnapshotSql(view.name, comparison.columns, batch_folder_, earlier_, comparison.wanted));
    return comparison;
  }
  comparison.other.relation = "SELECT * FROM " + QuoteIdentifier(view.name) + " WHERE " + comparison.wanted;
  // Cells of which the other side has missed late elements are left out on both sides.
  const std::string letters = LateCellsSql(comparison.source, comparison.keys, kDeadLettersTable);
  MILLRACE_RETURN_IF_ERROR(ReadOther("late_cells", "SELECT * FROM (" + letters + ") WHERE " + comparison.wanted));
  comparison.other.late = letters;
  comparison.batch.late = "SELECT * FROM late_cells";
  comparison.other.is_late = SameLateSql(comparison.source, comparison.keys, "_late", "c");
  comparison.batch.is_late = comparison.other.is_late;
  MILLRACE_ASSIGN_OR_RETURN(const auto counts,
                            Rows("SELECT epoch_us(date_trunc('" + unit_ +
                                 "', window_end - INTERVAL 1 MICROSECOND)), count(*) FROM late_cells GROUP BY 1"));
  for (const auto& row : counts) {
    if (CertifiedRange* range = comparison.Find(row[0])) range->late += std::stoll(row[1]);
  }
  return comparison;
}

Status Reconciliation::CompareDigests(ViewComparison* comparison) {
  MILLRACE_RETURN_IF_ERROR(
      ReadOther("other_digests", batch::DigestsSql(comparison->columns, unit_, comparison->other)));
  MILLRACE_RETURN_IF_ERROR(connection_->Execute(
      "CREATE OR REPLACE TABLE batch_digests AS " + batch::DigestsSql(comparison->columns, unit_, comparison->batch) +
      "; CREATE OR REPLACE TABLE compared AS SELECT coalesce(b._partition, o._partition) AS "
      "_partition, coalesce(b._range, o._range) AS _range, coalesce(b._cells, 0) AS _cells, "
      "b._cells IS NOT DISTINCT FROM o._cells AND b._digest IS NOT DISTINCT FROM o._digest AS "
      "_same FROM batch_digests AS b FULL OUTER JOIN other_digests AS o "
      "ON b._partition = o._partition AND b._range = o._range"));
  MILLRACE_ASSIGN_OR_RETURN(const auto equal,
                            Rows("SELECT epoch_us(_partition), sum(_cells) FROM compared WHERE _same GROUP BY ALL"));
  for (const auto& row : equal) {
    if (CertifiedRange* range = comparison->Find(row[0])) range->equal += std::stoll(row[1]);
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto different,
                            Rows("SELECT epoch_us(_partition), count(*) FROM compared WHERE NOT _same GROUP BY ALL"));
  for (const auto& row : different) {
    CertifiedRange* range = comparison->Find(row[0]);
    if (range == nullptr) continue;
    range->state = "differs";
    range->unexamined = std::stoll(row[1]);
    range->cause = comparison->causes.at(range->from);
  }
  return different.empty() ? OkStatus() : CompareGroups(comparison);
}

// Fetches the cells of the groups whose digests differ.
Status Reconciliation::CompareGroups(ViewComparison* comparison) {
  MILLRACE_ASSIGN_OR_RETURN(const auto groups, Rows("SELECT epoch_us(_partition), _range FROM compared WHERE NOT _same "
                                                    "ORDER BY ALL LIMIT " +
                                                    std::to_string(kGroupsMax)));
  std::string values;
  for (const auto& row : groups) {
    values += (values.empty() ? "VALUES (" : ", (") + SqlTimestamp(Timestamp::FromMicros(std::stoll(row[0]))) + ", " +
              row[1] + ")";
    if (CertifiedRange* range = comparison->Find(row[0])) --range->unexamined;
  }
  const std::string named = "SELECT * FROM (" + values + ") AS _groups(_partition, _range)";
  MILLRACE_RETURN_IF_ERROR(
      ReadOther("other_cells", batch::CellsOfGroupsSql(comparison->columns, unit_, comparison->other, named)));
  MILLRACE_RETURN_IF_ERROR(
      connection_->Execute("CREATE OR REPLACE TABLE batch_cells AS " +
                           batch::CellsOfGroupsSql(comparison->columns, unit_, comparison->batch, named)));
  return CompareCells(comparison);
}

// "flights=3, delayed=1" of one side.
std::string ValuesSql(const columnar::ViewColumns& columns, const std::string& side) {
  std::string sql;
  for (const columnar::ViewColumn& column : columns.value) {
    sql += ", " + QuoteLiteral(column.name + "=") + " || coalesce(CAST(" + side + "." + QuoteIdentifier(column.name) +
           " AS VARCHAR), 'NULL')";
  }
  return "if(" + side + "._partition IS NULL, '', concat_ws(', '" + sql + "))";
}

Status Reconciliation::CompareCells(ViewComparison* comparison) {
  std::string key;
  for (const LateKey& each : comparison->keys) {
    key += ", coalesce(b." + each.name + ", o." + each.name + ")";
  }
  std::string same_values;
  for (const columnar::ViewColumn& column : comparison->columns.value) {
    const std::string quoted = QuoteIdentifier(column.name);
    same_values += " AND b." + quoted + " IS NOT DISTINCT FROM o." + quoted;
  }
  MILLRACE_ASSIGN_OR_RETURN(
      const auto rows,
      Rows("SELECT epoch_us(coalesce(b._partition, o._partition)), concat_ws(' '" + key +
           ") AS _key, epoch_us(coalesce(b.window_start, o.window_start)), epoch_us(coalesce(b.window_end, "
           "o.window_end)) AS _end, CASE WHEN o._partition IS NULL THEN 'missing' WHEN b._partition IS NULL THEN "
           "'extra' "
           "WHEN true" +
           same_values + " THEN 'equal' ELSE 'mismatch' END, " + ValuesSql(comparison->columns, "b") + ", " +
           ValuesSql(comparison->columns, "o") + " FROM batch_cells AS b FULL OUTER JOIN other_cells AS o ON " +
           SameKeySql(comparison->keys, "b", "o") + " AND " + SameWindowSql("b", "o") + " ORDER BY _end, _key"));
  for (const auto& row : rows) {
    CertifiedRange* range = comparison->Find(row[0]);
    if (range == nullptr) continue;
    const std::string& kind = row[4];
    ++(kind == "equal"     ? range->equal
       : kind == "missing" ? range->missing
       : kind == "extra"   ? range->extra
                           : range->mismatch);
    if (kind == "equal") continue;
    if (certificate_.cells.size() >= kCellsShown) {
      ++certificate_.more_cells;
      continue;
    }
    certificate_.cells.push_back({.view = comparison->view->name,
                                  .key = row[1],
                                  .window_start = Timestamp::FromMicros(std::stoll(row[2])),
                                  .window_end = Timestamp::FromMicros(std::stoll(row[3])),
                                  .kind = kind,
                                  .batch = row[5],
                                  .other = row[6],
                                  .cause = range->cause});
  }
  return OkStatus();
}

// Partitions of one state are one range.
void Reconciliation::Conclude(const ViewComparison& comparison) {
  CertifiedView certified{.view = comparison.view->name, .certified_through = {}};
  bool is_prefix = true;
  for (const auto& [from, range] : comparison.ranges) {
    is_prefix = is_prefix && range.state == "certified";
    if (is_prefix) certified.certified_through = range.to;
    certificate_.agrees = certificate_.agrees && range.state != "differs";
    CertifiedRange* last = certificate_.ranges.empty() ? nullptr : &certificate_.ranges.back();
    const bool continues =
        last != nullptr && last->view == range.view && last->to == from && last->state == range.state;
    if (!continues || range.state == "differs") {
      certificate_.ranges.push_back(range);
      continue;
    }
    last->to = range.to;
    last->equal += range.equal;
    last->late += range.late;
  }
  certificate_.views.push_back(certified);
}

StatusOr<Certificate> Reconciliation::Run() {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<batch::ViewGeometry> geometries, GeometriesOf(invocation_, pipeline_));
  MILLRACE_ASSIGN_OR_RETURN(const batch::Partitioning partitioning,
                            batch::Partitioning::Of(invocation_.topology->every.value_or(Duration(0))));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ViewDescriptor> views, ViewsOfTopology(invocation_, pipeline_));
  MILLRACE_RETURN_IF_ERROR(Open());
  MILLRACE_RETURN_IF_ERROR(AwaitOther(geometries, partitioning));
  for (const ViewDescriptor& view : views) {
    if (!request_.view.empty() && request_.view != view.name) continue;
    MILLRACE_ASSIGN_OR_RETURN(ViewComparison comparison, Prepare(view));
    MILLRACE_RETURN_IF_ERROR(CompareDigests(&comparison).WithContext("view " + view.name));
    Conclude(comparison);
  }
  return std::move(certificate_);
}

}  // namespace

StatusOr<Certificate> Reconcile(const Invocation& invocation, const Pipeline& pipeline,
                                const CertificateRequest& request) {
  return Reconciliation(invocation, pipeline, request).Run();
}

}  // namespace millrace::cli
