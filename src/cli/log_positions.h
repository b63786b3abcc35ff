// What a run's status says of the log and the archive of its data directory: how far the log goes, and what of it is
// archived.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/log_reader.h"
#include "millrace/runner/status.h"

namespace millrace::cli {

/// For sources that read topics of DIR/log, whose partitions are named "<topic>/<number>". One thread at a time.
class LogPositions {
 public:
  explicit LogPositions(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  /// Fills in `end`, `landed` and `archived_through` of every partition of a topic that there is. What cannot be read
  /// stays unknown: a status is told even if the disk is not well.
  void AddTo(RunStatus& status);

 private:
  using Clock = std::chrono::steady_clock;
  struct Topic {
    std::unique_ptr<log::LogReader> reader;  // null: there is no such topic
    std::vector<std::int64_t> archived;      // empty: there is no archive
    std::optional<Clock::time_point> tried_at;
    std::optional<Clock::time_point> archive_read_at;
  };

  Topic& TopicOf(const std::string& name);
  void ReadArchive(const std::string& name, Topic& topic) const;

  const std::string data_dir_;
  std::map<std::string, Topic> topics_;
};

}  // namespace millrace::cli
