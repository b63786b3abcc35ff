// The verb `publish`: the records of a file into a topic of the event log, each once however often it is run.
#include "cli/publish.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/progress_line.h"
#include "cli/publish_plan.h"
#include "cli/publish_report.h"
#include "cli/row_writer.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "log/log_writer.h"
#include "log/segment_format.h"
#include "millrace/detail/hash.h"

namespace millrace::cli {

namespace {

using Clock = std::chrono::steady_clock;

// Of one Append. A publish that is run again begins this many records before the last one that the log holds, so a
// larger number is another version of the plan.
constexpr std::int64_t kAppendRecordsMax = 4096;
constexpr std::size_t kAppendBytesMax = std::size_t{8} << 20;
constexpr std::uint64_t kPlanVersion = 1;
constexpr double kAppendsPerSecond = 50;  // at a given rate
constexpr auto kProgressEvery = std::chrono::milliseconds(200);
constexpr auto kRatePause = std::chrono::milliseconds(50);
constexpr auto kRetentionEvery = std::chrono::seconds(1);
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

StatusOr<std::uint64_t> DigestOf(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                            base::PosixFileSystem().Open(path, base::OpenMode::kRead));
  std::string bytes(kReadBytes, '\0');
  std::uint64_t digest = 0;
  for (std::uint64_t at = 0;; at += kReadBytes) {
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file->ReadAt(at, std::as_writable_bytes(std::span(bytes))));
    digest = detail::HashCombine(digest, detail::HashBytes(std::string_view(bytes).substr(0, count)));
    if (count < kReadBytes) return digest;
  }
}

// The same file, seed and shares are the same producer.
std::string ProducerId(std::uint64_t digest, const PublishOptions& options) {
  std::uint64_t hash = detail::HashCombine(kPlanVersion, digest);
  for (const std::uint64_t part :
       {options.seed, std::bit_cast<std::uint64_t>(options.duplicates), std::bit_cast<std::uint64_t>(options.late),
        static_cast<std::uint64_t>(options.late_by.count()), std::bit_cast<std::uint64_t>(options.garbage)}) {
    hash = detail::HashCombine(hash, part);
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "publish-";
  for (int shift = 60; shift >= 0; shift -= 4) id += kDigits[(hash >> shift) & 15];
  return id;
}

// Appends what the plan gives.
class Publisher {
 public:
  Publisher(log::LogWriter& writer, std::string producer, const PublishOptions& options, PublishReport report,
            const Publishing& publishing, const StopSignals& signals)
      : writer_(writer),
        producer_(std::move(producer)),
        report_(std::move(report)),
        signals_(signals),
        has_retention_(options.retention_bytes || options.retention_age),
        rate_(options.rate),
        records_max_(rate_ > 0 ? std::clamp<std::int64_t>(std::llround(rate_ / kAppendsPerSecond), 1, kAppendRecordsMax)
                               : kAppendRecordsMax),
        logged_(writer.LastSequence(producer_) + 1),
        resume_at_(std::max<std::int64_t>(0, logged_ - kAppendRecordsMax)),
        line_(std::cerr, ::isatty(STDERR_FILENO) != 0, {.counted = "published", .time = "event time"}),
        plan_({.seed = options.seed,
               .duplicates = options.duplicates,
               .late = options.late,
               .late_by = options.late_by,
               .garbage = options.garbage},
              publishing, [this](PlannedRecord record) { return Take(std::move(record)); }) {}

  Status Add(ProducerRecord event) {
    if (*signals_.stop()) return CancelledError("stopped");
    return plan_.Add(std::move(event));
  }
  Status Finish() {
    MILLRACE_RETURN_IF_ERROR(plan_.Finish());
    MILLRACE_RETURN_IF_ERROR(Append());
    report_.AddDone(producer_, plan_.records());
    return report_.Finish();
  }
  /// Removes what the log need not keep, if the options say so. What goes wrong is said; nothing is lost by it.
  void ApplyRetention();
  void ClearLine() { line_.Clear(); }

  std::string Summary() const;
  std::int64_t appended() const { return appended_; }
  std::int64_t segments_removed() const { return segments_removed_; }

 private:
  Status Take(PlannedRecord planned) {
    report_.Add(planned);
    if (planned.sequence < resume_at_) return OkStatus();
    if (waiting_.empty()) first_sequence_ = planned.sequence;
    waiting_bytes_ += planned.record.data.size();
    waiting_.push_back(std::move(planned.record));
    const bool is_full =
        static_cast<std::int64_t>(waiting_.size()) >= records_max_ || waiting_bytes_ >= kAppendBytesMax;
    return is_full ? Append() : OkStatus();
  }
  Status Append();
  Status Wait();
  double Elapsed_s() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  log::LogWriter& writer_;
  const std::string producer_;
  PublishReport report_;
  const StopSignals& signals_;
  const bool has_retention_;
  const double rate_;
  const std::int64_t records_max_;
  const std::int64_t logged_;     // so many of the producer's records the log held at the start
  const std::int64_t resume_at_;  // the sequence of the first record that is sent
  ProgressLine line_;
  PublishPlan plan_;
  std::vector<ProducerRecord> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::int64_t first_sequence_ = 0;
  std::int64_t appended_ = 0;
  std::int64_t sent_ = 0;  // appended or found to be there
  std::int64_t segments_removed_ = 0;
  std::string retention_problem_;  // that was said last
  const Clock::time_point started_ = Clock::now();
  Clock::time_point shown_at_ = Clock::now();
  Clock::time_point retained_at_ = Clock::now();
};

Status Publisher::Append() {
  if (waiting_.empty()) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(Wait());
  MILLRACE_RETURN_IF_ERROR(report_.Flush());
  const bool is_past_the_log = first_sequence_ + static_cast<std::int64_t>(waiting_.size()) > logged_;
  if (is_past_the_log) MILLRACE_RETURN_IF_ERROR(report_.CaughtUp());
  std::vector<log::AppendRecord> records;
  records.reserve(waiting_.size());
  for (const ProducerRecord& record : waiting_) {
    records.push_back({.event_time = record.event_time,
                       .key = record.key,
                       .data = record.data,
                       .attributes = record.attributes.empty() ? nullptr : &record.attributes});
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<log::Appended> appended,
                            writer_.Append(records, log::Producer{producer_, first_sequence_}));
  appended_ += std::count_if(appended.begin(), appended.end(), [](const auto& one) { return !one.duplicate; });
  sent_ += static_cast<std::int64_t>(records.size());
  waiting_.clear();
  waiting_bytes_ = 0;
  if (Clock::now() - retained_at_ >= kRetentionEvery) ApplyRetention();
  if (Clock::now() - shown_at_ >= kProgressEvery) {
    shown_at_ = Clock::now();
    line_.Show({.elements_read = appended_, .watermark = plan_.event_time(), .elapsed_s = Elapsed_s()});
  }
  return OkStatus();
}

void Publisher::ApplyRetention() {
  if (!has_retention_) return;
  const StatusOr<std::int64_t> removed = writer_.ApplyRetention();
  retained_at_ = Clock::now();
  if (removed.ok()) {
    segments_removed_ += *removed;
  } else if (removed.status().message() != retention_problem_) {
    retention_problem_ = removed.status().message();
    line_.Clear();
    std::cerr << "retention removes nothing: " << retention_problem_ << "\n";
  }
}

// Until the rate allows what is waiting.
Status Publisher::Wait() {
  while (true) {
    if (*signals_.stop()) return CancelledError("stopped");
    if (rate_ <= 0) return OkStatus();
    const auto due = started_ + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(static_cast<double>(sent_) / rate_));
    const auto left = due - Clock::now();
    if (left <= Clock::duration::zero()) return OkStatus();
    std::this_thread::sleep_for(std::min<Clock::duration>(left, kRatePause));
  }
}

// "3,000,000 events (30,012 late), 30,113 duplicates, 3,001 garbage records: 3,064,913 appended in 3.2 s (...)".
std::string Publisher::Summary() const {
  const std::int64_t late = plan_.count(PublishedKind::kLate);
  std::string text = GroupedDigits(plan_.count(PublishedKind::kEvent) + late) + " events";
  if (late > 0) text += " (" + GroupedDigits(late) + " late)";
  text += ", " + GroupedDigits(plan_.count(PublishedKind::kDuplicate)) + " duplicates, " +
          GroupedDigits(plan_.count(PublishedKind::kGarbage)) + " garbage records: " + GroupedDigits(appended_) +
          " appended";
  const std::int64_t before = plan_.records() - appended_;
  if (before > 0) text += ", " + GroupedDigits(before) + " were there before";
  if (const double elapsed = Elapsed_s(); elapsed > 0 && appended_ > 0) {
    text += " (" + GroupedDigits(static_cast<std::int64_t>(static_cast<double>(appended_) / elapsed)) + " per second)";
  }
  return text;
}

StatusOr<std::unique_ptr<log::LogWriter>> OpenTopic(const Invocation& invocation) {
  const std::string folder = invocation.pipeline.data_dir + "/log";
  const std::string& topic = invocation.pipeline.topic;
  if (const Status name = log::CheckTopicName(topic); !name.ok()) return UsageError(name.message());
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(base::PosixFileSystem(), folder).WithContext("--data_dir"));
  const std::optional<std::int32_t>& partitions = invocation.log.partitions;
  log::WriterOptions options{.partitions = partitions.value_or(log::kPartitionsDefault),
                             .sync = SyncPolicyOf(invocation.log),
                             .retention_age = invocation.publish.retention_age,
                             .retention_bytes = invocation.publish.retention_bytes,
                             .holder = "`" + invocation.program + " publish`"};
  if (invocation.publish.segment_bytes) options.segment_bytes = *invocation.publish.segment_bytes;
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<log::LogWriter> writer,
                            log::LogWriter::Open(base::PosixFileSystem(), folder, topic, std::move(options)));
  if (partitions && *partitions != writer->topic().partitions) {
    return FailedPreconditionError("--partitions=" + std::to_string(*partitions) + ": the topic " + topic + " has " +
                                   std::to_string(writer->topic().partitions) + ", which never changes");
  }
  return writer;
}

Status WithAdvice(const Status& status) {
  if (status.code() != StatusCode::kResourceExhausted && status.code() != StatusCode::kDataLoss) return status;
  return {status.code(), status.message() + "; what was published is kept: run the same command again to go on"};
}

}  // namespace

Status CheckPublishOptions(const PublishOptions& options) {
  const auto is_share = [](double share) { return share >= 0 && share <= 1; };
  if (!is_share(options.duplicates)) return UsageError("--duplicates is a share, from 0 to 1");
  if (!is_share(options.late)) return UsageError("--late is a share, from 0 to 1");
  if (!is_share(options.garbage)) return UsageError("--garbage is a share, from 0 to 1");
  if (options.late_by <= Duration(0)) return UsageError("--late_by is longer than nothing, such as 2h");
  if (!(options.rate >= 0) || options.rate > 1e9) return UsageError("--rate is a number of records per second, or 0");
  constexpr auto kSegmentBytesMax = static_cast<std::int64_t>(log::kSegmentBytesMax);
  if (options.segment_bytes && (*options.segment_bytes < 1 || *options.segment_bytes > kSegmentBytesMax)) {
    return UsageError("--segment_bytes is a number from 1 to " + std::to_string(kSegmentBytesMax));
  }
  if (options.retention_bytes && *options.retention_bytes < 1) return UsageError("--retention_bytes is at least 1");
  if (options.retention_age && *options.retention_age <= Duration(0)) {
    return UsageError("--retention_age is longer than nothing, such as 7d");
  }
  return OkStatus();
}

StatusOr<int> PublishVerb(const Invocation& invocation, const Publishing& publishing) {
  const std::string usage = invocation.program + " publish FILE --data_dir=DIR";
  if (invocation.arguments.size() != 1) return UsageError("say which file to publish: " + usage);
  if (invocation.pipeline.data_dir.empty()) return UsageError("say where the log is: " + usage);
  MILLRACE_RETURN_IF_ERROR(CheckPublishOptions(invocation.publish));
  MILLRACE_RETURN_IF_ERROR(CheckLogOptions(invocation.log));
  const std::string& file = invocation.arguments[0];
  MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t digest, DigestOf(file));
  const StopSignals signals;
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<log::LogWriter> writer, OpenTopic(invocation));
  MILLRACE_ASSIGN_OR_RETURN(PublishReport report,
                            PublishReport::Create(base::PosixFileSystem(), invocation.publish.report));
  Publisher publisher(*writer, ProducerId(digest, invocation.publish), invocation.publish, std::move(report),
                      publishing, signals);
  Status outcome = publishing.read(file, [&](ProducerRecord record) { return publisher.Add(std::move(record)); });
  if (outcome.ok()) outcome = publisher.Finish();
  publisher.ClearLine();
  if (*signals.stop() && outcome.code() == StatusCode::kCancelled) {
    MILLRACE_RETURN_IF_ERROR(writer->Close());
    std::cerr << invocation.program << ": stopped, " << GroupedDigits(publisher.appended())
              << " records were appended; run the same command again to go on\n";
    return kExitOfSignal + signals.signal();
  }
  if (!outcome.ok()) return WithAdvice(outcome);
  if (invocation.publish.close) MILLRACE_RETURN_IF_ERROR(WithAdvice(writer->AdvanceWatermark(Timestamp::Max())));
  publisher.ApplyRetention();
  MILLRACE_RETURN_IF_ERROR(WithAdvice(writer->Close()));
  std::cerr << invocation.program << ": " << publisher.Summary() << " to the topic " << invocation.pipeline.topic
            << (invocation.publish.close ? ", which is closed now" : "");
  if (publisher.segments_removed() > 0) {
    std::cerr << "; " << GroupedDigits(publisher.segments_removed()) << " old segments removed";
  }
  std::cerr << "\n";
  return 0;
}

}  // namespace millrace::cli
