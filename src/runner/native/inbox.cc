#include "runner/native/inbox.h"

#include <algorithm>
#include <utility>

namespace millrace::native {

bool Inbox::TrySend(Message& message, Inbox* sender) {
  {
    const std::lock_guard lock(mutex_);
    Queue& queue = queues_[static_cast<std::size_t>(message.node)];
    if (message.batch != nullptr) {
      if (queue.batches >= capacity_) {
        if (sender != nullptr && std::ranges::find(queue.waiting, sender) == queue.waiting.end()) {
          queue.waiting.push_back(sender);
        }
        return false;
      }
      ++queue.batches;
    }
    queue.messages.push_back(std::move(message));
    ++messages_;
  }
  changed_.notify_one();
  return true;
}

std::optional<Message> Inbox::TryReceive(int first_node) {
  std::unique_lock lock(mutex_);
  if (messages_ == 0) return std::nullopt;
  for (std::size_t node = queues_.size(); node-- > static_cast<std::size_t>(first_node);) {
    Queue& queue = queues_[node];
    if (queue.messages.empty()) continue;
    Message message = std::move(queue.messages.front());
    queue.messages.pop_front();
    if (message.batch != nullptr) --queue.batches;
    --messages_;
    const std::vector<Inbox*> waiting = std::exchange(queue.waiting, {});
    lock.unlock();
    for (Inbox* sender : waiting) sender->Wake();
    return message;
  }
  return std::nullopt;
}

bool Inbox::HasMessage(std::size_t first_node) const {
  if (messages_ == 0) return false;
  for (std::size_t node = first_node; node < queues_.size(); ++node) {
    if (!queues_[node].messages.empty()) return true;
  }
  return false;
}

void Inbox::Wait(int first_node, std::chrono::microseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return woken_ || HasMessage(static_cast<std::size_t>(first_node)); });
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
