#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "millrace/io/files.h"

namespace millrace::io {

namespace {

namespace fs = std::filesystem;

Status FolderError(const std::string& folder, const std::error_code& error) {
  const std::string message = "folder " + folder + " cannot be listed: " + error.message();
  return error == std::errc::permission_denied ? PermissionDeniedError(message) : UnavailableError(message);
}

Status AddFolder(const std::string& folder, std::string_view suffix, std::vector<std::string>* files) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) return FolderError(folder, error);
  while (entries != fs::directory_iterator()) {
    const fs::directory_entry& entry = *entries;
    const std::string name = entry.path().filename().string();
    const bool hidden = name.starts_with('.') || name.starts_with('_');
    std::error_code ignored;  // a file that vanishes meanwhile is neither
    if (!hidden && entry.is_directory(ignored)) {
      if (Status added = AddFolder(entry.path().string(), suffix, files); !added.ok()) return added;
    } else if (!hidden && entry.is_regular_file(ignored) && name.ends_with(suffix)) {
      files->push_back(entry.path().string());
    }
    entries.increment(error);
    if (error) return FolderError(folder, error);
  }
  return OkStatus();
}

struct GlobResult {
  glob_t matches{};
  GlobResult() = default;
  GlobResult(const GlobResult&) = delete;
  GlobResult& operator=(const GlobResult&) = delete;
  ~GlobResult() { globfree(&matches); }
};

}  // namespace

StatusOr<std::vector<std::string>> FindFiles(const std::string& pattern, std::string_view folder_suffix) {
  std::vector<std::string> found{pattern};
  std::error_code error;
  if (!fs::exists(pattern, error)) {
    GlobResult result;
    const int outcome = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &result.matches);
    if (outcome == GLOB_NOSPACE) return ResourceExhaustedError("the pattern " + pattern + " matches too many files");
    found.assign(result.matches.gl_pathv, result.matches.gl_pathv + result.matches.gl_pathc);
  }
  std::vector<std::string> files;
  for (const std::string& path : found) {
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
    } else if (Status added = AddFolder(path, folder_suffix, &files); !added.ok()) {
      return added;
    }
  }
  if (files.empty()) {
    const std::string kind = folder_suffix.empty() ? "" : std::string(folder_suffix) + " ";
    return NotFoundError("no " + kind + "file matches \"" + pattern +
                         "\"; give a file, a folder, or a pattern such as folder/part-*");
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

}  // namespace millrace::io
