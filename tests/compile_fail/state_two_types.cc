// expect: Millrace: two state cells of this DoFn have one name and different types
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Remember {
  void ProcessElement(const KV<std::string, std::string>& e, State<"last", std::string> last,
                      Output<std::string>) const {
    last.Write(e.value);
  }
  void OnWindowExpiration(const std::string& key, State<"last", std::int64_t> last, Output<std::string> out) const {
    out.Emit(key + std::to_string(last.Read()));
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Remember" >> ParDo(Remember{});
}
