// Options of the verbs that write the event log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "log/log_writer.h"
#include "millrace/core/options.h"

namespace millrace::cli {

/// How topics are made, and when what is written counts as safe.
struct LogOptions {
  std::optional<std::int32_t> partitions;
  std::string sync = "always";

  static constexpr OptionHelp kOptionHelp[] = {
      {"partitions", "of a new topic; 4 unless it is given"},
      {"sync",
       "when a record, or an acknowledgement of Pub/Sub, counts as written: always (on the device), interval (50 ms "
       "later it is) or os"},
  };
};

/// INVALID_ARGUMENT names the option.
Status CheckLogOptions(const LogOptions& options);
/// Of options that were checked.
log::SyncPolicy SyncPolicyOf(const LogOptions& options);

}  // namespace millrace::cli
