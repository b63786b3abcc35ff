#include "archive/range_reader.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace millrace::archive {

namespace {

constexpr std::size_t kBatchRecords = 512;

std::size_t ControlsBefore(const ArchivedRange& range, std::int64_t offset) {
  const auto at = std::lower_bound(range.controls.begin(), range.controls.end(), offset,
                                   [](const ArchivedControl& control, std::int64_t o) { return control.offset < o; });
  return static_cast<std::size_t>(at - range.controls.begin());
}

}  // namespace

StatusOr<RangeReader> RangeReader::Open(ArchiveStore& store, RecordFileFormat& format, const ArchivedRange& range,
                                        std::int64_t from, std::int64_t to, std::optional<Timestamp> from_time,
                                        std::optional<Timestamp> to_time) {
  RangeReader reader(format, range);
  reader.next_control_ = ControlsBefore(range, from);
  reader.end_control_ = ControlsBefore(range, to);
  const std::int64_t first = range.RowOf(from);
  const std::int64_t end = range.RowOf(to);
  if (range.path.empty() || first >= end) return reader;
  MILLRACE_ASSIGN_OR_RETURN(reader.path_, store.LocalPath(range.path));
  MILLRACE_RETURN_IF_ERROR(
      reader.FindParts(first, end, from_time.value_or(Timestamp::Min()), to_time.value_or(Timestamp::Max())));
  MILLRACE_RETURN_IF_ERROR(reader.ReadTimes());
  return reader;
}

Status RangeReader::ReadTimes() {
  MILLRACE_ASSIGN_OR_RETURN(least_from_, format_->LeastEventTimes(path_));
  for (std::size_t step = least_from_.size(); step-- > 1;) {
    least_from_[step - 1] = std::min(least_from_[step - 1], least_from_[step]);
  }
  return OkStatus();
}

Timestamp RangeReader::LeastEventTimeFrom(std::int64_t offset) const {
  if (range_.path.empty() || !range_.least_event_time) return Timestamp::Max();
  if (least_from_.empty()) return *range_.least_event_time;
  const auto step = static_cast<std::size_t>(range_.RowOf(offset) / kTimeStepRows);
  return step < least_from_.size() ? least_from_[step] : Timestamp::Max();
}

Status RangeReader::FindParts(std::int64_t first, std::int64_t end, Timestamp from_time, Timestamp to_time) {
  if (*range_.greatest_event_time < from_time || *range_.least_event_time >= to_time) return OkStatus();
  if (*range_.least_event_time >= from_time && *range_.greatest_event_time < to_time) {
    parts_.push_back({.first = first, .end = end});
    return OkStatus();
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<RecordFilePart> all, format_->Parts(path_));
  for (const RecordFilePart& part : all) {
    if (part.greatest_event_time && *part.greatest_event_time < from_time) continue;
    if (part.least_event_time && *part.least_event_time >= to_time) continue;
    const RecordFilePart wanted{.first = std::max(part.first, first), .end = std::min(part.end, end)};
    if (wanted.first < wanted.end) parts_.push_back(wanted);
  }
  std::reverse(parts_.begin(), parts_.end());
  return OkStatus();
}

Status RangeReader::Damaged(const std::string& what) const {
  return DataLossError("archive file " + range_.path + ": " + what +
                       ", which is not what the manifest says; `archive verify` checks all files");
}

// The offset of a row: that many records and the control records between them behind the range's first offset.
void RangeReader::ExpectRow(std::int64_t row) {
  expected_ = range_.from + row;
  expected_control_ = 0;
  ExpectNext();
}

void RangeReader::ExpectNext() {
  while (expected_control_ < range_.controls.size() && range_.controls[expected_control_].offset <= expected_) {
    ++expected_control_;
    ++expected_;
  }
}

// False at the end of the last part.
StatusOr<bool> RangeReader::FillBatch() {
  batch_next_ = 0;
  batch_size_ = 0;
  while (rows_left_ == 0) {
    if (parts_.empty()) return false;
    const RecordFilePart part = parts_.back();
    parts_.pop_back();
    MILLRACE_ASSIGN_OR_RETURN(file_, format_->Open(path_, part.first, part.end));
    rows_left_ = part.end - part.first;
    ExpectRow(part.first);
  }
  if (batch_.empty()) batch_.resize(kBatchRecords);
  MILLRACE_ASSIGN_OR_RETURN(batch_size_, file_->Read(batch_));
  if (batch_size_ == 0 || batch_size_ > static_cast<std::size_t>(rows_left_)) {
    batch_size_ = 0;
    return Damaged("its rows end before offset " + std::to_string(expected_));
  }
  rows_left_ -= static_cast<std::int64_t>(batch_size_);
  return true;
}

StatusOr<log::Found> RangeReader::Next() {
  bool has_record = batch_next_ < batch_size_;
  if (!has_record) {
    MILLRACE_ASSIGN_OR_RETURN(has_record, FillBatch());
  }
  const bool has_control = next_control_ < end_control_;
  if (has_control && (!has_record || range_.controls[next_control_].offset < expected_)) {
    ++next_control_;
    return log::Found::kControl;
  }
  if (!has_record) return log::Found::kEnd;
  const LogRecord& found = batch_[batch_next_++];
  if (found.partition != range_.partition || found.offset != expected_) {
    return Damaged("partition " + std::to_string(found.partition) + ", offset " + std::to_string(found.offset) +
                   " stands where partition " + std::to_string(range_.partition) + ", offset " +
                   std::to_string(expected_) + " is expected");
  }
  ++expected_;
  ExpectNext();
  return log::Found::kRecord;
}

}  // namespace millrace::archive
