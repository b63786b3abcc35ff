// The options of the verb `publish`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/core/options.h"

namespace millrace::cli {

/// What `publish` does to the records of its file, and how it appends them.
struct PublishOptions {
  double rate = 0;
  double duplicates = 0;
  double late = 0;
  Duration late_by = std::chrono::hours(2);
  double garbage = 0;
  std::uint64_t seed = 1;
  bool close = false;
  std::string report;
  std::optional<std::int64_t> segment_bytes;
  std::optional<std::int64_t> retention_bytes;
  std::optional<Duration> retention_age;

  static constexpr OptionHelp kOptionHelp[] = {
      {"rate", "records per second; 0: as fast as possible"},
      {"duplicates", "the share of events that are sent once more, up to an hour of event time later"},
      {"late", "the share of events that are held back"},
      {"late_by", "how much further event time has come when those are sent"},
      {"garbage", "garbage records for each event, beside it"},
      {"seed", "decides which events are sent again or held back"},
      {"close", "close the topic at the end: readers come to the end of time"},
      {"report", "write what was sent again, held back or garbage to that file, as JSON lines"},
      {"segment_bytes", "a segment of a partition is closed at about this size; 64 MiB unless it is given"},
      {"retention_bytes", "remove the oldest closed segments of a partition that has more bytes, unless they are held"},
      {"retention_age", "remove closed segments whose records were all appended longer ago, unless they are held"},
  };
};

/// INVALID_ARGUMENT names the option.
Status CheckPublishOptions(const PublishOptions& options);

}  // namespace millrace::cli
