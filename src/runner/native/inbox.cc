#include "runner/native/inbox.h"

#include <utility>

namespace millrace::native {

bool Inbox::TrySend(Message& message) {
  {
    const std::lock_guard lock(mutex_);
    Queue& queue = queues_[static_cast<std::size_t>(message.node)];
    if (message.batch != nullptr) {
      if (queue.batches >= capacity_) return false;
      ++queue.batches;
    }
    queue.messages.push_back(std::move(message));
    if (messages_++ > 0) return true;  // the receiver has been told
  }
  changed_.notify_one();
  return true;
}

std::optional<Message> Inbox::TryReceive(int first_node) {
  const std::lock_guard lock(mutex_);
  if (messages_ == 0) return std::nullopt;
  for (std::size_t node = queues_.size(); node-- > static_cast<std::size_t>(first_node);) {
    Queue& queue = queues_[node];
    if (queue.messages.empty()) continue;
    Message message = std::move(queue.messages.front());
    queue.messages.pop_front();
    if (message.batch != nullptr) --queue.batches;
    --messages_;
    return message;
  }
  return std::nullopt;
}

void Inbox::Wait(std::chrono::microseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return messages_ > 0 || woken_; });
  woken_ = false;
}

void Inbox::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

}  // namespace millrace::native
