#include "cli/dlq_marks.h"

#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr std::int32_t kMarksFormat = 1;
constexpr std::uint64_t kMarksBytesMax = std::uint64_t{1} << 26;
constexpr const char* kMarksFolder = "/dlq";

struct MarksHeader {
  std::int32_t format = 0;
};

StatusOr<std::vector<LetterMark>> ParseMarks(std::string_view text) {
  std::vector<LetterMark> marks;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return DataLossError("line " + std::to_string(line) + " is cut off");
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line == 1) {
      const StatusOr<MarksHeader> header = json::Parse<MarksHeader>(content);
      if (!header.ok()) return DataLossError("line 1: " + header.status().message());
      if (header->format == kMarksFormat) continue;
      return FailedPreconditionError("its format is " + std::to_string(header->format) + ", this program reads " +
                                     std::to_string(kMarksFormat));
    }
    StatusOr<LetterMark> mark = json::Parse<LetterMark>(content);
    if (!mark.ok()) return DataLossError("line " + std::to_string(line) + ": " + mark.status().message());
    marks.push_back(*std::move(mark));
  }
  return marks;
}

}  // namespace

std::string LetterMarks::PathOf(const std::string& data_dir) { return data_dir + kMarksFolder + "/marks.jsonl"; }

StatusOr<std::vector<LetterMark>> LetterMarks::Read(const std::string& data_dir) {
  const std::string path = PathOf(data_dir);
  const StatusOr<std::string> text = base::ReadFile(base::PosixFileSystem(), path, kMarksBytesMax);
  if (text.status().code() == StatusCode::kNotFound) return std::vector<LetterMark>();
  MILLRACE_RETURN_IF_ERROR(text.status());
  StatusOr<std::vector<LetterMark>> marks = ParseMarks(*text);
  if (marks.ok()) return marks;
  return Status(marks.status().code(), path + ": " + marks.status().message() +
                                           ". Restore it from a copy; without it letters that were discarded or " +
                                           "replayed are listed again, and would be put into the log twice");
}

StatusOr<LetterMarks> LetterMarks::Open(const std::string& data_dir) {
  base::FileSystem& files = base::PosixFileSystem();
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, data_dir + kMarksFolder));
  StatusOr<std::unique_ptr<base::FileLock>> lock = files.Lock(data_dir + kMarksFolder + "/lock");
  if (lock.status().code() == StatusCode::kFailedPrecondition) {
    return FailedPreconditionError("another process changes the dead letters of " + data_dir +
                                   "; try again when it is done");
  }
  MILLRACE_RETURN_IF_ERROR(lock.status());
  MILLRACE_ASSIGN_OR_RETURN(std::vector<LetterMark> marks, Read(data_dir));
  return LetterMarks(data_dir, *std::move(lock), std::move(marks));
}

Status LetterMarks::Save() const {
  if (marks_.size() > kMarksMax) {
    return ResourceExhaustedError("the dead letters of " + data_dir_ + " would have " + std::to_string(marks_.size()) +
                                  " marks; there is room for " + std::to_string(kMarksMax));
  }
  std::string text = json::Write(MarksHeader{.format = kMarksFormat}) + "\n";
  for (const LetterMark& mark : marks_) text += json::Write(mark) + "\n";
  return base::ReplaceFile(base::PosixFileSystem(), PathOf(data_dir_), text);
}

}  // namespace millrace::cli
