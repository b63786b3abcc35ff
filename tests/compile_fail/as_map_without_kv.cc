// expect: Millrace: AsMap needs a keyed PCollection
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Look {
  void ProcessElement(const std::string&, SideInput<"names", std::map<std::string, std::string>>,
                      Output<std::string>) const {}
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Look" >> ParDo(Look{}).WithSideInput("names", AsMap(lines)) | "Count" >> Count::PerElement();
}
