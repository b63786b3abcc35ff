// expect: Millrace: SetRelative(delay) is for timers in processing time
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Alarm {
  using Self = Alarm;
  void OnAlarm(const std::string&) const {}
  void ProcessElement(const KV<std::string, std::string>&, Timer<"alarm", &Self::OnAlarm> alarm) const {
    alarm.SetRelative(Duration(1));
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Alarm" >> ParDo(Alarm{});
}
