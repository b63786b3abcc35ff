// expect: Millrace: FinishBundle, timer handlers and OnWindowExpiration can only emit to an Output<T> that
// ProcessElement has, too
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Alarm {
  using Self = Alarm;
  void OnAlarm(const std::string& key, Output<std::string> out) const { out.Emit(key); }
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
