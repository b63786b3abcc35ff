// The tests, or, in a child process that a test starts, the program that is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "visits_program.h"

int main(int argc, char** argv) {
  if (std::getenv(millrace::results_test::kProgramVariable) != nullptr) {
    return millrace::results_test::VisitsMain(argc, argv);
  }
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
