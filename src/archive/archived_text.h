// Keys and attributes that are no text: a VARCHAR column cannot hold them, so the column `raw` does.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "millrace/core/status.h"
#include "millrace/io/log.h"

namespace millrace::archive {

bool IsUtf8(std::string_view text);

/// Whether key and attributes are valid UTF-8.
bool IsText(const LogRecord& record);

/// `text` with each byte that is part of no UTF-8 character replaced by U+FFFD.
std::string ReplaceInvalid(std::string_view text);

/// Key and attributes as the column `raw` has them.
std::string EncodeRaw(const LogRecord& record);
/// Sets key and attributes to what `EncodeRaw` gave; DATA_LOSS.
Status DecodeRaw(std::string_view bytes, LogRecord* record);

}  // namespace millrace::archive
