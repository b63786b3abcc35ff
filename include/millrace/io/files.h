// Which files a pattern means; shared by all sources that read files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"

namespace millrace::io {

/// The files that `pattern` means, sorted by path, each once. It is
///
///   a file           that file
///   a folder         the files in it and below whose names end in `folder_suffix`
///   anything else    a pattern of the shell with `*`, `?` and `[a-z]`, none of which matches "/"; a folder that it
///                    matches stands for the files in it
///
/// In folders, names that begin with "." or "_" are left out: files still being written have such names. NOT_FOUND if
/// there is no file, PERMISSION_DENIED for a folder that may not be read; both name what was asked for. Thread safe.
StatusOr<std::vector<std::string>> FindFiles(const std::string& pattern, std::string_view folder_suffix = "");

}  // namespace millrace::io
