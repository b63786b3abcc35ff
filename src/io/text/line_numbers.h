// Which line of its file a byte is in. Readers of ranges do not know, and need it only for bad records.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "millrace/core/status.h"
#include "millrace/detail/record_reader.h"

namespace millrace::detail {

/// Counts each part of a file about once, whoever asks: what was counted is noted every 4 MiB. Thread safe.
class LineNumbers {
 public:
  /// Where one reader counted last; its own, so that many bad records in a row cost nothing.
  struct Place {
    std::int64_t offset = -1;
    std::int64_t line = 0;
  };

  /// The number, from 1, of the line that holds byte `offset`. `last` is the caller's and is set.
  StatusOr<std::int64_t> Of(const std::string& path, std::int64_t offset, Place* last);
  void Clear();

 private:
  Place Nearest(const std::string& path, std::int64_t offset);
  void Note(const std::string& path, const Place& place);

  std::mutex mutex_;
  std::map<std::string, std::map<std::int64_t, std::int64_t>> noted_;  // by path: the line that holds a byte
};

}  // namespace millrace::detail
