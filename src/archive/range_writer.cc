#include "archive/range_writer.h"

#include <algorithm>
#include <utility>

#include "archive/digest.h"
#include "archive/file_name.h"
#include "base/status_macros.h"

namespace millrace::archive {

namespace {

constexpr std::size_t kBufferRecords = 2048;

std::int64_t BytesOf(const LogRecord& record) {
  std::size_t bytes = record.key.size() + record.data.size();
  for (const auto& [name, value] : record.attributes) bytes += name.size() + value.size();
  return static_cast<std::int64_t>(bytes);
}

void Extend(std::optional<Timestamp>* least, std::optional<Timestamp>* greatest, Timestamp time) {
  if (!*least || time < **least) *least = time;
  if (!*greatest || time > **greatest) *greatest = time;
}

}  // namespace

RangeWriter::RangeWriter(ArchiveSession& session, base::FileSystem& files, RecordFileFormat& format,
                         const RangeLimits& limits, std::int32_t partition, std::int64_t from)
    : session_(session), files_(files), format_(format), limits_(limits), next_(from), buffer_(kBufferRecords) {
  range_.partition = partition;
  range_.from = from;
}

Status RangeWriter::Expect(std::int64_t offset) const {
  if (offset == next_) return OkStatus();
  return DataLossError("partition " + std::to_string(range_.partition) + ": offset " + std::to_string(offset) +
                       " follows where " + std::to_string(next_) + " is expected");
}

Status RangeWriter::AddSlot() {
  LogRecord& record = buffer_[buffered_];
  MILLRACE_RETURN_IF_ERROR(Expect(record.offset));
  const bool is_full = range_.count >= limits_.records_max || range_bytes_ >= limits_.bytes_max;
  const bool is_other_day = record.publish_time < day_begin_ || record.publish_time >= day_end_;
  if (range_.count == 0 || is_full || is_other_day) MILLRACE_RETURN_IF_ERROR(BeginDay(record.publish_time));
  LogRecord& taken = buffer_[buffered_];  // BeginDay may have moved it to the front
  Extend(&range_.least_event_time, &range_.greatest_event_time, taken.event_time);
  Extend(&range_.least_publish_time, &range_.greatest_publish_time, taken.publish_time);
  range_bytes_ += BytesOf(taken);
  ++range_.count;
  ++next_;
  return ++buffered_ == buffer_.size() ? FlushBuffer() : OkStatus();
}

Status RangeWriter::AddControl(const ArchivedControl& control) {
  MILLRACE_RETURN_IF_ERROR(Expect(control.offset));
  range_.controls.push_back(control);
  ++next_;
  return OkStatus();
}

// Ends the range if it has records, so that one of that day can begin; the record in the slot stays in the slot.
Status RangeWriter::BeginDay(Timestamp publish_time) {
  if (range_.count > 0) {
    const std::size_t slot = buffered_;
    MILLRACE_RETURN_IF_ERROR(EndRange());
    if (slot != buffered_) std::swap(buffer_[slot], buffer_[buffered_]);
  }
  day_ = DayOf(publish_time);
  day_begin_ = BeginOfDay(publish_time);
  day_end_ = EndOfDay(publish_time);
  return OkStatus();
}

Status RangeWriter::FlushBuffer() {
  if (buffered_ == 0) return OkStatus();
  if (file_ == nullptr) {
    MILLRACE_ASSIGN_OR_RETURN(staged_, session_.StagedPath());
    MILLRACE_ASSIGN_OR_RETURN(file_, format_.Create(staged_));
  }
  MILLRACE_RETURN_IF_ERROR(file_->Append(std::span(buffer_).first(buffered_)));
  buffered_ = 0;
  return OkStatus();
}

Status RangeWriter::EndRange() {
  if (next_ == range_.from) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(FlushBuffer());
  range_.to = next_;
  if (range_.count > 0) {
    MILLRACE_RETURN_IF_ERROR(file_->Close());
    file_.reset();
    MILLRACE_ASSIGN_OR_RETURN(ObjectDigest digest, DigestOfFile(files_, staged_));
    range_.bytes = digest.bytes;
    range_.digest = std::move(digest.hex);
    const FileName name{.day = day_,
                        .partition = range_.partition,
                        .from = range_.from,
                        .to = range_.to,
                        .attempt = session_.attempt()};
    range_.path = name.ToString(format_.extension());
    const Status put = session_.Put(range_.path, staged_);
    if (!put.ok()) static_cast<void>(files_.Remove(staged_));
    MILLRACE_RETURN_IF_ERROR(put);
    ++finished_files_;
  }
  ranges_.push_back(std::exchange(range_, {.partition = range_.partition, .from = next_}));
  range_bytes_ = 0;
  return OkStatus();
}

Status RangeWriter::Finish() { return EndRange(); }

}  // namespace millrace::archive
