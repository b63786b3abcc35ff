#include "base/build_id.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace millrace::base {
namespace {

TEST(BuildId, IsWhatReadelfReads) {
  std::FILE* pipe = ::popen("readelf -n /proc/$PPID/exe 2>&1", "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  ::pclose(pipe);
  const std::string mark = "Build ID: ";
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) {
    EXPECT_EQ(BuildId(), "unknown") << text;
    return;
  }
  EXPECT_EQ(BuildId(), text.substr(at + mark.size(), text.find('\n', at) - at - mark.size()));
}

}  // namespace
}  // namespace millrace::base
