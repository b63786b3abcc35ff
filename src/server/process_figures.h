// What the system tells of this process.
#pragma once

#include <cstdint>

namespace millrace::server {

/// All 0 where the system does not tell.
struct ProcessFigures {
  double cpu_s = 0;  // of all threads
  double started_unix_s = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::int64_t threads = 0;
  std::int64_t open_files = 0;
  std::int64_t open_files_max = 0;
};

ProcessFigures FiguresOfThisProcess();

}  // namespace millrace::server
