// How a program publishes a file into the event log: what its verb `publish` needs to know.
//
//   Status ReadClicks(const std::string& file, const TakeRecord& take) {
//     return ForEach(json_lines::Read<Click>(file), [&](const Click& click, Timestamp) {
//       return take({.id = click.id, .event_time = click.at, .key = click.user, .data = json::Write(click)});
//     });
//   }
//   int main(int argc, char** argv) {
//     return millrace::Main(argc, argv, millrace::Job(Build).Publishes({.read = ReadClicks}));
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace {

/// A record of an input file, as it is appended to the log.
struct ProducerRecord {
  std::string id;  // names the record in the report; each occurs once in a file
  Timestamp event_time;
  std::string key;  // decides the partition, and order is kept for each key; an id has one key
  std::map<std::string, std::string> attributes{};
  std::string data{};
};

/// Takes a record; after an error the reading ends with it.
using TakeRecord = std::function<Status(ProducerRecord record)>;

/// What `publish` does with a file.
struct Publishing {
  /// Gives the records of the file to `take`, in the order in which they are to be sent, about that of event time, and
  /// the same ones each time: a publish that was interrupted reads the file again.
  std::function<Status(const std::string& file, const TakeRecord& take)> read;

  /// Makes, of a good record, the data of one that the job must send to the dead letters; `random` picks one of several
  /// ways. By default the good data, cut off in the middle.
  std::function<std::string(const ProducerRecord& good, std::uint64_t random)> garbage = nullptr;
};

}  // namespace millrace
