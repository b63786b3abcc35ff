// Scripts for tests of windows and triggers: elements whose value is their event time in seconds, watermarks, and after
// each step exactly the panes that it must make.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "millrace/millrace.h"
#include "millrace/testing/collect.h"
#include "millrace/testing/test_stream.h"

namespace millrace::testing {

inline Timestamp At(std::int64_t seconds) { return Timestamp::FromSeconds(seconds); }

/// "[0,10)" in seconds, or "global".
inline std::string WindowText(const BoundedWindow& window) {
  if (window.is_global()) return "global";
  return "[" + std::to_string(window.start.micros() / 1'000'000) + "," +
         std::to_string(window.end.micros() / 1'000'000) + ")";
}

/// "EARLY 0 -1 first": timing, index, nonspeculative index, and whether it is the first or the last.
inline std::string PaneText(const PaneInfo& pane) {
  return ToString(pane.timing) + " " + std::to_string(pane.index) + " " + std::to_string(pane.nonspeculative_index) +
         (pane.is_first ? " first" : "") + (pane.is_last ? " last" : "");
}

using Grouped = KV<std::string, std::vector<std::int64_t>>;

/// "a:1 2 3 [0,10) ON_TIME 0 0 first last"; the values sorted.
inline std::string GroupText(const Collected<Grouped>& group) {
  std::vector<std::int64_t> values = group.value.value;
  std::sort(values.begin(), values.end());
  std::string text = group.value.key + ":";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? " " : "") + std::to_string(values[i]);
  return text + " " + WindowText(group.window) + " " + PaneText(group.pane);
}

/// A script of keyed elements, its windowing and what GroupByKey must give after each step.
class PaneScript : public ::testing::Test {
 protected:
  using Element = KV<std::string, std::int64_t>;

  /// Elements of key "a" that come one after the other.
  void In(const std::vector<std::int64_t>& seconds) {
    for (const std::int64_t s : seconds) In("a", s);
  }
  void In(const std::string& key, std::int64_t seconds) { stream_.Add({key, seconds}, At(seconds)); }
  void Watermark(std::int64_t seconds) { stream_.AdvanceWatermarkTo(At(seconds)); }
  void Watermark(Timestamp time) { stream_.AdvanceWatermarkTo(time); }
  /// The end of the script; a following `Expect` says what that adds.
  void Infinity() {
    stream_.AdvanceWatermarkToInfinity();
    ended_ = true;
  }
  void Pass(Duration by) { stream_.AdvanceProcessingTime(by); }

  /// Since the last call exactly these panes have come, in any order.
  void Expect(std::vector<std::string> panes, std::source_location where = std::source_location::current()) {
    if (ended_) {
      at_end_ = std::move(panes);
    } else {
      stream_.Then([this, panes = std::move(panes), where] { Check(panes, where); });
    }
  }

  void Play(const WindowInto& windowing, std::source_location where = std::source_location::current()) {
    auto groups = pipeline_ | "Script" >> stream_ | "Window" >> windowing | "Group" >> GroupByKey();
    seen_ = Collect(groups);
    result_ = pipeline_.Run(stream_.Options());
    ASSERT_EQ(result_.status, OkStatus());
    Check(at_end_, where);
  }
  std::int64_t LateDropped() const { return result_.steps.at("Group").late_dropped; }

  TestStream<Element> stream_;
  Pipeline pipeline_;
  PipelineResult result_;

 private:
  void Check(const std::vector<std::string>& panes, std::source_location where) {
    const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "the panes expected here");
    std::vector<std::string> seen;
    for (const Collected<Grouped>& group : seen_->Take()) {
      seen.push_back(GroupText(group));
      EXPECT_EQ(group.timestamp, group.window.max_timestamp());
    }
    EXPECT_THAT(seen, ::testing::UnorderedElementsAreArray(panes));
  }

  bool ended_ = false;
  std::vector<std::string> at_end_;
  std::shared_ptr<Collection<Grouped>> seen_;
};

}  // namespace millrace::testing
