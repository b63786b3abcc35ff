#include "nexmark/log_source.h"

#include <algorithm>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "log/log_writer.h"

namespace millrace::nexmark {

namespace {

constexpr std::uint64_t kBlock = 512;  // rows to one partition, then the next
constexpr std::int32_t kPartitions = 4;
constexpr std::uint64_t kAppendRows = 16 * kBlock;

// Another stream has another name, so a topic is not taken for one of other options.
std::string ProducerOf(const Options& options) {
  return "nexmark-" + std::to_string(options.events) + "-" + std::to_string(options.keys) + "-" +
         std::to_string(options.generator.seed) + "-" + std::to_string(options.generator.rate);
}

}  // namespace

Status FillLog(const Options& options) {
  const bool has_bids = options.query == Query::kQ12 || options.query == Query::kQk;
  if (!has_bids || options.owned_strings || options.generator.disorder_log2 != 0) {
    return UnimplementedError("--log_folder is for q12 and qk, with pooled strings and in order");
  }
  MILLRACE_ASSIGN_OR_RETURN(
      const std::unique_ptr<log::LogWriter> writer,
      log::LogWriter::Open(base::PosixFileSystem(), options.log_folder, kBidsTopic,
                           {.partitions = kPartitions, .sync = log::SyncPolicy::kOs, .holder = "nexmark"}));
  const std::string producer = ProducerOf(options);
  auto at = static_cast<std::uint64_t>(writer->LastSequence(producer) + 1);
  const log::Cut end = writer->End();
  if (at == 0 && std::any_of(end.begin(), end.end(), [](std::int64_t offset) { return offset > 0; })) {
    return FailedPreconditionError("the log in " + options.log_folder +
                                   " was filled with other rows; name another folder");
  }
  InOrderCursor<BidCursor> cursor(options.generator, options.events, at);
  std::vector<LoggedBid> bids(kAppendRows);
  std::vector<log::AppendRecord> records;
  while (at < options.events) {
    const std::uint64_t first = at;
    records.clear();
    for (; at < std::min(options.events, first + kAppendRows); ++at, cursor.Next()) {
      const Bid bid = (*cursor).row();
      LoggedBid& logged = bids[at - first];
      logged = {bid.auction, bid.bidder, bid.price, (*cursor).key(options.keys)};
      records.push_back({.event_time = cursor->time(),
                         .data = {reinterpret_cast<const char*>(&logged), sizeof(logged)},
                         .partition = static_cast<std::int32_t>(at / kBlock % kPartitions)});
    }
    MILLRACE_RETURN_IF_ERROR(
        writer->Append(records, log::Producer{producer, static_cast<std::int64_t>(first)}).status());
  }
  MILLRACE_RETURN_IF_ERROR(writer->AdvanceWatermark(Timestamp::Max()));
  return writer->Close();
}

}  // namespace millrace::nexmark
