// Several processes follow a topic while another one appends to it, is killed by SIGKILL at any moment and started
// again; followers are killed too. Each follower gets every acknowledged record once, in order, and none that is not in
// the log at the end.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "base/random.h"
#include "base/test_settings.h"
#include "log/log_samples.h"
#include "millrace/detail/hash.h"

namespace millrace::log {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr std::int32_t kPartitions = 3;
constexpr std::int64_t kPublishers = 2;
constexpr std::int64_t kAppendRecordsMax = 40;
constexpr int kFollowers = 4;
constexpr int kExitDone = 0;
constexpr int kExitFailed = 3;
constexpr auto kPatience = std::chrono::seconds(120);  // of the parent, for what takes a moment

/// What a writer was told of a record, and what a follower has seen: lines of numbers in a file of its own, which
/// survive its death.
struct Line {
  std::int32_t partition = 0;
  std::int32_t producer = 0;
  std::int64_t offset = 0;
  std::int64_t sequence = 0;
  std::uint64_t digest = 0;  // of all that the record says
  friend bool operator==(const Line&, const Line&) = default;
};

SampleRecord PublishedRecord(std::int64_t producer, std::int64_t sequence) {
  base::Random random(static_cast<std::uint64_t>(producer * 1'000'003 + sequence));
  SampleRecord record;
  if (random.Chance(0.8)) record.key = "k" + std::to_string(random.Below(7));
  record.data = std::to_string(producer) + ":" + std::to_string(sequence) + ":" +
                std::string(random.Below(random.Chance(0.02) ? 20'000 : 200), 'x');
  record.event_time = Timestamp::FromMillis(random.Between(-1'000'000, 1'000'000));
  return record;
}

std::uint64_t DigestOf(std::string_view key, std::string_view data, Timestamp event_time) {
  const std::uint64_t content = detail::HashCombine(detail::HashBytes(key), detail::HashBytes(data));
  return detail::HashCombine(content, static_cast<std::uint64_t>(event_time.micros()));
}

Line LineOf(const RecordView& view) {
  const std::string data(view.data);
  return {.partition = view.partition,
          .producer = static_cast<std::int32_t>(std::stoi(data)),
          .offset = view.offset,
          .sequence = std::stoll(data.substr(data.find(':') + 1)),
          .digest = DigestOf(view.key, view.data, view.event_time)};
}

std::vector<Line> ReadLines(const std::string& path) {
  std::vector<Line> lines;
  std::ifstream file(path, std::ios::binary);
  for (Line line; file.read(reinterpret_cast<char*>(&line), sizeof(line));) lines.push_back(line);
  return lines;
}

/// A file that is appended to, whole lines at a time.
class LineFile {
 public:
  explicit LineFile(const std::string& path) : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)) {}
  ~LineFile() { ::close(file_); }
  bool Append(const std::vector<Line>& lines) const {
    const auto bytes = static_cast<ssize_t>(lines.size() * sizeof(Line));
    return ::write(file_, lines.data(), static_cast<std::size_t>(bytes)) == bytes;
  }

 private:
  int file_;
};

int Fail(const std::string& what, const Status& status) {
  std::cerr << what << ": " << status << "\n";
  return kExitFailed;
}

/// The other processes of one trial.
struct Folder {
  std::string path;
  SyncPolicy sync = SyncPolicy::kAlways;
  std::int64_t segment_bytes = 0;

  std::string Log() const { return path + "/log"; }
  std::string Acknowledged() const { return path + "/acknowledged"; }
  std::string Seen(int follower) const { return path + "/seen-" + std::to_string(follower); }

  // Appends until each producer has sent so many records, then closes the topic.
  int Write(std::int64_t records, std::uint64_t seed) const {
    base::Random random(seed);
    const LineFile acknowledged(Acknowledged());
    StatusOr<std::unique_ptr<LogWriter>> opened = FailedPreconditionError("");
    // Followers that recover the topic take it for moments.
    while (!opened.ok() && opened.status().code() == StatusCode::kFailedPrecondition) {
      opened = LogWriter::Open(base::PosixFileSystem(), Log(), "t",
                               {.partitions = kPartitions,
                                .sync = sync,
                                .sync_interval = Milliseconds(5),
                                .segment_bytes = segment_bytes,
                                .report = [](const std::string&) {}});
    }
    if (!opened.ok()) return Fail("a writer cannot start", opened.status());
    LogWriter& writer = **opened;
    bool is_first = true;
    for (bool is_done = false; !is_done; is_first = false) {
      is_done = true;
      for (std::int64_t p = 0; p < kPublishers; ++p) {
        const std::string id = "producer-" + std::to_string(p);
        const std::int64_t next = writer.LastSequence(id) + 1;
        // A kill may have left the later records of an append and not the earlier ones.
        const std::int64_t again = is_first ? kAppendRecordsMax : (random.Chance(0.3) ? random.Between(1, 20) : 0);
        const std::int64_t count = is_first ? kAppendRecordsMax : random.Between(again + 1, kAppendRecordsMax);
        const std::int64_t first = std::max<std::int64_t>(0, next - again);
        const std::int64_t end = std::min(records, first + count);
        if (!is_first && next >= records) continue;
        is_done = false;
        std::vector<SampleRecord> some;
        for (std::int64_t i = first; i < end; ++i) some.push_back(PublishedRecord(p, i));
        const auto appended = AppendAll(writer, some, Producer{.id = id, .first_sequence = first});
        if (!appended.ok()) return Fail("an append", appended.status());
        std::vector<Line> lines;
        for (std::size_t i = 0; i < some.size(); ++i) {
          if ((*appended)[i].offset < 0) continue;
          lines.push_back({.partition = (*appended)[i].partition,
                           .producer = static_cast<std::int32_t>(p),
                           .offset = (*appended)[i].offset,
                           .sequence = first + static_cast<std::int64_t>(i),
                           .digest = DigestOf(some[i].key, some[i].data, some[i].event_time)});
        }
        if (!acknowledged.Append(lines)) return kExitFailed;
      }
    }
    if (const Status closed = writer.AdvanceWatermark(Timestamp::Max()); !closed.ok()) return Fail("closing", closed);
    const Status closed = writer.Close();
    return closed.ok() ? kExitDone : Fail("the end", closed);
  }

  // Goes on behind what this follower has seen, until the topic is closed. Some open the topic anew all the time, also
  // while its writer is dead or recovers it.
  int Follow(int follower, std::uint64_t seed) const {
    base::Random random(seed);
    std::vector<std::int64_t> next(kPartitions);
    for (const Line& line : ReadLines(Seen(follower))) next[static_cast<std::size_t>(line.partition)] = line.offset + 1;
    const LineFile seen(Seen(follower));
    while (true) {
      const auto reader = LogReader::Open(base::PosixFileSystem(), Log(), "t");
      if (!reader.ok() && reader.status().code() == StatusCode::kNotFound) {
        std::this_thread::sleep_for(Milliseconds(1));
        continue;
      }
      if (!reader.ok()) return Fail("a follower cannot open the topic", reader.status());
      std::vector<std::unique_ptr<PartitionCursor>> cursors;
      for (std::int32_t p = 0; p < kPartitions; ++p) {
        auto cursor = (*reader)->Read(p, next[static_cast<std::size_t>(p)]);
        if (!cursor.ok()) return Fail("a follower cannot go on", cursor.status());
        cursors.push_back(*std::move(cursor));
      }
      const bool opens_anew = follower % 2 == 1;
      for (int polls = 0; !opens_anew || polls < 20; ++polls) {
        std::size_t closed = 0;
        for (std::size_t p = 0; p < cursors.size(); ++p) {
          std::vector<Line> lines;
          RecordView view;
          StatusOr<Found> found = cursors[p]->Next(&view);
          for (; found.ok() && *found == Found::kRecord; found = cursors[p]->Next(&view)) lines.push_back(LineOf(view));
          if (!found.ok()) return Fail("a follower", found.status());
          if (!seen.Append(lines)) return kExitFailed;
          next[p] = cursors[p]->next_offset();
          const auto range = (*reader)->Range(static_cast<std::int32_t>(p));
          if (range.ok() && range->closed() && cursors[p]->next_offset() == range->end) ++closed;
        }
        if (closed == cursors.size()) return kExitDone;
        std::this_thread::sleep_for(std::chrono::microseconds(random.Below(2'000)));
      }
    }
  }
};

/// A copy of this process that does one thing.
class Process {
 public:
  explicit Process(const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(work());
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { Kill(); }

  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Its exit code; -1 when it does not end.
  int Wait() {
    for (const auto deadline = std::chrono::steady_clock::now() + kPatience;
         std::chrono::steady_clock::now() < deadline; std::this_thread::sleep_for(Milliseconds(2))) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == 0) continue;
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return -1;
  }

 private:
  pid_t pid_;
};

class LogFollowTest : public ::testing::TestWithParam<SyncPolicy> {
 protected:
  LogFollowTest() {
    std::string path = (std::filesystem::temp_directory_path() / "millrace-follow-XXXXXX").string();
    folder_.path = ::mkdtemp(path.data());
  }
  ~LogFollowTest() override { std::filesystem::remove_all(folder_.path); }

  void Run(std::uint64_t seed) {
    base::Random random(seed);
    std::filesystem::remove_all(folder_.path);
    std::filesystem::create_directory(folder_.path);
    folder_.sync = GetParam();
    folder_.segment_bytes = random.Between(2'000, 60'000);
    std::map<int, std::unique_ptr<Process>> followers;
    const auto start = [&](int number) {
      followers[number] = std::make_unique<Process>([&, s = random.Next()] { return folder_.Follow(number, s); });
    };
    start(0);
    start(1);
    std::int64_t records = 0;
    const int lives = 6;
    for (int life = 0; life < lives; ++life) {
      records += random.Between(50, 400);
      // More than it can send before it is killed.
      Process writer([&, s = random.Next()] { return folder_.Write(1'000'000, s); });
      std::this_thread::sleep_for(std::chrono::microseconds(random.Between(0, 60'000)));
      writer.Kill();
      if (life == 2) start(2);
      if (life == 3) start(3);
      const int restarted = static_cast<int>(random.Below(kFollowers));
      if (followers.contains(restarted) && random.Chance(0.5)) {
        followers[restarted]->Kill();
        start(restarted);
      }
    }
    std::int64_t sent = 0;
    for (const Line& line : ReadLines(folder_.Acknowledged())) sent = std::max(sent, line.sequence + 1);
    Process last([&, s = random.Next()] { return folder_.Write(sent + records, s); });
    ASSERT_EQ(last.Wait(), kExitDone);
    for (auto& [number, follower] : followers) ASSERT_EQ(follower->Wait(), kExitDone) << "follower " << number;
    Check(sent + records);
  }

 private:
  void Check(std::int64_t records_of_producer) {
    const auto reader = LogReader::Open(base::PosixFileSystem(), folder_.Log(), "t");
    ASSERT_TRUE(reader.ok()) << reader.status();
    std::vector<std::vector<Line>> log;
    std::map<std::pair<std::int32_t, std::int64_t>, Line> by_sequence;
    for (std::int32_t p = 0; p < kPartitions; ++p) {
      std::vector<Line>& lines = log.emplace_back();
      const auto cursor = *(*reader)->Read(p, 0);
      RecordView view;
      StatusOr<Found> found = cursor->Next(&view);
      for (; found.ok() && *found == Found::kRecord; found = cursor->Next(&view)) lines.push_back(LineOf(view));
      ASSERT_TRUE(found.ok() && *found == Found::kControl) << found.status();
      for (const Line& line : lines) {
        ASSERT_TRUE(by_sequence.try_emplace({line.producer, line.sequence}, line).second) << line.sequence << " twice";
      }
    }
    ASSERT_EQ(by_sequence.size(), kPublishers * static_cast<std::size_t>(records_of_producer));
    const std::vector<Line> acknowledged = ReadLines(folder_.Acknowledged());
    ASSERT_FALSE(acknowledged.empty());
    for (const Line& line : acknowledged) {
      ASSERT_EQ(by_sequence.at({line.producer, line.sequence}), line) << "acknowledged: " << line.sequence;
    }
    for (int follower = 0; follower < kFollowers; ++follower) {
      std::vector<std::vector<Line>> seen(kPartitions);
      for (const Line& line : ReadLines(folder_.Seen(follower))) {
        seen[static_cast<std::size_t>(line.partition)].push_back(line);
      }
      ASSERT_EQ(seen, log) << "follower " << follower;
    }
  }

  Folder folder_;
};

TEST_P(LogFollowTest, EachFollowerGetsEachRecordOnceWhileTheWriterDies) {
  base::Random seeds(base::TestSeed() * 3 + static_cast<std::uint64_t>(GetParam()));
  const std::int64_t rounds = base::TestRounds(2, 100);
  for (std::int64_t round = 0; round < rounds; ++round) {
    const std::uint64_t seed = seeds.Next();
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    Run(seed);
    if (HasFatalFailure()) return;
  }
}

std::string NameOf(const ::testing::TestParamInfo<SyncPolicy>& policy) {
  if (policy.param == SyncPolicy::kAlways) return "Always";
  return policy.param == SyncPolicy::kInterval ? "Interval" : "Os";
}

INSTANTIATE_TEST_SUITE_P(Policies, LogFollowTest,
                         ::testing::Values(SyncPolicy::kAlways, SyncPolicy::kInterval, SyncPolicy::kOs), NameOf);

}  // namespace
}  // namespace millrace::log
