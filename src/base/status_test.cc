#include "millrace/core/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <sstream>
#include <string>

#include "base/status_macros.h"

namespace millrace {
namespace {

TEST(Status, DefaultIsOk) {
  Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_EQ(status, OkStatus());
}

TEST(Status, OkKeepsNoMessage) { EXPECT_EQ(Status(StatusCode::kOk, "dropped"), OkStatus()); }

TEST(Status, ToStringHasCodeAndMessage) {
  EXPECT_EQ(NotFoundError("no topic 'clicks'").ToString(), "NOT_FOUND: no topic 'clicks'");
  EXPECT_EQ(NotFoundError("").ToString(), "NOT_FOUND");
  std::ostringstream out;
  out << DataLossError("x");
  EXPECT_EQ(out.str(), "DATA_LOSS: x");
}

TEST(Status, EqualityComparesCodeAndMessage) {
  EXPECT_EQ(InternalError("a"), InternalError("a"));
  EXPECT_FALSE(InternalError("a") == InternalError("b"));
  EXPECT_FALSE(InternalError("a") == UnknownError("a"));
}

TEST(Status, WithContextPrefixesTheMessageAndKeepsTheCode) {
  EXPECT_EQ(OutOfRangeError("row 7").WithContext("flights.csv"), OutOfRangeError("flights.csv: row 7"));
  EXPECT_EQ(OutOfRangeError("").WithContext("flights.csv"), OutOfRangeError("flights.csv"));
  EXPECT_EQ(OkStatus().WithContext("flights.csv"), OkStatus());
}

TEST(Status, CopiesShareAndMovesLeaveTheCopyIntact) {
  Status first = AbortedError("fenced");
  Status copy = first;
  Status moved = std::move(first);
  EXPECT_EQ(copy, AbortedError("fenced"));
  EXPECT_EQ(moved, copy);
}

TEST(Status, EachConstructorGivesItsCode) {
  struct Case {
    Status status;
    StatusCode code;
    int number;
    const char* name;
  };
  const std::array cases = {
      Case{CancelledError("m"), StatusCode::kCancelled, 1, "CANCELLED"},
      Case{UnknownError("m"), StatusCode::kUnknown, 2, "UNKNOWN"},
      Case{InvalidArgumentError("m"), StatusCode::kInvalidArgument, 3, "INVALID_ARGUMENT"},
      Case{Status(StatusCode::kDeadlineExceeded, "m"), StatusCode::kDeadlineExceeded, 4, "DEADLINE_EXCEEDED"},
      Case{NotFoundError("m"), StatusCode::kNotFound, 5, "NOT_FOUND"},
      Case{AlreadyExistsError("m"), StatusCode::kAlreadyExists, 6, "ALREADY_EXISTS"},
      Case{PermissionDeniedError("m"), StatusCode::kPermissionDenied, 7, "PERMISSION_DENIED"},
      Case{ResourceExhaustedError("m"), StatusCode::kResourceExhausted, 8, "RESOURCE_EXHAUSTED"},
      Case{FailedPreconditionError("m"), StatusCode::kFailedPrecondition, 9, "FAILED_PRECONDITION"},
      Case{AbortedError("m"), StatusCode::kAborted, 10, "ABORTED"},
      Case{OutOfRangeError("m"), StatusCode::kOutOfRange, 11, "OUT_OF_RANGE"},
      Case{UnimplementedError("m"), StatusCode::kUnimplemented, 12, "UNIMPLEMENTED"},
      Case{InternalError("m"), StatusCode::kInternal, 13, "INTERNAL"},
      Case{UnavailableError("m"), StatusCode::kUnavailable, 14, "UNAVAILABLE"},
      Case{DataLossError("m"), StatusCode::kDataLoss, 15, "DATA_LOSS"},
      Case{Status(StatusCode::kUnauthenticated, "m"), StatusCode::kUnauthenticated, 16, "UNAUTHENTICATED"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(c.status.code(), c.code);
    EXPECT_EQ(static_cast<int>(c.code), c.number);
    EXPECT_EQ(StatusCodeName(c.code), c.name);
    EXPECT_EQ(c.status.message(), "m");
    EXPECT_FALSE(c.status.ok());
  }
}

TEST(Status, AnUnknownCodeFromTheWireHasAName) { EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(99)), "UNKNOWN"); }

TEST(StatusOr, HoldsAValue) {
  StatusOr<std::string> result = "text";
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, "text");
  EXPECT_EQ(result->size(), 4u);
  EXPECT_TRUE(result.status().ok());
  EXPECT_EQ(result.value_or("other"), "text");
}

TEST(StatusOr, HoldsAReason) {
  StatusOr<std::string> result = NotFoundError("gone");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status(), NotFoundError("gone"));
  EXPECT_EQ(result.value_or("other"), "other");
}

TEST(StatusOr, MovesAMoveOnlyValueOut) {
  StatusOr<std::unique_ptr<int>> result = std::make_unique<int>(7);
  std::unique_ptr<int> value = *std::move(result);
  EXPECT_EQ(*value, 7);
}

TEST(StatusOrDeathTest, ReadingAFailedOneAbortsWithItsText) {
  StatusOr<int> result = DataLossError("segment 3 is cut short");
  EXPECT_DEATH(static_cast<void>(*result), "DATA_LOSS: segment 3 is cut short");
}

Status FirstError(const Status& first, const Status& second, int& evaluated) {
  MILLRACE_RETURN_IF_ERROR((++evaluated, first));
  MILLRACE_RETURN_IF_ERROR((++evaluated, second));
  return OkStatus();
}

TEST(StatusMacros, ReturnIfErrorReturnsTheFirstError) {
  int evaluated = 0;
  EXPECT_EQ(FirstError(OkStatus(), OkStatus(), evaluated), OkStatus());
  EXPECT_EQ(evaluated, 2);
  EXPECT_EQ(FirstError(AbortedError("1"), AbortedError("2"), evaluated), AbortedError("1"));
  EXPECT_EQ(evaluated, 3);
  EXPECT_EQ(FirstError(OkStatus(), AbortedError("2"), evaluated), AbortedError("2"));
}

StatusOr<int> Sum(StatusOr<std::unique_ptr<int>> a, StatusOr<int> b) {
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<int> left, std::move(a));
  int right = 0;
  MILLRACE_ASSIGN_OR_RETURN(right, b);
  return *left + right;
}

TEST(StatusMacros, AssignOrReturnMovesTheValueOrReturnsTheError) {
  EXPECT_EQ(*Sum(std::make_unique<int>(1), 2), 3);
  EXPECT_EQ(Sum(NotFoundError("a"), 2).status(), NotFoundError("a"));
  EXPECT_EQ(Sum(std::make_unique<int>(1), NotFoundError("b")).status(), NotFoundError("b"));
}

}  // namespace
}  // namespace millrace
