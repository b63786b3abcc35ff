#include "base/file_system.h"

#include <utility>

#include "base/status_macros.h"

namespace millrace::base {

std::string FolderOf(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

Status CreateDurableFolders(FileSystem& files, const std::string& folder) {
  const std::string above = FolderOf(folder);
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(folder));
  if (!exists) {
    if (above != folder && above != ".") MILLRACE_RETURN_IF_ERROR(CreateDurableFolders(files, above));
    MILLRACE_RETURN_IF_ERROR(files.CreateFolders(folder));
  }
  const Status synced = files.SyncFolder(above);
  // A folder far above may be closed to us: then we have not made what is in it.
  return exists && synced.code() == StatusCode::kPermissionDenied ? OkStatus() : synced;
}

StatusOr<std::string> ReadFile(FileSystem& files, const std::string& path, std::uint64_t max_bytes) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(path, OpenMode::kRead));
  MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size > max_bytes) {
    return ResourceExhaustedError(path + " has " + std::to_string(size) + " bytes; at most " +
                                  std::to_string(max_bytes) + " are read");
  }
  std::string content(size, '\0');
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file->ReadAt(0, std::as_writable_bytes(std::span(content))));
  content.resize(count);  // the file may have become shorter
  return content;
}

Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content) {
  const std::string unfinished = path + ".new";
  {
    MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.Open(unfinished, OpenMode::kReadWrite));
    MILLRACE_RETURN_IF_ERROR(file->Truncate(0));  // what a crash may have left
    MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(content))));
    MILLRACE_RETURN_IF_ERROR(file->Sync());
  }
  MILLRACE_RETURN_IF_ERROR(files.Rename(unfinished, path));
  return files.SyncFolder(FolderOf(path));
}

}  // namespace millrace::base
