// The facts of Beam's trigger transcripts (sdks/python/apache_beam/testing/data/trigger_transcripts.yaml), retyped
// under their names. Beam fires at the end of a bundle and Millrace at the element, so elements that come in one bundle
// there come one by one here, and where a count is reached in the middle of such a bundle the panes are split at it.
//
// Left out, with reasons:
//   timestamp_combiner_*           there is one timestamp for a pane, the end of its window (Beam's default)
//   garbage_collection             it inspects the state of Beam's implementation; AfterCount(2) that is not repeated
//                                  ends, which may lose data, and cannot be written here
//   known_late_data_*              they test holds for OUTPUT_AT_EARLIEST
//   bad_*, missing_output*         they test Beam's test driver
#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;

class TranscriptsTest : public PaneScript {};

TEST_F(TranscriptsTest, FixedDefault) {
  In({1, 2, 3, 10, 11});
  Watermark(25);
  Expect({"a:1 2 3 [0,10) ON_TIME 0 0 first last", "a:10 11 [10,20) ON_TIME 0 0 first last"});
  Play(WindowInto(FixedWindows{seconds(10)}));
}

TEST_F(TranscriptsTest, FixedDefaultLateData) {
  In({1, 2, 3, 10, 11, 25});
  Watermark(100);
  Expect({"a:1 2 3 [0,10) ON_TIME 0 0 first", "a:10 11 [10,20) ON_TIME 0 0 first", "a:25 [20,30) ON_TIME 0 0 first"});
  In({7});
  Expect({"a:1 2 3 7 [0,10) LATE 1 1"});
  Play(WindowInto(FixedWindows{seconds(10)}).AllowedLateness(seconds(1000)).Accumulating());
}

TEST_F(TranscriptsTest, DiscardingEarlyFixed) {
  In({1, 2});
  Expect({"a:1 2 [0,10) EARLY 0 -1 first"});
  In({3});
  Expect({});
  In({14});
  Expect({});
  In({5});
  Expect({"a:3 5 [0,10) EARLY 1 -1"});
  In({18});
  Expect({"a:14 18 [10,20) EARLY 0 -1 first"});
  In({6});
  Watermark(100);
  Expect({"a:6 [0,10) ON_TIME 2 0 last", "a: [10,20) ON_TIME 1 0 last"});
  Play(WindowInto(FixedWindows{seconds(10)}).Triggering(AfterWatermark{.early = AfterCount{2}}).Discarding());
}

// Panes of a session that has got longer are counted anew, as in Beam's Java SDK; the transcript, which is of the
// Python SDK, counts on.
TEST_F(TranscriptsTest, EarlyLateSessions) {
  In({1, 2});
  Expect({"a:1 2 [1,12) EARLY 0 -1 first"});
  In({3});
  Expect({});
  In({4});
  Expect({"a:1 2 3 4 [1,14) EARLY 0 -1 first"});
  In({5});
  Expect({});
  In({6});
  Expect({"a:1 2 3 4 5 6 [1,16) EARLY 0 -1 first"});
  Watermark(100);
  Expect({"a:1 2 3 4 5 6 [1,16) ON_TIME 1 0"});
  In({1, 3});
  Expect({});
  In({4});
  Expect({"a:1 1 2 3 3 4 4 5 6 [1,16) LATE 2 1"});
  Play(WindowInto(Sessions{seconds(10)})
           .Triggering(AfterWatermark{.early = AfterCount{2}, .late = AfterCount{3}})
           .AllowedLateness(seconds(1000))
           .Accumulating());
}

}  // namespace
}  // namespace millrace::testing
