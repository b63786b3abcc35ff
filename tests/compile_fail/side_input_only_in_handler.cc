// expect: Millrace: a side input that a handler or OnWindowExpiration reads must be a parameter of ProcessElement, too
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Expire {
  void ProcessElement(const KV<std::string, std::string>&, State<"seen", bool> seen) const { seen.Write(true); }
  void OnWindowExpiration(const std::string&, SideInput<"limit", std::int64_t>) const {}
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Expire" >> ParDo(Expire{});
}
