#include "pubsub/topic_writers.h"

#include <iostream>
#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

TopicWriters::TopicWriters(base::FileSystem& files, std::string log_folder, TopicWritersOptions options,
                           const base::WallClock& clock, RetentionOf retention_of)
    : files_(files),
      log_folder_(std::move(log_folder)),
      options_(std::move(options)),
      clock_(clock),
      retention_of_(std::move(retention_of)) {}

TopicWriters::~TopicWriters() {
  for (auto& [topic, entry] : entries_) {
    if (entry->writer == nullptr) continue;
    if (const Status closed = entry->writer->Close(); !closed.ok()) {
      std::cerr << "closing the topic " << topic << ": " << closed.message() << "\n";
    }
  }
}

// With the entry's mutex.
Status TopicWriters::Open(const std::string& topic, bool creates, Entry& entry) {
  if (entry.writer != nullptr) return OkStatus();
  if (!creates) MILLRACE_RETURN_IF_ERROR(log::ReadTopic(files_, log_folder_, topic).status());
  log::WriterOptions writer{
      .partitions = options_.partitions, .sync = options_.sync, .retention_age = retention_of_(topic)};
  writer.holder = options_.holder;
  writer.clock = &clock_;
  auto opened = log::LogWriter::Open(files_, log_folder_, topic, std::move(writer));
  if (!opened.ok() && opened.status().code() == StatusCode::kFailedPrecondition) {
    return UnavailableError(opened.status().message() + "; try again when it has given it back");
  }
  MILLRACE_RETURN_IF_ERROR(opened.status());
  entry.writer = *std::move(opened);
  return OkStatus();
}

StatusOr<std::shared_ptr<TopicWriters::Entry>> TopicWriters::Acquire(const std::string& topic, bool creates) {
  std::shared_ptr<Entry> entry;
  {
    std::unique_lock lock(mutex_);
    std::shared_ptr<Entry>& known = entries_[topic];
    if (known == nullptr) known = std::make_shared<Entry>();
    entry = known;
    released_.wait(lock, [&] { return !entry->closing; });
    ++entry->users;
  }
  const std::lock_guard opening(entry->opening);
  const Status opened = Open(topic, creates, *entry);
  if (opened.ok()) return entry;
  Release(*entry);
  return opened;
}

void TopicWriters::Release(Entry& entry) {
  const std::lock_guard lock(mutex_);
  --entry.users;
  entry.used_at = clock_.Monotonic();
  released_.notify_all();
}

Status TopicWriters::Create(const std::string& topic) {
  const Status known = log::ReadTopic(files_, log_folder_, topic).status();
  if (known.ok()) return AlreadyExistsError("the log has the topic " + topic + " already");
  if (known.code() != StatusCode::kNotFound) return known;
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files_, log_folder_));
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Acquire(topic, true));
  Release(*entry);
  return OkStatus();
}

Status TopicWriters::Use(const std::string& topic, const std::function<Status(log::LogWriter&)>& use) {
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Acquire(topic, false));
  Status used = use(*entry->writer);
  Release(*entry);
  return used;
}

std::optional<log::Cut> TopicWriters::EndOf(const std::string& topic) {
  std::shared_ptr<Entry> entry;
  {
    std::unique_lock lock(mutex_);
    const auto known = entries_.find(topic);
    if (known == entries_.end()) return std::nullopt;
    entry = known->second;
    released_.wait(lock, [&] { return !entry->closing; });
    ++entry->users;
  }
  std::optional<log::Cut> end;
  {
    const std::lock_guard opening(entry->opening);
    if (entry->writer != nullptr) end = entry->writer->End();
  }
  Release(*entry);
  return end;
}

// Nobody uses it. Whoever comes now waits, and opens the topic again.
Status TopicWriters::Close(const std::shared_ptr<Entry>& entry, std::unique_lock<std::mutex>& lock) {
  if (entry->writer == nullptr) return OkStatus();
  entry->closing = true;
  lock.unlock();
  const std::unique_ptr<log::LogWriter> writer = std::move(entry->writer);
  Status closed = writer->Close();
  lock.lock();
  entry->closing = false;
  released_.notify_all();
  return closed;
}

Status TopicWriters::GiveBack(const std::string& topic) {
  std::unique_lock lock(mutex_);
  const auto known = entries_.find(topic);
  if (known == entries_.end()) return OkStatus();
  const std::shared_ptr<Entry> entry = known->second;
  released_.wait(lock, [&] { return entry->users == 0 && !entry->closing; });
  return Close(entry, lock);
}

void TopicWriters::Keep() {
  std::unique_lock lock(mutex_);
  const std::map<std::string, std::shared_ptr<Entry>> known = entries_;
  for (const auto& [topic, entry] : known) {
    if (entry->closing || entry->writer == nullptr) continue;
    if (entry->users == 0 && clock_.Monotonic() - entry->used_at >= options_.idle_after) {
      if (const Status closed = Close(entry, lock); !closed.ok()) {
        std::cerr << "closing the topic " << topic << ": " << closed.message() << "\n";
      }
      continue;
    }
    if (!retention_of_(topic)) continue;
    ++entry->users;
    lock.unlock();
    if (const auto removed = entry->writer->ApplyRetention(); !removed.ok()) {
      std::cerr << "retention removes nothing of the topic " << topic << ": " << removed.status().message() << "\n";
    }
    lock.lock();
    --entry->users;
    released_.notify_all();
  }
}

}  // namespace millrace::pubsub
