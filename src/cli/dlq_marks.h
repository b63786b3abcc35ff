// What was decided about dead letters: docs/formats/dead_letters.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

inline constexpr const char* kDiscarded = "discarded";
inline constexpr const char* kReplaying = "replaying";
inline constexpr const char* kReplayed = "replayed";

struct LetterMark {
  std::string id = {};
  std::uint64_t generation = 0;
  std::string mark = {};
  std::string place = {};     // of a letter whose record is put into the log again
  std::string producer = {};  // of the record there
  std::int64_t sequence = 0;
  Timestamp at = {};
};

/// The file of marks in a data directory. One thread at a time.
class LetterMarks {
 public:
  static constexpr std::size_t kMarksMax = 100'000;

  /// To look at them: takes no lock.
  static StatusOr<std::vector<LetterMark>> Read(const std::string& data_dir);
  /// To change them. FAILED_PRECONDITION while another process does.
  static StatusOr<LetterMarks> Open(const std::string& data_dir);
  /// Where they are; the file is missing while there are none.
  static std::string PathOf(const std::string& data_dir);

  std::vector<LetterMark>& marks() { return marks_; }
  /// Replaces the file, durably. RESOURCE_EXHAUSTED when there are too many.
  Status Save() const;

 private:
  LetterMarks(std::string data_dir, std::unique_ptr<base::FileLock> lock, std::vector<LetterMark> marks)
      : data_dir_(std::move(data_dir)), lock_(std::move(lock)), marks_(std::move(marks)) {}

  std::string data_dir_;
  std::unique_ptr<base::FileLock> lock_;
  std::vector<LetterMark> marks_;
};

}  // namespace millrace::cli
