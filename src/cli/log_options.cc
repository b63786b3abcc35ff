#include "cli/log_options.h"

#include "cli/verbs.h"

namespace millrace::cli {

Status CheckLogOptions(const LogOptions& options) {
  if (options.partitions && (*options.partitions < 1 || *options.partitions > log::kPartitionsMax)) {
    return UsageError("--partitions is a number from 1 to " + std::to_string(log::kPartitionsMax));
  }
  if (options.sync != "always" && options.sync != "interval" && options.sync != "os") {
    return UsageError("--sync is always, interval or os, not " + options.sync);
  }
  return OkStatus();
}

log::SyncPolicy SyncPolicyOf(const LogOptions& options) {
  if (options.sync == "interval") return log::SyncPolicy::kInterval;
  return options.sync == "os" ? log::SyncPolicy::kOs : log::SyncPolicy::kAlways;
}

}  // namespace millrace::cli
