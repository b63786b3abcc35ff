// `dlq replay`: puts the records behind dead letters into the log again.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/dlq.h"
#include "cli/dlq_marks.h"
#include "cli/dlq_records.h"
#include "cli/verbs.h"
#include "log/log_writer.h"
#include "millrace/io/view_sink.h"

namespace millrace::cli {

namespace {

using log::RecordPlace;

// At once; more are for the next call.
constexpr std::uint64_t kReplayedMax = 10'000;
constexpr std::int64_t kAppendBytesMax = std::int64_t{32} << 20;

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
    std::map<PlaceInTopic, std::int64_t> sequences;
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
    std::set<PlaceInTopic> places;
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

  Status AppendRecords(const std::vector<RecordPlace>& places, const std::map<PlaceInTopic, LogRecord>& records,
                       std::uint64_t generation, const std::string& producer) {
    std::map<PlaceInTopic, std::map<std::string, std::string>> attributes;
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
  std::set<std::string> there;
  for (const auto& [topic, of_topic] : PlacesOf(letters)) {
    MILLRACE_ASSIGN_OR_RETURN(const auto records, ReadRecords(invocation, generation, topic, of_topic));
    for (const auto& [place, record] : records) {
      there.insert(RecordPlace{.topic = topic, .partition = place.first, .offset = place.second}.ToString());
    }
  }
  std::erase_if(letters, [&there](const ListedLetter& letter) { return !there.contains(PlaceOf(letter)->ToString()); });
  return letters;
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
  if (invocation.dlq.dry_run) return TryLetters(letters.generation(), there, build);
  Reinjection reinjection(invocation, letters, *marks);
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t records, reinjection.Replay(there));
  std::cout << there.size() << (there.size() == 1 ? " letter" : " letters") << " replayed: " << records
            << (records == 1 ? " record" : " records") << " put into the log again for generation "
            << letters.generation() << "\n";
  return 0;
}

}  // namespace millrace::cli
