// expect: Millrace: two timers of this DoFn have one name and different handlers
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Alarm {
  using Self = Alarm;
  void OnEarly(const std::string&) const {}
  void OnLate(const std::string&) const {}
  void ProcessElement(const KV<std::string, std::string>&, Timestamp at, Timer<"alarm", &Self::OnEarly> early,
                      Timer<"alarm", &Self::OnLate> late) const {
    early.Set(at);
    late.Set(at);
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Alarm" >> ParDo(Alarm{});
}
