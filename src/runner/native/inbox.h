// What other workers have sent to one worker, in the order of sending per sender and operator. Bounded in batches;
// watermarks are small and always find room.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "millrace/core/timestamp.h"
#include "millrace/detail/batch.h"

namespace millrace::native {

struct Message {
  int node = 0;
  int from = 0;
  std::unique_ptr<detail::BatchBase> batch;  // null: a watermark
  Timestamp watermark;
};

/// Many senders, one receiver.
class Inbox {
 public:
  Inbox(std::size_t nodes, std::size_t capacity_batches) : queues_(nodes), capacity_(capacity_batches) {}

  /// False if the operator's queue is full; `message` is then untouched, and `sender`, if it is not null, is woken when
  /// there is room.
  bool TrySend(Message& message, Inbox* sender);
  /// The oldest message for the last operator, in topological order, that has one and is not before `first_node`.
  std::optional<Message> TryReceive(int first_node);
  /// Waits until there is a message for `first_node` or a later one, someone calls `Wake`, or the time is over.
  void Wait(int first_node, std::chrono::microseconds limit);
  void Wake();

 private:
  struct Queue {
    std::deque<Message> messages;
    std::size_t batches = 0;
    std::vector<Inbox*> waiting;  // senders that found no room
  };

  bool HasMessage(std::size_t first_node) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Queue> queues_;  // by operator
  std::size_t capacity_;
  std::size_t messages_ = 0;
  bool woken_ = false;
};

}  // namespace millrace::native
