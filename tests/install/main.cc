// What a user writes first: only installed headers, only installed libraries.
#include <millrace/millrace.h>

#include <iostream>
#include <string>
#include <vector>

struct Visit {
  std::string page;
  std::int64_t seconds = 0;
};

void Print(const millrace::KV<std::string, std::int64_t>& page) {
  std::cout << page.key << " " << page.value << std::endl;
}

int main() {
  millrace::Pipeline pipeline;
  const std::vector<std::string> lines = {R"({"page":"home","seconds":30})", R"({"page":"home","seconds":12})"};
  pipeline | "Lines" >> millrace::Create(lines) |
      "Parse" >> millrace::Map([](const std::string& line) { return millrace::json::Parse<Visit>(line).value(); }) |
      "ByPage" >> millrace::Map([](const Visit& visit) { return millrace::KV{visit.page, visit.seconds}; }) |
      "Sum" >> millrace::CombinePerKey(millrace::Sum{}) | "Print" >> millrace::ParDo<Print>();
  const millrace::PipelineResult result = pipeline.Run();
  if (!result.ok()) std::cerr << result.status << "\n";
  return result.ok() ? 0 : 1;
}
