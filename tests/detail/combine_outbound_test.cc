// What a worker keeps back of other workers' keys, and when it ships it.
#include "millrace/detail/combine_outbound.h"

#include <gtest/gtest.h>

#include <map>

#include "millrace/transforms/combine.h"

namespace millrace::detail {
namespace {

using Row = KV<std::int64_t, std::int64_t>;
using Outbound = CombineOutbound<std::int64_t, std::int64_t, SumFn<std::int64_t>, true>;

constexpr Duration kWindow = std::chrono::seconds(10);

Timestamp At(std::int64_t s) { return Timestamp::FromSeconds(s); }
BoundedWindow WindowAt(std::int64_t s) { return {At(s), At(s + 10)}; }

// Worker 0 of 2; what it ships is counted by window and key.
class Worker final : public OperatorContext {
 public:
  const std::string& label() const override { return label_; }
  int worker() const override { return 0; }
  int workers() const override { return 2; }
  bool streaming() const override { return true; }
  Timestamp processing_time() const override { return At(0); }
  OutputPort& output(int) override { return port_; }
  MetricsContainer& metrics() override { return metrics_; }
  std::unique_ptr<BatchBase> TakeSpare() override { return nullptr; }
  SideInputValue GetSideInput(int, const BoundedWindow&) override { return nullptr; }
  void RecordLate(const BoundedWindow&, Timestamp, const void*, Origin) override {}
  NamedOrigin NameOrigin(Origin) const override { return {}; }
  bool stopping() const override { return false; }
  bool reading_ends() const override { return false; }
  std::unique_ptr<Spiller> MakeSpiller() override { return nullptr; }
  void Ship(int worker, std::unique_ptr<BatchBase> batch) override {
    EXPECT_EQ(worker, 1);
    if (const auto* partials = dynamic_cast<Batch<Outbound::PartialRow>*>(batch.get())) {
      for (std::size_t i = 0; i < partials->size(); ++i) {
        const Outbound::PartialRow& partial = partials->values[i];
        EXPECT_EQ(partial.hash, KeyHash(partial.key));
        sums[{partials->windows.each[i], partial.key}] += partial.accumulator;
        elements += partial.count;
      }
      partials_shipped += partials->size();
    } else {
      rows_shipped += batch->size();
    }
  }

  std::map<std::pair<BoundedWindow, std::int64_t>, std::int64_t> sums;
  std::int64_t elements = 0;
  std::size_t partials_shipped = 0;
  std::size_t rows_shipped = 0;

 private:
  std::string label_ = "Sum";
  OutputPort port_;
  MetricsContainer metrics_;
};

// Windows whose last timestamp is before `watermark` may have expired elsewhere.
class Gate final : public WindowGate {
 public:
  bool Admit(const BoundedWindow&) override { return true; }
  int AdmitSlice(const BoundedWindow&, int*) override { return 1; }
  bool IsOpen(const BoundedWindow&, bool) const override { return true; }
  bool PastOnTime(const BoundedWindow&) const override { return false; }
  void SetDeadline(const BoundedWindow&, std::int64_t) override {}
  void DropLate(const BoundedWindow&, bool, Timestamp, const void*, Origin) override {}
  bool MayBeLateElsewhere(const BoundedWindow& window, bool) const override {
    return window.max_timestamp() < watermark;
  }

  Timestamp watermark = Timestamp::Min();
};

class CombineOutboundTest : public ::testing::Test {
 protected:
  void Open(bool panes) {
    outbound_.Open(worker_, {.windowing = {}, .panes = panes, .slice_micros = 0}, gate_);
    for (std::int64_t key = 0; keys_.size() < 40'000; ++key) {
      if (OwnerOf(KeyHash(key), 2) == 1) keys_.push_back(key);
    }
  }
  // Adds one row, of value 1, for each of keys [from, to) at that time.
  void Add(std::size_t from, std::size_t to, std::int64_t at_s) {
    Batch<Row> rows;
    rows.windows.SetImplicit(FixedWindows{kWindow});
    Column<std::uint64_t> hashes;
    Column<std::uint32_t> away;
    for (std::size_t i = from; i < to; ++i) {
      away.Append(static_cast<std::uint32_t>(rows.size()));
      hashes.Append(KeyHash(keys_[i]));
      rows.values.Append(Row{keys_[i], 1});
      rows.timestamps.Append(At(at_s));
    }
    outbound_.Add(rows, hashes, away);
    outbound_.ShipFull();
  }

  SumFn<std::int64_t> fn_;
  Outbound outbound_{fn_};
  Worker worker_;
  Gate gate_;
  std::vector<std::int64_t> keys_;
};

TEST_F(CombineOutboundTest, AWindowIsShippedWhenItMayFire) {
  Open(false);
  for (int i = 0; i < 3; ++i) Add(0, 5, 3);
  Add(0, 2, 13);
  outbound_.ShipDue(At(9));
  EXPECT_EQ(worker_.partials_shipped, 0U);
  outbound_.ShipDue(At(10));
  EXPECT_EQ(worker_.partials_shipped, 5U);
  EXPECT_EQ(worker_.elements, 15);
  EXPECT_EQ((worker_.sums[{WindowAt(0), keys_[4]}]), 3);
  Add(0, 1, 4);  // late here, perhaps not there
  outbound_.ShipDue(At(11));
  EXPECT_EQ((worker_.sums[{WindowAt(0), keys_[0]}]), 4);
  EXPECT_EQ(worker_.partials_shipped, 6U);
  outbound_.ShipDue(Timestamp::Max());
  EXPECT_EQ((worker_.sums[{WindowAt(10), keys_[1]}]), 1);
  EXPECT_EQ(worker_.elements, 18);
  outbound_.ShipDue(Timestamp::Max());
  EXPECT_EQ(worker_.partials_shipped, 8U);
}

TEST_F(CombineOutboundTest, WherePanesFireNothingIsKeptBack) {
  Open(true);
  Add(0, 5, 3);
  outbound_.ShipDue(Timestamp::Min());
  EXPECT_EQ(worker_.partials_shipped, 5U);
}

TEST_F(CombineOutboundTest, WhatIsKeptBackHasABound) {
  Open(false);
  // Each key three times in a row, so that combining pays.
  for (std::size_t from = 0; from < 40'000; from += 500) {
    for (int i = 0; i < 3; ++i) Add(from, from + 500, 3);
  }
  EXPECT_GE(worker_.partials_shipped, 32'768U);
  outbound_.ShipDue(Timestamp::Max());
  EXPECT_EQ(worker_.sums.size(), 40'000U);
  EXPECT_EQ(worker_.elements, 120'000);
  EXPECT_EQ(worker_.rows_shipped, 0U);
}

TEST_F(CombineOutboundTest, ManyOpenWindowsAreShippedToo) {
  Open(false);
  for (std::int64_t window = 0; window < 100; ++window) Add(0, 1, 10 * window);
  EXPECT_GT(worker_.partials_shipped, 60U);
  outbound_.ShipDue(Timestamp::Max());
  EXPECT_EQ(worker_.sums.size(), 100U);
}

TEST_F(CombineOutboundTest, KeysThatDoNotRepeatAreShippedAsTheyCame) {
  Open(false);
  for (std::size_t from = 0; from < 40'000; from += 500) Add(from, from + 500, 3);
  outbound_.ShipDue(Timestamp::Max());
  EXPECT_GT(worker_.rows_shipped, 25'000U);
  EXPECT_EQ(worker_.rows_shipped + worker_.partials_shipped, 40'000U);
}

TEST_F(CombineOutboundTest, WhatMayBeLateElsewhereIsSentAsItIs) {
  Open(false);
  Add(0, 5, 3);
  outbound_.ShipDue(At(10));
  gate_.watermark = At(10);
  Add(0, 4, 3);
  Add(0, 2, 13);
  outbound_.ShipDue(Timestamp::Max());
  EXPECT_EQ(worker_.rows_shipped, 4U) << "their owner can tell them apart";
  EXPECT_EQ(worker_.elements, 5 + 2);
}

}  // namespace
}  // namespace millrace::detail
