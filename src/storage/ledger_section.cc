#include "storage/ledger_section.h"

#include <memory>
#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "millrace/detail/state_coder.h"
#include "storage/checkpoint_store.h"

namespace millrace::storage {

namespace {

// Of the runner, which is no step of the pipeline.
constexpr const char* kLedgerStep = "(runner)";
constexpr const char* kLedgerState = "ledger";

}  // namespace

StateDescription LedgerDescription() {
  return DescribeState(kLedgerStep, "runner", kLedgerState, detail::StateLayout<Ledger>());
}

StateContents LedgerContents(const Ledger& ledger) {
  auto bytes = std::make_shared<std::string>();
  detail::AppendState(ledger, bytes.get());
  return {.description = LedgerDescription(), .sections = {{.full = true, .chunks = {std::move(bytes)}}}};
}

StatusOr<std::optional<Ledger>> ReadLedger(base::FileSystem& files, const std::string& folder,
                                           const CheckpointManifest& manifest) {
  const StateChain* chain = manifest.FindState(kLedgerStep, kLedgerState);
  if (chain == nullptr || chain->chain.empty()) return std::optional<Ledger>();
  const std::string name = "checkpoint " + std::to_string(manifest.epoch) + ": the ledger";
  detail::StateDecoder<Ledger> decoder;
  std::string why;
  if (!decoder.Open(chain->description.layout, &why)) return FailedPreconditionError(name + ": " + why);
  MILLRACE_ASSIGN_OR_RETURN(const std::string bytes, ReadSection(files, folder, chain->chain.back()));
  std::string_view rest = bytes;
  Ledger ledger;
  if (!decoder.Read(&rest, &ledger) || !rest.empty()) return DataLossError(name + " is damaged");
  return std::optional(std::move(ledger));
}

}  // namespace millrace::storage
