#include "runner/native/shared_state.h"

#include <algorithm>
#include <utility>

namespace millrace::native {

namespace {

double PositionsOf(const Restriction& restriction) {
  return static_cast<double>(restriction.to) - static_cast<double>(restriction.from);
}

}  // namespace

void AddBeginnings(const std::vector<Restriction>& restrictions, Beginnings* beginnings) {
  for (const Restriction& restriction : restrictions) {
    const auto [at, is_new] = beginnings->emplace(restriction.partition, restriction.from);
    if (!is_new) at->second = std::min(at->second, restriction.from);
  }
}

SharedRestrictions::SharedRestrictions(std::vector<Restriction> restrictions, int workers)
    : total_(restrictions.size()),
      unbounded_(static_cast<std::size_t>(workers)),
      in_hand_(static_cast<std::size_t>(workers)) {
  std::size_t next = 0;
  for (Restriction& restriction : restrictions) {
    if (restriction.bounded()) {
      span_.total += PositionsOf(restriction);
      bounded_.push_back(std::move(restriction));
    } else {
      span_.bounded = false;
      unbounded_[next++ % unbounded_.size()].push_back(std::move(restriction));
    }
  }
  Timestamp low = Timestamp::Max();
  for (auto it = bounded_.rbegin(); it != bounded_.rend(); ++it) {
    low = std::min(low, it->least_event_time);
    bounded_low_.push_front(low);
  }
  UpdateLow();
}

std::optional<Restriction> SharedRestrictions::Claim(int worker) {
  const std::lock_guard lock(mutex_);
  auto& own = unbounded_[static_cast<std::size_t>(worker)];
  double& in_hand = in_hand_[static_cast<std::size_t>(worker)];
  span_.read += std::exchange(in_hand, 0);
  std::deque<Restriction>& from = own.empty() ? bounded_ : own;
  if (from.empty()) return std::nullopt;
  Restriction claimed = std::move(from.front());
  from.pop_front();
  if (&from == &bounded_) {
    bounded_low_.pop_front();
    in_hand = PositionsOf(claimed);
  }
  UpdateLow();
  return claimed;
}

std::vector<Restriction> SharedRestrictions::Pending() const {
  const std::lock_guard lock(mutex_);
  std::vector<Restriction> pending(bounded_.begin(), bounded_.end());
  for (const auto& own : unbounded_) pending.insert(pending.end(), own.begin(), own.end());
  return pending;
}

std::int64_t SharedRestrictions::Began(const Restriction& restriction) const {
  if (is_each_alone_) return restriction.from;
  const auto found = beginnings_.find(restriction.partition);
  return found == beginnings_.end() ? 0 : found->second;
}

ReadSpan SharedRestrictions::span() const {
  const std::lock_guard lock(mutex_);
  return span_;
}

void SharedRestrictions::UpdateLow() {
  Timestamp low = bounded_low_.empty() ? Timestamp::Max() : bounded_low_.front();
  for (const auto& own : unbounded_) {
    for (const Restriction& restriction : own) low = std::min(low, restriction.least_event_time);
  }
  low_.store(low.micros(), std::memory_order_release);
}

void SharedSideInput::Publish(const BoundedWindow& window, detail::SideInputValue value) {
  const std::lock_guard lock(mutex_);
  values_[window] = std::move(value);
}

void SharedSideInput::CompleteThrough(Timestamp watermark) {
  const std::lock_guard lock(mutex_);
  complete_ = std::max(complete_, watermark);
}

detail::SideInputValue SharedSideInput::Get(const BoundedWindow& main_window) const {
  BoundedWindow window = BoundedWindow::Global();
  if (fn_.kind != WindowFn::Kind::kGlobal) {
    bool found = false;
    fn_.ForEachWindow(main_window.max_timestamp(), [&](const BoundedWindow& candidate) {
      if (!found) window = candidate;
      found = true;
    });
  }
  const std::lock_guard lock(mutex_);
  const auto found = values_.find(window);
  if (found != values_.end()) return found->second;
  return complete_ >= window.end ? empty_ : nullptr;
}

void RunState::Fail(Status status) {
  const std::lock_guard lock(mutex_);
  if (status_.ok()) status_ = std::move(status);
  ended_.store(true, std::memory_order_release);
}

Status RunState::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace millrace::native
