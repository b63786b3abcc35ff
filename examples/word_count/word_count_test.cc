// Runs the program as a user does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct Finished {
  int code = -1;
  std::string output;  // and errors

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream in(output);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
};

Finished WordCount(const std::string& arguments) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "word_count";
  FILE* pipe = popen((program.string() + " " + arguments + " 2>&1").c_str(), "r");
  Finished finished;
  std::array<char, 4096> chunk{};
  for (std::size_t read = 0; (read = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    finished.output.append(chunk.data(), read);
  }
  finished.code = WEXITSTATUS(pclose(pipe));
  return finished;
}

TEST(WordCountTest, CountsItsOwnText) {
  const Finished finished = WordCount("");
  EXPECT_EQ(finished.code, 0);
  EXPECT_THAT(finished.lines(),
              UnorderedElementsAre("to: 2", "be: 2", "or: 1", "not: 1", "that: 1", "is: 1", "the: 1", "question: 1"));
}

TEST(WordCountTest, CountsAFile) {
  const std::string path = ::testing::TempDir() + "/word_count.txt";
  std::ofstream(path) << "a b a\n\n  a\tb c\n";
  const Finished finished = WordCount(path);
  EXPECT_EQ(finished.code, 0);
  EXPECT_THAT(finished.lines(), UnorderedElementsAre("a: 3", "b: 2", "c: 1"));
}

TEST(WordCountTest, SaysThatAFileIsMissing) {
  const Finished finished = WordCount("/no/such/file.txt");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.output, HasSubstr("/no/such/file.txt"));
}

}  // namespace
}  // namespace millrace
