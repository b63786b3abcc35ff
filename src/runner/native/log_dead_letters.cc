#include "runner/native/log_dead_letters.h"

#include <cstdio>

namespace millrace::native {

Status LogDeadLetters::Write(std::span<const DeadLetter> letters) {
  for (const DeadLetter& letter : letters) {
    if (seen_.fetch_add(1) >= kShown) continue;
    std::fprintf(stderr, "dead letter \"%s\" of %s: %s\n", letter.name.c_str(), letter.step.c_str(),
                 letter.element.c_str());
  }
  return OkStatus();
}

LogDeadLetters::~LogDeadLetters() {
  const std::int64_t hidden = seen_.load() - kShown;
  if (hidden > 0) std::fprintf(stderr, "and %lld more dead letters\n", static_cast<long long>(hidden));
}

}  // namespace millrace::native
