#include "server/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace millrace::server {

namespace {

// The seconds since 1970 at which the machine was started.
double BootTime_s() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

}  // namespace

ProcessFigures FiguresOfThisProcess() {
  ProcessFigures figures;
  std::ifstream file("/proc/self/stat");
  std::string text(std::istreambuf_iterator<char>(file), {});
  // The second field is the program's name in brackets, which may hold anything.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return figures;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  double start = 0;
  std::int64_t resident_pages = 0;
  fields >> user >> system;
  for (int i = 16; i < 20; ++i) fields >> skipped;
  fields >> figures.threads >> skipped >> start >> figures.virtual_bytes >> resident_pages;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  figures.cpu_s = (user + system) / ticks;
  figures.started_unix_s = BootTime_s() + start / ticks;
  figures.resident_bytes = static_cast<std::uint64_t>(resident_pages * ::sysconf(_SC_PAGESIZE));
  std::error_code ignored;
  const std::filesystem::directory_iterator open("/proc/self/fd", ignored);
  if (!ignored) figures.open_files = std::distance(begin(open), end(open));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.open_files_max = static_cast<std::int64_t>(limit.rlim_cur);
  return figures;
}

}  // namespace millrace::server
