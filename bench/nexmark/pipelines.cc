#include "nexmark/pipelines.h"

#include <utility>
#include <vector>

#include "millrace/millrace.h"
#include "nexmark/log_source.h"
#include "nexmark/paced_source.h"
#include "nexmark/source.h"

namespace millrace::nexmark {

namespace {

constexpr Duration kWindow = std::chrono::milliseconds(kWindowMs);
constexpr Duration kHotItemsPeriod = std::chrono::milliseconds(kHotItemsPeriodMs);

/// Counts rows and adds up their sums.
struct CheckFn {
  Check CreateAccumulator() const { return {}; }
  template <class Row>
  void AddInput(Check& check, const Row& row) const {
    check.Add(row);
  }
  void MergeAccumulators(Check& into, const Check& from) const { into.Merge(from); }
  Check ExtractOutput(const Check& check) const { return check; }
};

/// Passes rows through. The clock is read for every 32nd.
template <class Row>
struct MeasureLatency {
  std::shared_ptr<Pace> pace;
  int until_next = 0;
  Pace::Clock::time_point now{};

  void StartBundle() { until_next = 0; }
  void operator()(const Row& row, Timestamp time, Output<Row> out) {
    if (until_next-- == 0) {
      now = Pace::Clock::now();
      until_next = 31;
    }
    pace->Arrived(time, now);
    out.Emit(row);
  }
};

/// The end of every pipeline: one check over all rows, in the global window.
struct IntoCheck {
  std::shared_ptr<CheckResult> result;
  std::shared_ptr<Pace> pace;  // null: latencies are not asked for

  template <class Row>
  void Expand(const PCollection<Row>& all) const {
    const PCollection<Row> rows = pace == nullptr ? all : all | "Latency" >> ParDo(MeasureLatency<Row>{pace});
    rows | "All" >> WindowInto(GlobalWindows{}) | "Check" >> CombineGlobally(CheckFn{}) |
        "Keep" >> ParDo([result = result](const Check& check) {
          const std::lock_guard lock(result->mutex);
          result->check.Merge(check);
        });
  }
};

/// Rows that only have a price to check.
template <class Row>
Timed<Row> Untimed(const Row& row) {
  return {Timestamp(), row};
}

/// The auctions with the most bids so far.
struct HottestFn {
  struct Hottest {
    std::int64_t bids = 0;
    std::vector<std::int64_t> auctions;
  };
  using Count = KV<std::int64_t, std::int64_t>;
  Hottest CreateAccumulator() const { return {}; }
  void AddInput(Hottest& hottest, const Count& count) const {
    if (count.value < hottest.bids) return;
    if (count.value > hottest.bids) {
      hottest.bids = count.value;
      hottest.auctions.clear();
    }
    hottest.auctions.push_back(count.key);
  }
  void MergeAccumulators(Hottest& into, const Hottest& from) const {
    for (const std::int64_t auction : from.auctions) AddInput(into, {auction, from.bids});
  }
  std::vector<HotItem> ExtractOutput(const Hottest& hottest) const {
    std::vector<HotItem> items;
    for (const std::int64_t auction : hottest.auctions) items.push_back({Timestamp(), auction, hottest.bids});
    return items;
  }
};

/// What a window knows of one person: the name, if she registered in it, and whether she opened an auction in it.
struct Activity {
  std::string name;
  bool registered = false;
  bool sold = false;
};
struct MergeActivity {
  Activity CreateAccumulator() const { return {}; }
  void AddInput(Activity& into, const Activity& from) const {
    if (from.registered) {
      into.name = from.name;
      into.registered = true;
    }
    into.sold = into.sold || from.sold;
  }
  void MergeAccumulators(Activity& into, const Activity& from) const { AddInput(into, from); }
  Activity ExtractOutput(Activity activity) const { return activity; }
};
KV<std::int64_t, Activity> ActivityOf(const PersonOrAuction& row) {
  if (const auto* person = std::get_if<Person>(&row)) return {person->id, {person->name, true, false}};
  return {std::get<Auction>(row).seller, {"", false, true}};
}

template <class Stream>
class Queries {
 public:
  Queries(const Options& options, Pipeline& pipeline, IntoCheck into, int partitions)
      : options_(options), pipeline_(pipeline), into_(std::move(into)), partitions_(partitions) {}

  void Build() {
    using Row = typename Stream::Row;
    auto bids = Source<Stream>(BidMaxDisorder(options_.generator));
    switch (options_.query) {
      case Query::kQ0:
        bids | "Rows" >> Map([](const Row& bid) { return Untimed(bid); }) | Named("Result", into_);
        break;
      case Query::kQ1:
        bids | "Convert" >> Map([](const Row& bid) {
                 Timed<Row> converted = Untimed(bid);
                 converted.row.price = ConvertPrice(bid.price);
                 return converted;
               }) |
            Named("Result", into_);
        break;
      case Query::kQ2:
        bids | "Select" >> Filter([](const Row& bid) { return IsSelectedAuction(bid.auction); }) |
            "Project" >> Map([](const Row& bid) { return SelectedBid{bid.auction, bid.price}; }) |
            Named("Result", into_);
        break;
      case Query::kQ5: HotItems(bids); break;
      case Query::kQ7:
        bids | "Prices" >> Map([](const Row& bid) { return bid.price; }) |
            "Window" >> WindowInto(FixedWindows{kWindow}) | "Max" >> CombineGlobally(Max{}).WithoutDefaults() |
            "Rows" >> Map([](const std::int64_t& price) { return HighestBid{Timestamp(), price}; }) |
            Named("Result", into_);
        break;
      case Query::kQ12:
        bids | "Bidders" >> Map([](const Row& bid) { return KV<std::int64_t, bool>{bid.bidder, true}; }) |
            "Window" >> WindowInto(FixedWindows{kWindow}) | "Count" >> CombinePerKey(Count{}) |
            "Rows" >> Map([](const KV<std::int64_t, std::int64_t>& count) {
              return BidderCount{Timestamp(), count.key, count.value};
            }) |
            Named("Result", into_);
        break;
      case Query::kQ8:
      case Query::kQk: break;  // of other streams
    }
  }

  void BuildQk() {
    Source<KeyedBids>(BidMaxDisorder(options_.generator), {options_.keys}) |
        "Keys" >> Map([](const KeyedBid& bid) { return KV<std::int64_t, bool>{bid.key, true}; }) |
        "Count" >> CombinePerKey(Count{}) |
        "Rows" >> Map([](const KV<std::int64_t, std::int64_t>& count) { return KeyCount{count.key, count.value}; }) |
        Named("Result", into_);
  }

  void BuildQ8() {
    Source<PersonsAndAuctions>(PersonAuctionMaxDisorder(options_.generator)) | "Activity" >> Map(ActivityOf) |
        "Window" >> WindowInto(FixedWindows{kWindow}) | "Merge" >> CombinePerKey(MergeActivity{}) |
        "Both" >> Filter([](const KV<std::int64_t, Activity>& seller) {
          return seller.value.registered && seller.value.sold;
        }) |
        "Rows" >> Map([](const KV<std::int64_t, Activity>& seller) {
          return NewSeller{Timestamp(), seller.key, seller.value.name};
        }) |
        Named("Result", into_);
  }

 private:
  using StreamRow = typename Stream::Row;

  template <class S>
  PCollection<typename S::Row> Source(Duration max_disorder, S stream = {}) {
    if constexpr (kIsLogged<S>) {
      if (!options_.log_folder.empty()) {
        return pipeline_ |
               "Log" >> log::Read({.folder = options_.log_folder,
                                   .topic = kBidsTopic,
                                   .max_disorder = max_disorder,
                                   .until_closed = true}) |
               "Source" >> Map([](const LogRecord& record) { return RowOf<S>(record); });
      }
    }
    if (into_.pace != nullptr) {
      return pipeline_ |
             "Source" >> Read(PacedSource<S>{options_.generator, options_.events, partitions_, into_.pace, stream});
    }
    return pipeline_ |
           "Source" >> Read(NexmarkSource<S>{options_.generator, options_.events, stream}).MaxDisorder(max_disorder);
  }

  void HotItems(const PCollection<StreamRow>& bids) {
    bids | "Auctions" >> Map([](const StreamRow& bid) { return KV<std::int64_t, bool>{bid.auction, true}; }) |
        "Window" >> WindowInto(SlidingWindows{kWindow, kHotItemsPeriod}) | "Count" >> CombinePerKey(Count{}) |
        "Hottest" >> CombineGlobally(HottestFn{}).WithoutDefaults() |
        "Rows" >> FlatMap([](const std::vector<HotItem>& items) { return items; }) | Named("Result", into_);
  }

  const Options& options_;
  Pipeline& pipeline_;
  IntoCheck into_;
  int partitions_;
};

}  // namespace

void BuildQuery(const Options& options, Pipeline& pipeline, std::shared_ptr<CheckResult> result,
                std::shared_ptr<Pace> pace, int partitions) {
  const IntoCheck into{std::move(result), std::move(pace)};
  if (options.query == Query::kQ8) {
    Queries<PooledBids>(options, pipeline, into, partitions).BuildQ8();
  } else if (options.query == Query::kQk) {
    Queries<PooledBids>(options, pipeline, into, partitions).BuildQk();
  } else if (options.owned_strings) {
    Queries<OwnedBids>(options, pipeline, into, partitions).Build();
  } else {
    Queries<PooledBids>(options, pipeline, into, partitions).Build();
  }
}

}  // namespace millrace::nexmark
