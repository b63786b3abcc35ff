// expect: Millrace: a timer in processing time is set by SetRelative(delay)
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Alarm {
  using Self = Alarm;
  void OnAlarm(const std::string&) const {}
  void ProcessElement(const KV<std::string, std::string>&, Timestamp at,
                      Timer<"flush", &Self::OnAlarm, TimeDomain::kProcessingTime> flush) const {
    flush.Set(at);
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Alarm" >> ParDo(Alarm{});
}
