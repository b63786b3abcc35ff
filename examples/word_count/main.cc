// word_count [FILE]: counts the words of a text file, or of a line of Hamlet.
#include <iostream>
#include <iterator>
#include <sstream>

#include "millrace/io/text.h"
#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

std::vector<std::string> Words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

void Print(const KV<std::string, std::int64_t>& count) { std::cout << count.key << ": " << count.value << "\n"; }

int main(int argc, char** argv) {
  Pipeline pipeline;
  auto lines = argc > 1 ? pipeline | "Lines" >> text::Read(argv[1])
                        : pipeline | "Lines" >> Create<std::string>({"to be or not to be", "that is the question"});
  lines | "Words" >> FlatMap(Words) | "Count" >> Count::PerElement() | "Print" >> ParDo<Print>();

  const PipelineResult result = pipeline.Run();
  if (!result.ok()) std::cerr << result.status.ToString() << "\n";
  return result.ok() ? 0 : 1;
}
