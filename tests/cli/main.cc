// The tests, or, in a child process that a test starts, the small program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "program.h"

int main(int argc, char** argv) {
  if (std::getenv(millrace::cli_test::kProgramVariable) != nullptr) return millrace::cli_test::RidesMain(argc, argv);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
