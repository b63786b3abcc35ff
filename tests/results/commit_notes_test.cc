// What a run says when the results of its checkpoint cannot be shown.
#include "cli/commit_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::results_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CommitNotesTest, AFullDiskIsToldUntilThereIsRoom) {
  Status disk = ResourceExhaustedError("millrace.json.new: No space left on device");
  cli::CommitNotes notes([&disk] { return disk; });
  RunStatus before;
  notes.AddTo(before);
  EXPECT_EQ(before.checkpoint.failed, 0);
  for (int i = 1; i <= 2; ++i) {
    EXPECT_EQ(notes.OnCommit(), OkStatus());
    RunStatus status;
    notes.AddTo(status);
    EXPECT_EQ(status.checkpoint.failed, i);
    EXPECT_THAT(status.checkpoint.last_failure,
                AllOf(HasSubstr("its results cannot be shown"), HasSubstr("No space left on device")));
  }
  disk = OkStatus();
  EXPECT_EQ(notes.OnCommit(), OkStatus());
  RunStatus after;
  after.checkpoint.last_failure = "of another checkpoint";
  notes.AddTo(after);
  EXPECT_EQ(after.checkpoint.failed, 2);
  EXPECT_EQ(after.checkpoint.last_failure, "of another checkpoint");
}

TEST(CommitNotesTest, AnyOtherErrorIsTheRuns) {
  cli::CommitNotes notes([] { return DataLossError("millrace.json: the device failed"); });
  const Status told = notes.OnCommit();
  EXPECT_EQ(told.code(), StatusCode::kDataLoss);
  EXPECT_THAT(told.message(), AllOf(HasSubstr("its results cannot be shown"), HasSubstr("millrace.json")));
}

}  // namespace
}  // namespace millrace::results_test
