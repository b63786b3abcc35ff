// expect: Millrace: this class has no schema: it has constructors or private members
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

class Score {
 public:
  void Add(std::int64_t n) { sum_ += n; }

 private:
  std::int64_t sum_ = 0;
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto scores = lines | "Score" >> Map([](const std::string& line) { return KV<std::string, Score>{line, Score{}}; });
  scores | View("scores");
}
