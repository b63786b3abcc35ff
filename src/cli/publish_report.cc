#include "cli/publish_report.h"

#include <span>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

struct ReportLine {
  std::string kind;
  std::string id;
  std::int64_t sequence = 0;
  std::string data;
};

}  // namespace

StatusOr<PublishReport> PublishReport::Create(base::FileSystem& files, const std::string& path) {
  PublishReport report(files, path);
  if (path.empty()) return report;
  const std::string fresh = path + ".new";
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(fresh));
  if (exists) MILLRACE_RETURN_IF_ERROR(files.Remove(fresh).WithContext("--report"));
  StatusOr<std::unique_ptr<base::File>> file = files.Open(fresh, base::OpenMode::kCreate);
  if (!file.ok()) return file.status().WithContext("--report");
  report.file_ = *std::move(file);
  return report;
}

void PublishReport::AddLine(std::string_view kind, const std::string& id, std::int64_t sequence,
                            const std::string& data) {
  if (file_ == nullptr) return;
  json::Append(ReportLine{std::string(kind), id, sequence, data}, &lines_);
  lines_ += '\n';
}

void PublishReport::Add(const PlannedRecord& planned) {
  if (planned.kind == PublishedKind::kEvent) return;
  const bool is_garbage = planned.kind == PublishedKind::kGarbage;
  AddLine(PublishedKindName(planned.kind), planned.record.id, planned.sequence, is_garbage ? planned.record.data : "");
}

void PublishReport::AddDone(const std::string& producer, std::int64_t records) {
  AddLine("done", producer, records, "");
}

Status PublishReport::Flush() {
  if (file_ == nullptr || lines_.empty()) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(file_->Append(std::as_bytes(std::span(lines_))).WithContext("--report"));
  lines_.clear();
  return OkStatus();
}

Status PublishReport::CaughtUp() {
  if (file_ == nullptr || in_place_) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(Flush());
  MILLRACE_RETURN_IF_ERROR(file_->Sync().WithContext("--report"));
  MILLRACE_RETURN_IF_ERROR(files_->Rename(path_ + ".new", path_).WithContext("--report"));
  in_place_ = true;
  return files_->SyncFolder(base::FolderOf(path_));
}

Status PublishReport::Finish() {
  if (file_ == nullptr) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(CaughtUp());
  MILLRACE_RETURN_IF_ERROR(Flush());
  return file_->Sync().WithContext("--report");
}

}  // namespace millrace::cli
