// One partition of an archive source as one copy of the source reads it: file after file, then the log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "archive/range_reader.h"
#include "io/archive/archive_input.h"
#include "millrace/core/source.h"
#include "millrace/io/archive.h"

namespace millrace::detail {

/// One thread at a time.
class ArchivePartitionReading {
 public:
  ArchivePartitionReading(const archive::ReadOptions& options, std::shared_ptr<ArchiveInput> input,
                          std::shared_ptr<const ManifestVersion> version, std::int32_t partition)
      : options_(options), input_(std::move(input)), partition_(partition) {
    Take(std::move(version));
  }

  /// Reads on at `tracker.from()`: from the archive if the manifest has that offset, else by `log`.
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& estimator,
                                     SourceOutput<LogRecord>& out, LogSource& log);

 private:
  enum class Step : std::uint8_t { kRefused, kRangeDone };

  void Take(std::shared_ptr<const ManifestVersion> version);
  StatusOr<bool> TakeNewer();
  Status Seek(const RestrictionTracker& tracker, const archive::ArchivedRange& range);
  StatusOr<Step> ReadRange(RestrictionTracker& tracker, WatermarkEstimator& estimator, SourceOutput<LogRecord>& out);
  StatusOr<ProcessContinuation> ReadLog(RestrictionTracker& tracker, WatermarkEstimator& estimator,
                                        SourceOutput<LogRecord>& out, LogSource& log);
  void Estimate(const RestrictionTracker& tracker, WatermarkEstimator& estimator) const;
  Status Nowhere(std::int64_t offset, const Status& reason) const;

  const archive::ReadOptions options_;
  const std::shared_ptr<ArchiveInput> input_;
  const std::int32_t partition_;
  std::shared_ptr<const ManifestVersion> version_;
  std::size_t first_range_ = 0;          // of the partition, in the manifest
  std::vector<Timestamp> least_unread_;  // by range of the partition: the least event time of it and those behind it
  Timestamp live_estimate_ = Timestamp::Min();  // the watermark at the manifest's cut
  std::optional<archive::RangeReader> reader_;
  std::int64_t reader_at_ = 0;   // the offset up to which `reader_` was claimed
  std::int64_t reader_end_ = 0;  // the offset behind what it reads
  bool pending_ = false;         // it has found something that could not be claimed
  ::millrace::log::Found found_ = ::millrace::log::Found::kEnd;
};

}  // namespace millrace::detail
