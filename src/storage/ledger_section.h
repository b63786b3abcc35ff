// The conservation ledger in a checkpoint: docs/formats/ledger.md.
#pragma once

#include <optional>
#include <string>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/runner/ledger.h"
#include "storage/checkpoint.h"

namespace millrace::storage {

/// The state of a checkpoint that holds it, always in full.
StateDescription LedgerDescription();
StateContents LedgerContents(const Ledger& ledger);

/// What a checkpoint has; nothing for one of a version that kept no ledger.
StatusOr<std::optional<Ledger>> ReadLedger(base::FileSystem& files, const std::string& folder,
                                           const CheckpointManifest& manifest);

}  // namespace millrace::storage
