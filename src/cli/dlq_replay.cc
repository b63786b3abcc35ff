// `dlq replay`: puts the records behind dead letters into the log again, or tries what this program would make of them.
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/dlq.h"
#include "cli/dlq_marks.h"
#include "cli/row_writer.h"
#include "cli/verbs.h"
#include "log/log_writer.h"
#include "log/reinjected.h"
#include "millrace/io/archive.h"
#include "millrace/io/view_sink.h"
#include "millrace/transforms/par_do.h"

namespace millrace::cli {

namespace {

using log::RecordPlace;

// At once; more are for the next call.
constexpr std::uint64_t kReplayedMax = 10'000;
constexpr std::int64_t kAppendBytesMax = std::int64_t{32} << 20;
constexpr const char* kRecordsLabel = "Records";

// By topic, then partition and offset.
using Places = std::map<std::string, std::set<std::pair<std::int32_t, std::int64_t>>>;

// Where a letter's record is in the log of this data directory.
std::optional<RecordPlace> PlaceOf(const ListedLetter& letter) {
  if (!letter.origin || !letter.position) return std::nullopt;
  return log::ParsePlace(*letter.origin + "/" + std::to_string(*letter.position));
}

// What can be replayed of what was chosen, and how many cannot.
struct Replayable {
  std::vector<ListedLetter> letters;
  std::int64_t late = 0;
  std::int64_t without_origin = 0;
};

StatusOr<Replayable> Divide(const Invocation& invocation, std::vector<ListedLetter> chosen) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> topics,
                            log::ListTopics(base::PosixFileSystem(), invocation.pipeline.data_dir + "/log"));
  Replayable result;
  for (ListedLetter& letter : chosen) {
    const std::optional<RecordPlace> place = PlaceOf(letter);
    if (letter.name == kLateName) {
      ++result.late;
    } else if (!place || std::find(topics.begin(), topics.end(), place->topic) == topics.end()) {
      ++result.without_origin;
    } else {
      result.letters.push_back(std::move(letter));
    }
  }
  return result;
}

void TellOfOthers(const Replayable& replayable) {
  if (replayable.late > 0) {
    std::cerr << replayable.late << " late letters are left out: they would be late again; a recompute corrects them\n";
  }
  if (replayable.without_origin > 0) {
    std::cerr << replayable.without_origin << " letters are left out: it is not known which record of the log of this "
              << "data directory they come from\n";
  }
}

Restriction OnlyRecord(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  return {.partition = topic + "/" + std::to_string(partition), .from = offset, .to = offset + 1};
}

struct TakeRecord {
  std::function<void(const LogRecord&)> take;
  void ProcessElement(const LogRecord& record) const { take(record); }
};

// The records at these places that are still in the log or the archive.
StatusOr<std::map<std::pair<std::int32_t, std::int64_t>, LogRecord>> ReadRecords(
    const Invocation& invocation, std::uint64_t generation, const std::string& topic,
    const std::set<std::pair<std::int32_t, std::int64_t>>& places) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  std::map<std::pair<std::int32_t, std::int64_t>, LogRecord> records;
  Pipeline pipeline;
  const archive::ReadOptions read{
      .folder = data_dir + "/archive", .log_folder = data_dir + "/log", .topic = topic, .until_closed = true};
  pipeline | kRecordsLabel >> archive::Read(read) | "Take" >> ParDo(TakeRecord{[&records](const LogRecord& record) {
                                                      records[{record.partition, record.offset}] = record;
                                                    }});
  RunOptions options;
  options.generation = generation;
  for (const auto& [partition, offset] : places) {
    options.restrictions[kRecordsLabel].push_back(OnlyRecord(topic, partition, offset));
  }
  MILLRACE_RETURN_IF_ERROR(pipeline.Run(options).status);
  return records;
}

// Appends the records of one topic whose marks say that they are being replayed, and marks them as done.
class Reinjection {
 public:
  Reinjection(const Invocation& invocation, const Letters& letters, LetterMarks& marks)
      : invocation_(invocation), letters_(letters), marks_(marks) {}

  /// What a call before this one has begun and not ended.
  Status Resume() {
    std::set<std::string> begun;  // producers
    for (const LetterMark& mark : marks_.marks()) {
      if (mark.mark == kReplaying) begun.insert(mark.producer);
    }
    is_resumed_ = true;
    for (const std::string& producer : begun) {
      const Status appended = Append(producer);
      if (!appended.ok() && !refused_) return appended;
    }
    is_resumed_ = false;
    return OkStatus();
  }

  /// Letters whose places are all in the log or the archive. Gives the number of records.
  StatusOr<std::int64_t> Replay(const std::vector<ListedLetter>& letters) {
    std::map<std::string, std::vector<const ListedLetter*>> by_topic;
    for (const ListedLetter& letter : letters) by_topic[PlaceOf(letter)->topic].push_back(&letter);
    std::int64_t records = 0;
    for (const auto& [topic, of_topic] : by_topic) {
      MILLRACE_ASSIGN_OR_RETURN(const std::int64_t added, ReplayTopic(of_topic));
      records += added;
    }
    return records;
  }

 private:
  StatusOr<std::int64_t> ReplayTopic(const std::vector<const ListedLetter*>& letters) {
    const Timestamp now = base::SystemClock().Now();
    const std::string producer = "dlq-" + std::to_string(letters_.generation()) + "-" + std::to_string(now.micros()) +
                                 "-" + std::to_string(::getpid()) + "-" + std::to_string(topics_++);
    // Several letters may come from one record, which is put back once.
    std::set<std::string> there;
    for (const LetterMark& mark : marks_.marks()) {
      if (mark.generation == letters_.generation() && mark.mark == kReplayed) there.insert(mark.place);
    }
    std::map<std::pair<std::int32_t, std::int64_t>, std::int64_t> sequences;
    for (const ListedLetter* letter : letters) {
      const RecordPlace place = *PlaceOf(*letter);
      if (!there.contains(place.ToString())) sequences.emplace(std::pair(place.partition, place.offset), 0);
    }
    std::int64_t next = 0;
    for (auto& [place, sequence] : sequences) sequence = next++;
    for (const ListedLetter* letter : letters) {
      const RecordPlace place = *PlaceOf(*letter);
      const auto sequence = sequences.find({place.partition, place.offset});
      LetterMark mark{.id = letter->id,
                      .generation = letters_.generation(),
                      .mark = kReplayed,
                      .place = place.ToString(),
                      .producer = {},
                      .sequence = 0,
                      .at = now};
      if (sequence != sequences.end()) {
        mark.mark = kReplaying;
        mark.producer = producer;
        mark.sequence = sequence->second;
      }
      marks_.marks().push_back(std::move(mark));
    }
    MILLRACE_RETURN_IF_ERROR(marks_.Save());
    if (next > 0) MILLRACE_RETURN_IF_ERROR(Append(producer));
    return next;
  }

  // What the marks say of a producer, which has one topic. Where the log has refused all of it, the marks go.
  Status Append(const std::string& producer) {
    refused_ = false;
    std::vector<LetterMark*> begun;
    for (LetterMark& mark : marks_.marks()) {
      if (mark.producer == producer) begun.push_back(&mark);
    }
    std::sort(begun.begin(), begun.end(),
              [](const LetterMark* a, const LetterMark* b) { return a->sequence < b->sequence; });
    const Status appended = AppendMarked(begun);
    if (!appended.ok() && !refused_) return appended;
    for (LetterMark* mark : begun) mark->mark = kReplayed;
    if (refused_) std::erase_if(marks_.marks(), [&](const LetterMark& mark) { return mark.producer == producer; });
    const Status saved = marks_.Save();
    return appended.ok() ? saved : appended;
  }

  Status AppendMarked(const std::vector<LetterMark*>& marks) {
    std::set<std::pair<std::int32_t, std::int64_t>> places;
    std::vector<RecordPlace> in_order;  // by sequence
    for (const LetterMark* mark : marks) {
      const std::optional<RecordPlace> place = log::ParsePlace(mark->place);
      if (!place) {
        return DataLossError(LetterMarks::PathOf(invocation_.pipeline.data_dir) + ": \"" + mark->place +
                             "\" names no place in the log");
      }
      if (places.emplace(place->partition, place->offset).second) in_order.push_back(*place);
    }
    const std::uint64_t generation = marks.front()->generation;
    MILLRACE_ASSIGN_OR_RETURN(const auto records, ReadRecords(invocation_, generation, in_order.front().topic, places));
    return AppendRecords(in_order, records, generation, marks.front()->producer);
  }

  Status AppendRecords(const std::vector<RecordPlace>& places,
                       const std::map<std::pair<std::int32_t, std::int64_t>, LogRecord>& records,
                       std::uint64_t generation, const std::string& producer) {
    std::map<std::pair<std::int32_t, std::int64_t>, std::map<std::string, std::string>> attributes;
    StatusOr<std::unique_ptr<log::LogWriter>> opened =
        log::LogWriter::Open(base::PosixFileSystem(), invocation_.pipeline.data_dir + "/log", places.front().topic,
                             {.holder = "`" + invocation_.program + " dlq replay`"});
    refused_ = !opened.ok() && !is_resumed_;
    MILLRACE_RETURN_IF_ERROR(opened.status());
    const std::unique_ptr<log::LogWriter> writer = *std::move(opened);
    std::vector<log::AppendRecord> batch;
    std::int64_t bytes = 0;
    std::int64_t first = 0;
    const auto flush = [&]() -> Status {
      if (batch.empty()) return OkStatus();
      const auto appended = writer->Append(batch, log::Producer{producer, first});
      const StatusCode code = appended.status().code();
      // Nothing of it is stored then, nor was before.
      refused_ = first == 0 && (code == StatusCode::kFailedPrecondition || code == StatusCode::kInvalidArgument);
      first += static_cast<std::int64_t>(batch.size());
      batch.clear();
      bytes = 0;
      return appended.status().WithContext("topic " + places.front().topic);
    };
    for (const RecordPlace& place : places) {
      const auto found = records.find({place.partition, place.offset});
      if (found == records.end()) {
        return NotFoundError("the record at " + place.ToString() + " is neither in the log nor in the archive");
      }
      const LogRecord& record = found->second;
      std::map<std::string, std::string>& own = attributes[found->first] = record.attributes;
      log::AddOrigin(place, generation, &own);
      batch.push_back({.event_time = record.event_time,
                       .key = record.key,
                       .data = record.data,
                       .attributes = &own,
                       .partition = place.partition});
      bytes += static_cast<std::int64_t>(record.data.size());
      if (bytes >= kAppendBytesMax) MILLRACE_RETURN_IF_ERROR(flush());
    }
    MILLRACE_RETURN_IF_ERROR(flush());
    return writer->Close();
  }

  const Invocation& invocation_;
  const Letters& letters_;
  LetterMarks& marks_;
  int topics_ = 0;
  bool is_resumed_ = false;  // what is appended may be there already
  bool refused_ = false;     // the log has taken nothing of what was appended last
};

// Letters whose records are gone.
StatusOr<std::vector<ListedLetter>> WithRecords(const Invocation& invocation, std::uint64_t generation,
                                                std::vector<ListedLetter> letters) {
  Places places;
  for (const ListedLetter& letter : letters) {
    const RecordPlace place = *PlaceOf(letter);
    places[place.topic].emplace(place.partition, place.offset);
  }
  std::set<std::string> there;
  for (const auto& [topic, of_topic] : places) {
    MILLRACE_ASSIGN_OR_RETURN(const auto records, ReadRecords(invocation, generation, topic, of_topic));
    for (const auto& [place, record] : records) {
      there.insert(RecordPlace{.topic = topic, .partition = place.first, .offset = place.second}.ToString());
    }
  }
  std::erase_if(letters, [&there](const ListedLetter& letter) { return !there.contains(PlaceOf(letter)->ToString()); });
  return letters;
}

/// Notes what the program refuses.
class RefusedLetters final : public DeadLetterSink {
 public:
  struct Cause {
    std::string name;
    std::string step;
    std::string reason;
    friend auto operator<=>(const Cause&, const Cause&) = default;
  };

  Status Write(std::span<const DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    for (const DeadLetter& letter : letters) {
      if (letter.origin.empty()) {
        ++without_origin_;
        continue;
      }
      refused_[letter.origin + "/" + std::to_string(letter.position)] = {letter.name, letter.step, letter.reason};
    }
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }

  const std::map<std::string, Cause>& refused() const { return refused_; }
  std::int64_t without_origin() const { return without_origin_; }

 private:
  std::mutex mutex_;
  std::map<std::string, Cause> refused_;  // by place
  std::int64_t without_origin_ = 0;
};

// The transforms whose output reaches a side input.
std::set<int> FeedSideInputs(const detail::Graph& graph) {
  std::vector<int> open;
  for (const detail::Transform& transform : graph.transforms()) {
    const auto* par_do = std::get_if<detail::ParDoPayload>(&transform.payload);
    if (par_do == nullptr) continue;
    for (const detail::SideInputUse& use : par_do->side_inputs)
      open.push_back(graph.pcollection(use.pcollection).producer);
  }
  std::set<int> seen;
  while (!open.empty()) {
    const int transform = open.back();
    open.pop_back();
    if (transform < 0 || !seen.insert(transform).second) continue;
    for (const int input : graph.transform(transform).inputs) open.push_back(graph.pcollection(input).producer);
  }
  return seen;
}

// What each source is to read: of the log the letters' records only.
Status RestrictSources(const Pipeline& pipeline, const Places& places, RunOptions* options) {
  const detail::Graph& graph = pipeline.graph();
  const std::set<int> feeds = FeedSideInputs(graph);
  bool any = false;
  for (std::size_t i = 0; i < graph.transforms().size(); ++i) {
    const detail::Transform& transform = graph.transform(static_cast<int>(i));
    const auto* read = std::get_if<detail::ReadPayload>(&transform.payload);
    if (read == nullptr) continue;
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<Restriction> described,
                              read->initial_restrictions({.workers = 1, .streaming = false}));
    std::vector<Restriction> wanted;
    bool is_of_letters = false;
    for (const auto& [topic, of_topic] : places) {
      for (const auto& [partition, offset] : of_topic) {
        Restriction only = OnlyRecord(topic, partition, offset);
        const bool is_here = std::any_of(described.begin(), described.end(),
                                         [&only](const Restriction& part) { return part.partition == only.partition; });
        is_of_letters = is_of_letters || is_here;
        if (is_here) wanted.push_back(std::move(only));
      }
    }
    any = any || is_of_letters;
    if (is_of_letters || !feeds.contains(static_cast<int>(i))) {
      options->restrictions[transform.label] = std::move(wanted);
    } else if (read->unbounded && !read->bounded_in_batch) {
      return UnimplementedError(transform.label + " gives a side input without end, so the letters cannot be tried");
    }
  }
  return any ? OkStatus()
             : FailedPreconditionError(
                   "this program does not read the log's topic that the letters come from; give "
                   "the options that the run was given");
}

StatusOr<int> Try(const Letters& letters, const std::vector<ListedLetter>& chosen, const BuildPipeline& build) {
  Pipeline pipeline;
  MILLRACE_RETURN_IF_ERROR(build(pipeline));
  Places places;
  for (const ListedLetter& letter : chosen) {
    const RecordPlace place = *PlaceOf(letter);
    places[place.topic].emplace(place.partition, place.offset);
  }
  auto refused = std::make_shared<RefusedLetters>();
  RunOptions options;
  options.threads = 1;
  options.dead_letters = refused;
  options.without_sinks = true;
  options.generation = letters.generation();
  MILLRACE_RETURN_IF_ERROR(RestrictSources(pipeline, places, &options));
  const PipelineResult result = pipeline.Run(options);
  MILLRACE_RETURN_IF_ERROR(result.status.WithContext("this program fails on the letters"));
  std::map<RefusedLetters::Cause, std::int64_t> again;
  std::int64_t rescued = 0;
  for (const ListedLetter& letter : chosen) {
    const auto found = refused->refused().find(PlaceOf(letter)->ToString());
    found == refused->refused().end() ? ++rescued : ++again[found->second];
  }
  std::cout << "this program would take " << rescued << " of " << chosen.size() << " letters\n";
  for (const auto& [cause, count] : again) {
    std::cout << "  " << count << " refused again by " << cause.step << " (" << cause.name << ")"
              << (cause.reason.empty() ? "" : ": " + cause.reason) << "\n";
  }
  if (refused->without_origin() > 0) {
    std::cout << "  " << refused->without_origin() << " elements were refused whose record is not known\n";
  }
  return 0;
}

}  // namespace

StatusOr<int> ReplayLetters(const Invocation& invocation, const std::vector<std::string>& ids,
                            const BuildPipeline& build) {
  MILLRACE_ASSIGN_OR_RETURN(const Letters letters, Letters::Open(invocation));
  std::optional<LetterMarks> marks;
  if (!invocation.dlq.dry_run) {
    MILLRACE_ASSIGN_OR_RETURN(LetterMarks opened, LetterMarks::Open(invocation.pipeline.data_dir));
    marks.emplace(std::move(opened));
    Reinjection earlier(invocation, letters, *marks);
    MILLRACE_RETURN_IF_ERROR(earlier.Resume().WithContext("going on with an earlier replay"));
  }
  const std::uint64_t limit = std::min(invocation.output.limit.value_or(kReplayedMax), kReplayedMax);
  MILLRACE_ASSIGN_OR_RETURN(std::vector<ListedLetter> chosen, letters.Choose(ids, limit));
  MILLRACE_ASSIGN_OR_RETURN(Replayable replayable, Divide(invocation, std::move(chosen)));
  TellOfOthers(replayable);
  const std::size_t count = replayable.letters.size();
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ListedLetter> there,
                            WithRecords(invocation, letters.generation(), std::move(replayable.letters)));
  if (there.size() < count) {
    std::cerr << count - there.size() << " letters are left out: their records are neither in the log nor in the "
              << "archive any more\n";
  }
  if (invocation.dlq.dry_run) return Try(letters, there, build);
  Reinjection reinjection(invocation, letters, *marks);
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t records, reinjection.Replay(there));
  std::cout << there.size() << (there.size() == 1 ? " letter" : " letters") << " replayed: " << records
            << (records == 1 ? " record" : " records") << " put into the log again for generation "
            << letters.generation() << "\n";
  return 0;
}

}  // namespace millrace::cli
