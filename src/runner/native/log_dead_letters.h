// Where dead letters go when a run has no place for them: the first ones to the log, so that none is lost unseen.
#pragma once

#include <atomic>
#include <cstdint>

#include "millrace/io/view_sink.h"

namespace millrace::native {

class LogDeadLetters final : public DeadLetterSink {
 public:
  ~LogDeadLetters() override;
  Status Write(std::span<const DeadLetter> letters) override;
  Status Finish() override { return OkStatus(); }

 private:
  static constexpr std::int64_t kShown = 10;
  std::atomic<std::int64_t> seen_{0};
};

}  // namespace millrace::native
