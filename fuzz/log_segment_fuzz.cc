// Any bytes as the segments of a partition, with an index and published ends: a reader gives records or an error that
// names the file, recovery changes nothing but a torn end or refuses, and the topic can be written to after it. The
// input is a list of pieces: bytes as they are, or batches with a checksum that fits, so that what is behind the
// checksum is reached.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/simulated_file_system.h"
#include "input.h"
#include "log/ends_file.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/segment_format.h"
#include "log/segment_index.h"
#include "log/topic_files.h"
#include "millrace/core/json.h"

namespace millrace::log {
namespace {

using fuzz::Input;
using fuzz::Require;

const TopicMetadata kTopic{.topic = "t", .id = 7, .partitions = 1};
constexpr const char* kFolder = "log/t";

void Write(base::FileSystem& files, const std::string& path, std::string_view bytes) {
  auto file = files.Open(path, base::OpenMode::kReadWrite);
  Require(file.ok() && (*file)->Truncate(0).ok() && (*file)->WriteAt(0, std::as_bytes(std::span(bytes))).ok(), path);
}

/// What the input makes of a partition.
class Segments {
 public:
  explicit Segments(Input* in) : in_(*in) {
    Begin(in_.Take<std::uint8_t>() % 4 == 0 ? in_.Take<std::int64_t>() & std::numeric_limits<std::int64_t>::max() : 0);
    for (int pieces = 0; !in_.empty() && pieces < 64; ++pieces) AddPiece();
  }

  std::map<std::int64_t, std::string> files;  // by first offset

 private:
  void Begin(std::int64_t first_offset) {
    first_offset_ = offset_ = first_offset;
    std::string& bytes = files[first_offset];
    bytes.assign(kSegmentHeaderBytes, '\0');
    EncodeSegmentHeader({.topic_id = kTopic.id,
                         .first_offset = first_offset,
                         .previous_synced = in_.Take<std::uint8_t>() % 2 == 0,
                         .created_at = Timestamp::FromMicros(in_.Take<std::int64_t>()),
                         .watermark = Timestamp::FromMicros(in_.Take<std::int64_t>())},
                        bytes.data());
  }
  void AddPiece() {
    std::string& bytes = files[first_offset_];
    const auto kind = in_.Take<std::uint8_t>();
    switch (kind % 8) {
      case 0: bytes += in_.TakeText(in_.Take<std::uint8_t>()); break;
      case 1: Begin(offset_); break;
      case 2: bytes.resize(bytes.size() - in_.Take<std::uint8_t>() % bytes.size()); break;
      case 3: {  // anywhere in what is there
        const std::size_t at = in_.Take<std::uint16_t>() % (bytes.size() + 1);
        const std::string_view over = in_.TakeText(in_.Take<std::uint8_t>());
        bytes.replace(at, over.size(), over);
        break;
      }
      default: AddBatch(kind); break;
    }
  }
  void AddBatch(std::uint8_t kind) {
    BatchHeader header;
    header.first_offset = offset_;
    const bool is_plain = kind % 8 > 5;
    header.records = is_plain ? in_.Take<std::uint8_t>() : in_.Take<std::uint32_t>();
    header.kind = kind % 16 == 4 ? BatchKind::kControl : BatchKind::kRecords;
    header.producer_bytes = kind < 128 ? 0 : in_.Take<std::uint8_t>();
    header.synced_position = kind % 32 < 16 ? 0 : in_.Take<std::uint32_t>();
    if (!is_plain) {
      static_cast<void>(
          __builtin_add_overflow(header.first_offset, std::int64_t{in_.Take<std::int8_t>()}, &header.first_offset));
      header.sequence_span = in_.Take<std::uint32_t>();
      header.first_sequence = in_.Take<std::int64_t>();
      header.publish_time = Timestamp::FromMicros(in_.Take<std::int64_t>());
      header.least_event_time = Timestamp::FromMicros(in_.Take<std::int64_t>());
      header.greatest_event_time = Timestamp::FromMicros(in_.Take<std::int64_t>());
    }
    const std::string_view body = in_.TakeText(in_.Take<std::uint8_t>());
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    std::string batch(kBatchHeaderBytes, '\0');
    batch += body;
    std::string& bytes = files[first_offset_];
    SealBatch(header, SegmentSeed(kTopic.id, 0, first_offset_), bytes.size(), batch.data());
    bytes += batch;
    if (!__builtin_add_overflow(header.first_offset, std::int64_t{header.records}, &offset_) && offset_ >= 0) return;
    offset_ = first_offset_;
  }

  Input& in_;
  std::int64_t first_offset_ = 0;
  std::int64_t offset_ = 0;  // of the next batch
};

std::string PathOf(std::int64_t first_offset) { return PartitionFolder(kFolder, 0) + "/" + SegmentName(first_offset); }

void WriteEnds(base::FileSystem& files, Input* in) {
  const auto choice = in->Take<std::uint8_t>();
  if (choice % 4 == 3) return;
  auto ends = EndsFile::OpenForWriting(files, kFolder, kTopic);
  const PartitionEnd end{.visible = in->Take<std::int32_t>(),
                         .synced = choice < 128 ? 0 : in->Take<std::int32_t>(),
                         .watermark = Timestamp::FromMicros(in->Take<std::int64_t>())};
  Require(ends.ok() && ends->WriteState(static_cast<WriterState>(choice % 4)).ok() && ends->Write({&end, 1}).ok(),
          "the ends");
}

void WriteIndex(base::FileSystem& files, std::int64_t first_offset, Input* in) {
  auto index = IndexWriter::Create(files, kFolder, kTopic, 0, first_offset);
  std::vector<IndexEntry> entries(in->Take<std::uint8_t>() % 8);
  for (IndexEntry& entry : entries) {
    const auto choice = in->Take<std::uint8_t>();
    entry.offset = choice % 4 == 0 ? in->Take<std::int64_t>() : first_offset + in->Take<std::uint8_t>();
    entry.position = choice % 4 == 1 ? in->Take<std::uint64_t>() : in->Take<std::uint16_t>();
    entry.publish_time = Timestamp::FromMicros(in->Take<std::int64_t>());
  }
  Require(index.ok() && index->Append(entries).ok(), "the index");
}

void CheckError(const Status& status) {
  const bool is_right_code = status.code() == StatusCode::kDataLoss || status.code() == StatusCode::kOutOfRange;
  Require(is_right_code && status.message().find("log/t") != std::string::npos, status.ToString());
}

// Reads all that is published; gives the number of the records, or nothing after an error.
std::optional<std::int64_t> ReadAll(const LogReader& reader) {
  const StatusOr<PartitionRange> range = reader.Range(0);
  if (!range.ok()) return CheckError(range.status()), std::nullopt;
  const auto cursor = reader.Read(0, range->start);
  if (!cursor.ok()) {
    Require(cursor.status().code() == StatusCode::kOutOfRange, cursor.status().ToString());
    return std::nullopt;
  }
  for (std::int64_t next = range->start;; ++next) {
    Require((*cursor)->next_offset() == next, "offsets rise by one");
    RecordView view;
    const StatusOr<Found> found = (*cursor)->Next(&view);
    if (!found.ok()) return CheckError(found.status()), std::nullopt;
    if (*found == Found::kEnd) return next - range->start;
    // Ends in the middle of a batch are no writer's; then the batch is read to its end.
    Require(view.offset == next, "a record's offset");
    Require(view.event_time >= Timestamp::Min() && view.event_time <= Timestamp::Max(), "an impossible time");
    LogRecord record;
    view.CopyTo(&record);
    Require(record.attributes.size() <= view.attribute_count, "attributes");
  }
}

void Search(const LogReader& reader, Timestamp time) {
  for (const auto& found : {reader.OffsetOfEventTime(0, time), reader.OffsetOfPublishTime(0, time)}) {
    if (!found.ok()) CheckError(found.status());
  }
}

std::map<std::int64_t, std::string> Content(base::FileSystem& files) {
  std::map<std::int64_t, std::string> content;
  const std::string folder = PartitionFolder(kFolder, 0);
  const auto segments = ListSegments(files, folder);
  for (const std::int64_t first_offset : segments.value()) {
    content[first_offset] = base::ReadFile(files, PathOf(first_offset), 1 << 20).value();
  }
  return content;
}

// Recovers the topic and appends to it.
void Recover(base::FileSystem& files, const std::map<std::int64_t, std::string>& before) {
  base::ManualClock clock{Timestamp::FromSeconds(1'000)};
  int reports = 0;
  const WriterOptions options{.clock = &clock, .report = [&](const std::string&) { ++reports; }};
  auto writer = LogWriter::Open(files, "log", "t", options);
  if (!writer.ok()) {
    CheckError(writer.status());
    Require(Content(files) == before, "a refused recovery changes nothing");
    return;
  }
  for (const auto& [first_offset, bytes] : Content(files)) {
    const auto was = before.find(first_offset);
    Require(was != before.end() && was->second.starts_with(bytes), "recovery only cuts off");
    Require(bytes.size() == was->second.size() || reports > 0, "what is cut off is said");
  }
  const std::int64_t end = (*writer)->End()[0];
  const AppendRecord record{.key = "k", .data = "d"};
  const auto appended = (*writer)->Append({&record, 1});
  if (!appended.ok()) {  // a control record may have closed the topic
    Require(appended.status().code() == StatusCode::kFailedPrecondition, appended.status().ToString());
  } else {
    Require((*appended)[0].offset == end && (*writer)->End()[0] == end + 1, "the record is at the end");
  }
  Require((*writer)->Close().ok(), "the topic is closed");
  const auto reader = LogReader::Open(files, "log", "t");
  Require(reader.ok(), reader.status().ToString());
  static_cast<void>(ReadAll(**reader));
  const std::map<std::int64_t, std::string> recovered = Content(files);
  const auto again = LogWriter::Open(files, "log", "t", options);
  Require(again.ok(), again.status().ToString());
  Require((*again)->End()[0] == end + (appended.ok() ? 1 : 0), "the topic ends where it was closed");
  Require(Content(files) == recovered, "what was recovered is whole");
}

}  // namespace
}  // namespace millrace::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::log;
  fuzz::Input in(data, size);
  base::SimulatedFileSystem files({});
  if (!files.CreateFolders(PartitionFolder(kFolder, 0)).ok()) std::abort();
  Write(files, std::string(kFolder) + kTopicFileName, json::Write(kTopic));
  WriteEnds(files, &in);
  const auto time = Timestamp::FromMicros(in.Take<std::int64_t>());
  const bool has_index = in.Take<std::uint8_t>() % 2 == 0;
  if (has_index) WriteIndex(files, 0, &in);
  const Segments segments(&in);
  for (const auto& [first_offset, bytes] : segments.files) Write(files, PathOf(first_offset), bytes);
  if (const auto ends = EndsFile::OpenForReading(files, kFolder, kTopic);
      ends.ok() && ends->ReadState().ok() && *ends->ReadState() == WriterState::kClosed) {
    const auto reader = LogReader::Open(files, "log", "t");
    if (!reader.ok()) std::abort();
    static_cast<void>(ReadAll(**reader));
    Search(**reader, time);
  }
  Recover(files, segments.files);
  return 0;
}
