// Any bytes as the small files of a topic: topic.json, ends, a hold, an index, the snapshot of the producers. Each is
// taken, made anew, or refused by name; what is behind a checksum is reached because one that fits is put there. The
// first byte chooses the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/simulated_file_system.h"
#include "input.h"
#include "log/byte_buffer.h"
#include "log/ends_file.h"
#include "log/holds.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/producer_table.h"
#include "log/segment_index.h"
#include "log/topic_files.h"
#include "millrace/core/json.h"

namespace millrace::log {
namespace {

using fuzz::Input;
using fuzz::Require;

constexpr std::uint64_t kTopicId = 7;
const TopicMetadata kTopic{.topic = "t", .id = kTopicId, .partitions = 2};
constexpr const char* kFolder = "log/t";

void Write(base::FileSystem& files, const std::string& path, std::string_view bytes) {
  auto file = files.Open(path, base::OpenMode::kReadWrite);
  Require(file.ok() && (*file)->Truncate(0).ok() && (*file)->WriteAt(0, std::as_bytes(std::span(bytes))).ok(), path);
}

const base::ManualClock& Clock() {
  static const base::ManualClock clock{Timestamp::FromSeconds(1'000)};
  return clock;
}

StatusOr<std::unique_ptr<LogWriter>> OpenWriter(base::FileSystem& files) {
  return LogWriter::Open(files, "log", "t", {.clock = &Clock(), .report = [](const std::string&) {}});
}

// A topic with a producer's records in both partitions.
void MakeTopic(base::FileSystem& files) {
  Require(files.CreateFolders(std::string(kFolder) + kHoldsFolderName).ok(), "the folder");
  Write(files, std::string(kFolder) + kTopicFileName, json::Write(kTopic));
  auto writer = OpenWriter(files);
  Require(writer.ok(), writer.status().ToString());
  const std::vector<AppendRecord> records{{.data = "a", .partition = 0}, {.data = "b", .partition = 1}};
  Require((*writer)->Append(records, Producer{.id = "p"}).ok() && (*writer)->Close().ok(), "the topic");
}

// Opens the topic, whose records are there, and appends again what is there and one record more.
void UseTopic(base::FileSystem& files) {
  auto writer = OpenWriter(files);
  if (!writer.ok()) {
    Require(writer.status().code() == StatusCode::kDataLoss, writer.status().ToString());
    return;
  }
  const std::vector<AppendRecord> records{
      {.data = "a", .partition = 0}, {.data = "b", .partition = 1}, {.data = "c", .partition = 0}};
  static_cast<void>((*writer)->Append(records, Producer{.id = "p"}));
  static_cast<void>((*writer)->Append({records.data(), 1}, Producer{.id = "q", .first_sequence = 5}));
  Require((*writer)->Close().ok(), "the topic is closed");
  const auto reader = LogReader::Open(files, "log", "t");
  Require(reader.ok(), reader.status().ToString());
  for (std::int32_t p = 0; p < kTopic.partitions; ++p) {
    const auto range = (*reader)->Range(p);
    const auto cursor = (*reader)->Read(p, 0);
    Require(range.ok() && cursor.ok() && range->start == 0 && range->end >= 1, "the records are there");
    RecordView view;
    const auto found = (*cursor)->Next(&view);
    Require(found.ok() && view.data == (p == 0 ? "a" : "b"), "the first record is what it was");
  }
}

void CheckTopicFile(std::string_view bytes) {
  base::SimulatedFileSystem files({});
  Require(files.CreateFolders(kFolder).ok(), "the folder");
  Write(files, std::string(kFolder) + kTopicFileName, bytes);
  const StatusOr<TopicMetadata> topic = ReadTopic(files, "log", "t");
  if (!topic.ok()) {
    Require(topic.status().message().find("topic.json") != std::string::npos, topic.status().ToString());
    return;
  }
  Write(files, std::string(kFolder) + kTopicFileName, json::Write(*topic));
  const StatusOr<TopicMetadata> again = ReadTopic(files, "log", "t");
  Require(again.ok() && again->id == topic->id && again->partitions == topic->partitions, "it is written as it is");
}

void CheckHold(base::FileSystem& files, std::string_view bytes) {
  Write(files, std::string(kFolder) + kHoldsFolderName + "/h.json", bytes);
  const auto holds = ListHolds(files, "log", "t");
  auto writer = OpenWriter(files);
  Require(writer.ok(), writer.status().ToString());
  const auto removed = (*writer)->ApplyRetention();
  Require(removed.ok() == holds.ok(), "retention goes by the holds");
  if (holds.ok()) {
    Require(holds->size() == 1 && (*holds)[0].next_offsets.size() == 2, "one hold");
  } else {
    Require(
        holds.status().code() == StatusCode::kDataLoss && holds.status().message().find("h.json") != std::string::npos,
        holds.status().ToString());
  }
}

// As they are, or with checksums that fit.
void WriteEnds(base::FileSystem& files, Input* in) {
  const std::string path = std::string(kFolder) + kEndsFileName;
  if (in->Take<std::uint8_t>() % 2 == 0) return Write(files, path, in->TakeRest());
  auto ends = EndsFile::OpenForWriting(files, kFolder, kTopic);
  std::vector<PartitionEnd> of_partitions(2);
  for (PartitionEnd& end : of_partitions) {
    end = {.visible = in->Take<std::int64_t>(),
           .synced = in->Take<std::int64_t>(),
           .watermark = Timestamp::FromMicros(in->Take<std::int64_t>())};
  }
  Require(ends.ok() && ends->Write(of_partitions).ok(), "the ends");
  Require(ends->WriteState(static_cast<WriterState>(in->Take<std::uint8_t>() % 4)).ok(), "the state");
}

void WriteIndex(base::FileSystem& files, Input* in) {
  const std::string path = PartitionFolder(kFolder, 0) + "/" + IndexName(0);
  ByteBuffer bytes;
  if (in->Take<std::uint8_t>() % 2 == 0) {
    bytes.Append("MRINDEX1");
    bytes.AppendNumber(kTopicId);
    bytes.AppendNumber(std::int64_t{0});
    bytes.AppendNumber(Checksum(bytes.view(), 0));
  }
  while (!in->empty()) {
    const std::string_view entry = in->TakeText(40);
    bytes.Append(entry);
    if (entry.size() < 40) break;
    bytes.AppendNumber(Checksum(entry, Load<std::uint64_t>(entry.data() + 8)));
  }
  Write(files, path, bytes.view());
  bool whole = false;
  const auto index = ReadIndex(files, kFolder, kTopic, 0, 0, &whole);
  Require(index.ok(), index.status().ToString());
  const auto reader = LogReader::Open(files, "log", "t");
  Require(reader.ok(), reader.status().ToString());
  for (const std::int64_t offset : {0, 1}) {
    const auto cursor = (*reader)->Read(0, offset);
    RecordView view;
    const auto found = cursor.ok() ? (*cursor)->Next(&view) : cursor.status();
    Require(found.ok() && *found == (offset == 0 ? Found::kRecord : Found::kEnd), "an index is never trusted");
  }
  Require((*reader)->OffsetOfEventTime(0, Timestamp()).ok(), "nor for times");
}

void WriteProducers(base::FileSystem& files, std::string_view bytes, bool is_sealed) {
  ByteBuffer snapshot;
  if (is_sealed) {
    snapshot.Append("MRPRODU1");
    snapshot.AppendNumber(kTopicId);
    snapshot.AppendNumber(std::int32_t{2});
  }
  snapshot.Append(bytes);
  if (is_sealed) snapshot.AppendNumber(Checksum(snapshot.view(), kTopicId));
  Write(files, std::string(kFolder) + kProducersFileName, snapshot.view());
  ProducerTable table(100, std::chrono::hours(1));
  const std::optional<Cut> cut = table.Restore(kTopic, snapshot.view());
  if (!cut) return Require(table.size() == 0, "a damaged snapshot gives no producer");
  const std::string written = table.Snapshot(kTopic, *cut);
  Require(table.Restore(kTopic, written) == cut && table.Snapshot(kTopic, *cut) == written, "it is written as it is");
}

}  // namespace
}  // namespace millrace::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::log;
  fuzz::Input in(data, size);
  const auto choice = in.Take<std::uint8_t>() % 6;
  if (choice == 0) return CheckTopicFile(in.TakeRest()), 0;
  base::SimulatedFileSystem files({});
  MakeTopic(files);
  switch (choice) {
    case 1: CheckHold(files, in.TakeRest()); break;
    case 2: WriteEnds(files, &in); break;
    case 3: WriteIndex(files, &in); break;
    default: WriteProducers(files, in.TakeRest(), choice == 4); break;
  }
  UseTopic(files);
  return 0;
}
