// What the tests of connectors share: a folder for the files of a test, and dead letters that are kept.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "millrace/io/view_sink.h"

namespace millrace::testing {

/// A new folder, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-connectors-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  void Write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
  }
  std::string Read(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return content.str();
  }
  /// The names in the folder, hidden ones too, sorted.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::string path_;
};

/// Keeps the dead letters of a run as their JSON.
class KeptLetters final : public DeadLetterSink {
 public:
  Status Write(std::span<const DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    for (const DeadLetter& letter : letters) letters_.push_back(letter.element);
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }
  std::vector<std::string> sorted() const {
    std::vector<std::string> letters = letters_;
    std::sort(letters.begin(), letters.end());
    return letters;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> letters_;
};

}  // namespace millrace::testing
