// expect: Millrace: a timer that a handler or OnWindowExpiration sets must be a parameter of ProcessElement, too
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Alarm {
  using Self = Alarm;
  void OnSecond(const std::string&) const {}
  void OnFirst(const std::string&, Timestamp at, Timer<"second", &Self::OnSecond> second) const { second.Set(at); }
  void ProcessElement(const KV<std::string, std::string>&, Timestamp at, Timer<"first", &Self::OnFirst> first) const {
    first.Set(at);
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Alarm" >> ParDo(Alarm{});
}
