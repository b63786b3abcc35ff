// Numbers of docs/formats/epoch_batch.md that its writer and its reader share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::cli::batch_layout {

inline constexpr std::string_view kMagic = "MREB";
inline constexpr std::uint64_t kVersion = 1;
inline constexpr std::size_t kBlockHeadBytes = 24;
/// Flags of a dead letter.
inline constexpr unsigned kHasEventTime = 1;
inline constexpr unsigned kHasWindow = 2;
inline constexpr unsigned kHasReason = 4;  // and code version
inline constexpr unsigned kHasOrigin = 8;
inline constexpr std::uint8_t kCellsKind = 1;
inline constexpr std::uint8_t kLettersKind = 2;
inline constexpr unsigned kTimingMask = 3;
inline constexpr unsigned kFinalFlag = 4;
inline constexpr unsigned kRemovedFlag = 8;
inline constexpr unsigned kAllFlags = kTimingMask | kFinalFlag | kRemovedFlag;

}  // namespace millrace::cli::batch_layout
