// Holds and retention look at each other one after the other, in whatever process they are.
#pragma once

#include <memory>
#include <string>

#include "base/file_system.h"
#include "log/holds.h"
#include "millrace/core/status.h"

namespace millrace::log {

/// Waits some seconds for it; UNAVAILABLE after that.
StatusOr<std::unique_ptr<base::FileLock>> LockHolds(base::FileSystem& files, const std::string& topic_folder);

}  // namespace millrace::log
