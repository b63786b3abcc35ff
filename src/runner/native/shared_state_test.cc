#include "runner/native/shared_state.h"

#include <gtest/gtest.h>

namespace millrace::native {
namespace {

using std::chrono::seconds;

Timestamp At(std::int64_t s) { return Timestamp::FromSeconds(s); }
Restriction Part(const std::string& name, bool bounded, std::int64_t least) {
  Restriction restriction{.partition = name, .from = 0, .least_event_time = At(least)};
  if (bounded) restriction.to = 10;
  return restriction;
}

TEST(SharedRestrictionsTest, BoundedOnesAreHandedOutInOrderToWhoeverAsks) {
  SharedRestrictions shared({Part("a", true, 30), Part("b", true, 10), Part("c", true, 20)}, 2);
  EXPECT_EQ(shared.PendingLow(), At(10));
  EXPECT_EQ(shared.Claim(1)->partition, "a");
  EXPECT_EQ(shared.PendingLow(), At(10));
  EXPECT_EQ(shared.Claim(1)->partition, "b");
  EXPECT_EQ(shared.PendingLow(), At(20));
  EXPECT_EQ(shared.Claim(0)->partition, "c");
  EXPECT_EQ(shared.PendingLow(), Timestamp::Max());
  EXPECT_FALSE(shared.Claim(0).has_value());
}

TEST(SharedRestrictionsTest, WhatIsReadIsCountedWhenTheNextIsClaimed) {
  SharedRestrictions shared({Part("a", true, 0), Part("b", true, 1), Part("c", true, 2)}, 2);
  EXPECT_EQ(shared.span().total, 30);
  shared.Claim(0);
  shared.Claim(1);
  EXPECT_EQ(shared.span().read, 0);
  shared.Claim(1);
  EXPECT_EQ(shared.span().read, 10);
  shared.Claim(0);
  shared.Claim(0);
  EXPECT_EQ(shared.span().read, 20);
  shared.Claim(1);
  EXPECT_EQ(shared.span().read, 30);
  EXPECT_TRUE(shared.span().bounded);
  EXPECT_FALSE(SharedRestrictions({Part("a", true, 0), Part("b", false, 0)}, 1).span().bounded);
}

TEST(SharedRestrictionsTest, UnboundedOnesAreDealtToTheWorkersInTurn) {
  SharedRestrictions shared({Part("a", false, 5), Part("b", false, 6), Part("c", true, 7), Part("d", false, 8)}, 2);
  EXPECT_EQ(shared.PendingLow(), At(5));
  EXPECT_EQ(shared.Claim(1)->partition, "b");
  EXPECT_EQ(shared.Claim(1)->partition, "c");
  EXPECT_FALSE(shared.Claim(1).has_value());  // "a" and "d" are the other worker's
  EXPECT_EQ(shared.PendingLow(), At(5));
  EXPECT_EQ(shared.Claim(0)->partition, "a");
  EXPECT_EQ(shared.PendingLow(), At(8));
  EXPECT_EQ(shared.Claim(0)->partition, "d");
  EXPECT_FALSE(shared.Claim(0).has_value());
}

TEST(SharedRestrictionsTest, WhereAPartitionBeganIsTheLeastOfItsRestrictions) {
  const std::vector<Restriction> parts = {{.partition = "a", .from = 70, .to = 90},
                                          {.partition = "a", .from = 20, .to = 70},
                                          {.partition = "b", .from = 5}};
  SharedRestrictions shared(parts, 1);
  EXPECT_EQ(shared.Began(parts[0]), 0) << "it is not known";
  Beginnings beginnings;
  AddBeginnings(parts, &beginnings);
  shared.set_beginnings(beginnings);
  EXPECT_EQ(shared.Began(parts[0]), 20);
  EXPECT_EQ(shared.Began(parts[1]), 20);
  EXPECT_EQ(shared.Began(parts[2]), 5);
  EXPECT_EQ(shared.Began({.partition = "c", .from = 3}), 0);
  shared.set_each_alone();
  EXPECT_EQ(shared.Began(parts[0]), 70);
}

detail::SideInputValue Number(int n) { return std::make_shared<const int>(n); }
int NumberOf(const detail::SideInputValue& value) {
  return value == nullptr ? -1 : *static_cast<const int*>(value.get());
}
BoundedWindow Span(std::int64_t from, std::int64_t to) { return {At(from), At(to)}; }

TEST(SharedSideInputTest, AWindowIsReadyWhenItIsPublishedOrPast) {
  SharedSideInput side(FixedWindows{seconds(10)}, Number(0));
  EXPECT_EQ(NumberOf(side.Get(Span(0, 5))), -1);
  side.Publish(Span(0, 10), Number(1));
  EXPECT_EQ(NumberOf(side.Get(Span(0, 5))), 1);
  EXPECT_EQ(NumberOf(side.Get(Span(5, 15))), -1);  // ends in [10, 20)
  side.CompleteThrough(At(20) - Duration(1));
  EXPECT_EQ(NumberOf(side.Get(Span(5, 15))), -1);
  side.CompleteThrough(At(20));
  EXPECT_EQ(NumberOf(side.Get(Span(5, 15))), 0);
  side.CompleteThrough(At(3));  // going back is ignored
  EXPECT_EQ(NumberOf(side.Get(Span(5, 15))), 0);
}

TEST(SharedSideInputTest, OfSlidingWindowsTheEarliestIsMeant) {
  SharedSideInput side(SlidingWindows{seconds(20), seconds(10)}, Number(0));
  side.Publish(Span(0, 20), Number(1));
  side.Publish(Span(10, 30), Number(2));
  EXPECT_EQ(NumberOf(side.Get(Span(10, 20))), 1);
  EXPECT_EQ(NumberOf(side.Get(Span(20, 30))), 2);
}

TEST(SharedSideInputTest, TheGlobalWindowHoldsEveryWindow) {
  SharedSideInput side(GlobalWindows{}, Number(0));
  EXPECT_EQ(NumberOf(side.Get(Span(0, 5))), -1);
  side.CompleteThrough(BoundedWindow::Global().end);
  EXPECT_EQ(NumberOf(side.Get(Span(0, 5))), 0);
}

TEST(RunStateTest, TheFirstFailureStays) {
  RunState state;
  EXPECT_FALSE(state.ended());
  state.Fail(NotFoundError("first"));
  state.Fail(InternalError("second"));
  EXPECT_TRUE(state.ended());
  EXPECT_EQ(state.status(), NotFoundError("first"));
}

}  // namespace
}  // namespace millrace::native
