// What a publish did to its input, for those who check what became of it: JSON lines of everything that is no plain
// event.
//
//   {"kind":"late","id":"17","sequence":1204,"data":""}       held back
//   {"kind":"duplicate","id":"5","sequence":1311,"data":""}   sent once more
//   {"kind":"garbage","id":"garbage-0","sequence":1312,"data":"{\"id\":17,..."}
//   {"kind":"done","id":"<producer>","sequence":3064913,"data":""}   the last line; its sequence is the number of
//   records
//
// A line is in the file before its record is in the log, so the file names all that the log holds, whenever the publish
// is killed. One that is run again writes the same lines to FILE.new first, and gives it the place of FILE when it has
// come as far as the log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "cli/publish_plan.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// One thread.
class PublishReport {
 public:
  /// Begins `path`.new; an empty path: a report that is written nowhere.
  static StatusOr<PublishReport> Create(base::FileSystem& files, const std::string& path);

  /// The record will be published.
  void Add(const PlannedRecord& record);
  void AddDone(const std::string& producer, std::int64_t records);
  /// Writes the lines added so far.
  Status Flush();
  /// Everything that an earlier publish has put into the log is in the report: it takes its place. Again: nothing.
  Status CaughtUp();
  /// The last line is there.
  Status Finish();

 private:
  PublishReport(base::FileSystem& files, std::string path) : files_(&files), path_(std::move(path)) {}
  void AddLine(std::string_view kind, const std::string& id, std::int64_t sequence, const std::string& data);

  base::FileSystem* files_;
  std::string path_;
  std::unique_ptr<base::File> file_;  // null: written nowhere
  std::string lines_;
  bool in_place_ = false;
};

}  // namespace millrace::cli
