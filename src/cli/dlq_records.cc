#include "cli/dlq_records.h"

#include <functional>
#include <memory>
#include <utility>

#include "archive/session.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/verbs.h"
#include "log/log_reader.h"
#include "millrace/io/archive.h"
#include "millrace/transforms/par_do.h"

namespace millrace::cli {

namespace {

constexpr const char* kRecordsLabel = "Records";

struct TakeRecord {
  std::function<void(const LogRecord&)> take;
  void ProcessElement(const LogRecord& record) const { take(record); }
};

// Those that the log or the archive reaches to.
StatusOr<std::set<PlaceInTopic>> Reachable(const std::string& data_dir, const std::string& topic,
                                           const std::set<PlaceInTopic>& places) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<log::LogReader> reader,
                            log::LogReader::Open(base::PosixFileSystem(), data_dir + "/log", topic));
  MILLRACE_ASSIGN_OR_RETURN(const archive::LoadedManifest archived,
                            archive::LoadManifest(*archive::OpenFolderStore(data_dir + "/archive/" + topic)));
  std::set<PlaceInTopic> reachable;
  for (const PlaceInTopic& place : places) {
    const auto& [partition, offset] = place;
    if (partition >= reader->topic().partitions) continue;
    MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, reader->Range(partition));
    const auto bounds = archived.manifest.BoundsOf(partition);
    const bool is_archived = bounds && bounds->first <= offset && offset < bounds->second;
    if (is_archived || (range.start <= offset && offset < range.end)) reachable.insert(place);
  }
  return reachable;
}

}  // namespace

std::optional<log::RecordPlace> PlaceOf(const ListedLetter& letter) {
  if (!letter.origin || !letter.position) return std::nullopt;
  return log::ParsePlace(*letter.origin + "/" + std::to_string(*letter.position));
}

PlacesByTopic PlacesOf(const std::vector<ListedLetter>& letters) {
  PlacesByTopic places;
  for (const ListedLetter& letter : letters) {
    const std::optional<log::RecordPlace> place = PlaceOf(letter);
    if (place) places[place->topic].emplace(place->partition, place->offset);
  }
  return places;
}

Restriction OnlyRecord(const std::string& topic, const PlaceInTopic& place) {
  return {.partition = topic + "/" + std::to_string(place.first), .from = place.second, .to = place.second + 1};
}

StatusOr<std::map<PlaceInTopic, LogRecord>> ReadRecords(const Invocation& invocation, std::uint64_t generation,
                                                        const std::string& topic,
                                                        const std::set<PlaceInTopic>& places) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  std::map<PlaceInTopic, LogRecord> records;
  Pipeline pipeline;
  const archive::ReadOptions read{
      .folder = data_dir + "/archive", .log_folder = data_dir + "/log", .topic = topic, .until_closed = true};
  pipeline | kRecordsLabel >> archive::Read(read) | "Take" >> ParDo(TakeRecord{[&records](const LogRecord& record) {
                                                      records[{record.partition, record.offset}] = record;
                                                    }});
  RunOptions options;
  options.generation = generation;
  MILLRACE_ASSIGN_OR_RETURN(const std::set<PlaceInTopic> reachable, Reachable(data_dir, topic, places));
  options.restrictions[kRecordsLabel] = {};
  for (const PlaceInTopic& place : reachable) options.restrictions[kRecordsLabel].push_back(OnlyRecord(topic, place));
  MILLRACE_RETURN_IF_ERROR(pipeline.Run(options).status);
  return records;
}

}  // namespace millrace::cli
