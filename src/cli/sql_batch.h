// A recompute by SQL: which files of the archive and what of the log behind it the SQL sees, and which file is whose.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "batch/partitioning.h"
#include "batch/sql_engine.h"
#include "batch/store.h"
#include "cli/verbs.h"
#include "log/topic.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// The SQL files of these views. FAILED_PRECONDITION names all views that have none; NOT_FOUND names the file.
StatusOr<std::vector<batch::SqlView>> ReadSqlFiles(const Invocation& invocation,
                                                   const std::vector<ViewDescriptor>& views);

/// What the versions are known by that these files compute: it changes with the program and with each of the files.
std::string CodeVersionOf(const std::vector<batch::SqlView>& views);

/// What is computed, and where its files go.
struct SqlPortion {
  batch::Partitioning partitioning;
  batch::TimeRange range;        // of whole partitions
  batch::TimeRange event_times;  // of the records that its windows are made of
  log::Cut cut;
  std::string staging;  // an empty folder
  std::uint64_t version = 0;
};

/// What was computed.
struct SqlComputed {
  std::vector<batch::ComputedPartition> partitions;
  std::int64_t records = 0;
};

/// Runs each view's file over the records of the topic. CANCELLED when `cancel` became true.
StatusOr<SqlComputed> ComputeBySql(const Invocation& invocation, const std::vector<batch::SqlView>& views,
                                   const SqlPortion& portion, const std::shared_ptr<std::atomic<bool>>& cancel);

}  // namespace millrace::cli
