#include "storage/section_file.h"

#include <xxhash.h>

#include <cstring>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "millrace/detail/hash.h"
#include "storage/checkpoint_files.h"

namespace millrace::storage {
namespace {

constexpr std::string_view kFileMagic = "MRCHKPT1";
constexpr std::string_view kSectionMagic = "MRSC";
constexpr std::uint64_t kFileHeaderBytes = 40;
constexpr std::uint64_t kSectionHeaderBytes = 40;
constexpr std::uint64_t kChunkHeaderBytes = 16;
constexpr std::uint64_t kChunkBytesMax = 0xffff'ffff;
constexpr std::size_t kBufferBytes = 1 << 20;

std::uint64_t Checksum(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t SeedOf(const SectionRef& section) {
  using detail::HashCombine;
  return HashCombine(HashCombine(detail::HashWord(section.epoch), section.attempt), section.section);
}

std::uint64_t ChunkChecksum(const SectionRef& section, std::uint64_t chunk, std::string_view content) {
  const std::uint64_t place = detail::HashCombine(SeedOf(section), chunk);
  return Checksum(content, detail::HashCombine(place, content.size()));
}

template <class T>
void AppendNumber(T number, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));  // the machines are little-endian
  out->append(bytes, sizeof(T));
}

template <class T>
T NumberAt(std::string_view bytes, std::size_t offset) {
  T number{};
  std::memcpy(&number, bytes.data() + offset, sizeof(T));
  return number;
}

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string FileHeader(std::uint64_t epoch, std::uint64_t attempt, std::uint64_t sections) {
  std::string header(kFileMagic);
  AppendNumber(epoch, &header);
  AppendNumber(attempt, &header);
  AppendNumber(sections, &header);
  AppendNumber(Checksum(header, 0), &header);
  return header;
}

std::string SectionHeader(const SectionRef& section, std::uint64_t chunks) {
  std::string header(kSectionMagic);
  AppendNumber(section.section, &header);
  AppendNumber(chunks, &header);
  AppendNumber(section.bytes, &header);
  AppendNumber(section.checksum, &header);
  AppendNumber(Checksum(header, SeedOf(section)), &header);
  return header;
}

/// Reads one section; used once.
class SectionReader {
 public:
  SectionReader(std::string path, const SectionRef& section) : path_(std::move(path)), section_(section) {}

  Status Open(base::FileSystem& files);
  Status ReadHeader();
  Status ReadChunks(const std::function<Status(std::string chunk)>& visit);

 private:
  Status Damaged(std::uint64_t offset, const std::string& what) const {
    return DataLossError(path_ + ": section " + std::to_string(section_.section) + ", byte " + std::to_string(offset) +
                         ": " + what);
  }
  Status Read(std::uint64_t bytes, std::string* into);

  const std::string path_;
  const SectionRef& section_;
  std::unique_ptr<base::File> file_;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;
  std::uint64_t chunks_ = 0;
};

Status SectionReader::Open(base::FileSystem& files) {
  StatusOr<std::unique_ptr<base::File>> file = files.Open(path_, base::OpenMode::kRead);
  if (!file.ok() && file.status().code() == StatusCode::kNotFound) return DataLossError(path_ + " is missing");
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  MILLRACE_ASSIGN_OR_RETURN(size_, file_->Size());
  std::string header;
  MILLRACE_RETURN_IF_ERROR(Read(kFileHeaderBytes, &header));
  if (!header.starts_with(kFileMagic)) return Damaged(0, "it is no data file of a checkpoint");
  if (NumberAt<std::uint64_t>(header, 32) != Checksum(std::string_view(header).substr(0, 32), 0)) {
    return Damaged(0, "the checksum of the file header does not match");
  }
  if (header != FileHeader(section_.epoch, section_.attempt, NumberAt<std::uint64_t>(header, 24))) {
    return Damaged(0, "the file is of epoch " + std::to_string(NumberAt<std::uint64_t>(header, 8)) + ", attempt " +
                          std::to_string(NumberAt<std::uint64_t>(header, 16)));
  }
  return OkStatus();
}

Status SectionReader::Read(std::uint64_t bytes, std::string* into) {
  if (at_ > size_ || bytes > size_ - at_) {
    return Damaged(at_, std::to_string(bytes) + " bytes are needed, the file has " + std::to_string(size_));
  }
  into->resize(bytes);
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file_->ReadAt(at_, std::as_writable_bytes(std::span(*into))));
  if (count != bytes) return Damaged(at_ + count, "the file ends here");
  at_ += bytes;
  return OkStatus();
}

Status SectionReader::ReadHeader() {
  at_ = section_.offset;
  std::string header;
  MILLRACE_RETURN_IF_ERROR(Read(kSectionHeaderBytes, &header));
  chunks_ = NumberAt<std::uint64_t>(header, 8);
  if (!header.starts_with(kSectionMagic) ||
      NumberAt<std::uint64_t>(header, 32) != Checksum(std::string_view(header).substr(0, 32), SeedOf(section_))) {
    return Damaged(section_.offset, "the checksum of the section header does not match");
  }
  if (header != SectionHeader(section_, chunks_)) {
    return Damaged(section_.offset, "this is not the section that the manifest means");
  }
  return OkStatus();
}

Status SectionReader::ReadChunks(const std::function<Status(std::string chunk)>& visit) {
  std::uint64_t left = section_.bytes;
  std::string checksums;
  std::string header;
  for (std::uint64_t i = 0; i < chunks_; ++i) {
    const std::uint64_t offset = at_;
    MILLRACE_RETURN_IF_ERROR(Read(kChunkHeaderBytes, &header));
    const auto bytes = NumberAt<std::uint64_t>(header, 0);
    const auto checksum = NumberAt<std::uint64_t>(header, 8);
    if (bytes > left) return Damaged(offset, "the length of chunk " + std::to_string(i) + " is damaged");
    std::string content;
    MILLRACE_RETURN_IF_ERROR(Read(bytes, &content));
    if (ChunkChecksum(section_, i, content) != checksum) {
      return Damaged(offset, "the checksum of chunk " + std::to_string(i) + " does not match");
    }
    left -= bytes;
    AppendNumber(checksum, &checksums);
    MILLRACE_RETURN_IF_ERROR(visit(std::move(content)));
  }
  if (left != 0 || Checksum(checksums, SeedOf(section_)) != section_.checksum) {
    return Damaged(section_.offset, "the checksum of the section does not match");
  }
  return OkStatus();
}

}  // namespace

SectionFileWriter::SectionFileWriter(std::unique_ptr<base::File> file, std::string name, std::uint64_t epoch,
                                     std::uint64_t attempt)
    : file_(std::move(file)),
      next_{.file = std::move(name), .epoch = epoch, .attempt = attempt},
      buffer_(kFileHeaderBytes, '\0') {}

StatusOr<SectionFileWriter> SectionFileWriter::Create(base::FileSystem& files, const std::string& folder,
                                                      std::uint64_t epoch, std::uint64_t attempt) {
  std::string name = DataFileName(epoch, attempt);
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file,
                            files.Open(folder + "/" + name, base::OpenMode::kReadWrite));
  MILLRACE_RETURN_IF_ERROR(file->Truncate(0));  // what an earlier writer may have left
  return SectionFileWriter(std::move(file), std::move(name), epoch, attempt);
}

Status SectionFileWriter::Append(std::string_view bytes) {
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
    return OkStatus();
  }
  MILLRACE_RETURN_IF_ERROR(Flush());
  if (bytes.size() < kBufferBytes) {
    buffer_.append(bytes);
    return OkStatus();
  }
  MILLRACE_RETURN_IF_ERROR(file_->WriteAt(buffer_offset_, Bytes(bytes)));
  buffer_offset_ += bytes.size();
  return OkStatus();
}

Status SectionFileWriter::Flush() {
  MILLRACE_RETURN_IF_ERROR(file_->WriteAt(buffer_offset_, Bytes(buffer_)));
  buffer_offset_ += buffer_.size();
  buffer_.clear();
  return OkStatus();
}

void SectionFileWriter::BeginSection(bool full) {
  next_.full = full;
  next_.offset = buffer_offset_ + buffer_.size();
  next_.bytes = 0;
  chunks_ = 0;
  chunk_checksums_.clear();
  buffer_.append(kSectionHeaderBytes, '\0');  // written when the section is complete
}

Status SectionFileWriter::AppendChunk(std::string_view chunk) {
  if (chunk.size() > kChunkBytesMax) {
    return InvalidArgumentError("a chunk of " + std::to_string(chunk.size()) +
                                " bytes is too large for a checkpoint; " + std::to_string(kChunkBytesMax) +
                                " is the most");
  }
  std::string header;
  AppendNumber(static_cast<std::uint64_t>(chunk.size()), &header);
  const std::uint64_t checksum = ChunkChecksum(next_, chunks_, chunk);
  AppendNumber(checksum, &header);
  AppendNumber(checksum, &chunk_checksums_);
  next_.bytes += chunk.size();
  ++chunks_;
  MILLRACE_RETURN_IF_ERROR(Append(header));
  return Append(chunk);
}

StatusOr<SectionRef> SectionFileWriter::EndSection() {
  next_.checksum = Checksum(chunk_checksums_, SeedOf(next_));
  const std::string header = SectionHeader(next_, chunks_);
  if (next_.offset >= buffer_offset_) {
    buffer_.replace(next_.offset - buffer_offset_, header.size(), header);
  } else {
    MILLRACE_RETURN_IF_ERROR(file_->WriteAt(next_.offset, Bytes(header)));
  }
  SectionRef section = next_;
  ++next_.section;
  return section;
}

Status SectionFileWriter::Finish() {
  MILLRACE_RETURN_IF_ERROR(Flush());
  MILLRACE_RETURN_IF_ERROR(file_->WriteAt(0, Bytes(FileHeader(next_.epoch, next_.attempt, next_.section))));
  return file_->Sync();
}

Status ReadSectionChunks(base::FileSystem& files, const std::string& folder, const SectionRef& section,
                         const std::function<Status(std::string chunk)>& visit) {
  SectionReader reader(folder + "/" + section.file, section);
  MILLRACE_RETURN_IF_ERROR(reader.Open(files));
  MILLRACE_RETURN_IF_ERROR(reader.ReadHeader());
  return reader.ReadChunks(visit);
}

}  // namespace millrace::storage
