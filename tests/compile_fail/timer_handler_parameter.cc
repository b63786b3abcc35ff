// expect: Millrace: a DoFn's parameter after the element is none of Output<T>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Alarm {
  using Self = Alarm;
  void OnAlarm(const std::string&, int) const {}
  void ProcessElement(const KV<std::string, std::string>&, Timestamp at, Timer<"alarm", &Self::OnAlarm> alarm) const {
    alarm.Set(at);
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Alarm" >> ParDo(Alarm{});
}
