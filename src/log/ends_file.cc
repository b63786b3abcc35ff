#include "log/ends_file.h"

#include <chrono>
#include <thread>

#include "base/status_macros.h"
#include "log/byte_buffer.h"
#include "log/segment_format.h"
#include "log/topic_files.h"

namespace millrace::log {

namespace {

constexpr std::string_view kEndsMagic = "MRENDS01";
constexpr std::size_t kEndsHeaderBytes = 32;
constexpr std::size_t kEndsEntryBytes = 40;
// A read may meet a write of the same bytes, and the writer may be off the processor in the middle of it.
constexpr Duration kReadPatience = std::chrono::milliseconds(100);

}  // namespace

StatusOr<EndsFile> EndsFile::OpenForReading(base::FileSystem& files, const std::string& topic_folder,
                                            const TopicMetadata& topic) {
  const std::string path = topic_folder + kEndsFileName;
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, files.Open(path, base::OpenMode::kRead));
  return EndsFile(std::move(file), path, topic, kReadPatience);
}

StatusOr<EndsFile> EndsFile::OpenForWriting(base::FileSystem& files, const std::string& topic_folder,
                                            const TopicMetadata& topic) {
  const std::string path = topic_folder + kEndsFileName;
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, files.Open(path, base::OpenMode::kReadWrite));
  return EndsFile(std::move(file), path, topic, Duration(0));
}

// Bytes whose last eight are the checksum of the others. False: they are not whole.
StatusOr<bool> EndsFile::ReadSealed(std::uint64_t position, std::uint64_t seed, std::span<char> bytes) const {
  const std::size_t content = bytes.size() - sizeof(std::uint64_t);
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file_->ReadAt(position, std::as_writable_bytes(bytes)));
    if (count < bytes.size()) return false;
    if (Load<std::uint64_t>(bytes.data() + content) == Checksum({bytes.data(), content}, seed)) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::yield();
  }
}

StatusOr<WriterState> EndsFile::ReadState() const {
  char bytes[kEndsHeaderBytes];
  MILLRACE_ASSIGN_OR_RETURN(const bool whole, ReadSealed(0, 0, bytes));
  const auto state = whole ? Load<std::uint32_t>(bytes + 16) : 0;
  const bool fits = whole && std::string_view(bytes, kEndsMagic.size()) == kEndsMagic && state <= 2 &&
                    Load<std::uint64_t>(bytes + 8) == topic_id_ && Load<std::int32_t>(bytes + 20) == partitions_;
  if (fits) return static_cast<WriterState>(state);
  return DataLossError(path_ + " is damaged; open the topic for writing once to make it anew");
}

StatusOr<PartitionEnd> EndsFile::Read(std::int32_t partition) const {
  char bytes[kEndsEntryBytes];
  const auto number = static_cast<std::uint64_t>(partition);
  MILLRACE_ASSIGN_OR_RETURN(const bool whole, ReadSealed(kEndsHeaderBytes + kEndsEntryBytes * number, number, bytes));
  if (whole) {
    return PartitionEnd{.visible = Load<std::int64_t>(bytes),
                        .synced = Load<std::int64_t>(bytes + 8),
                        .watermark = Timestamp::FromMicros(Load<std::int64_t>(bytes + 16))};
  }
  return DataLossError(path_ + ", partition " + std::to_string(partition) +
                       " is damaged; open the topic for writing once to make it anew");
}

Status EndsFile::WriteState(WriterState state) {
  ByteBuffer bytes;
  bytes.Append(kEndsMagic);
  bytes.AppendNumber(topic_id_);
  bytes.AppendNumber(static_cast<std::uint32_t>(state));
  bytes.AppendNumber(partitions_);
  bytes.AppendNumber(Checksum(bytes.view(), 0));
  return file_->WriteAt(0, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

Status EndsFile::Write(std::span<const PartitionEnd> ends) {
  ByteBuffer bytes;
  std::uint64_t partition = 0;
  for (const PartitionEnd& end : ends) {
    bytes.AppendNumber(end.visible);
    bytes.AppendNumber(end.synced);
    bytes.AppendNumber(end.watermark.micros());
    bytes.AppendNumber(std::uint64_t{0});
    bytes.AppendNumber(Checksum(bytes.view().substr(bytes.size() - 32), partition++));
  }
  return file_->WriteAt(kEndsHeaderBytes, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

}  // namespace millrace::log
