// The files of a checkpoint's folder: their names, and the manifest as text (docs/formats/checkpoints.md).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "millrace/core/status.h"
#include "storage/checkpoint.h"

namespace millrace::storage {

inline constexpr std::int32_t kCheckpointFormat = 1;
inline constexpr std::uint64_t kManifestBytesMax = std::uint64_t{1} << 30;
inline constexpr std::string_view kAttemptFileName = "attempt.json";

/// "<epoch>.manifest.json".
std::string ManifestName(std::uint64_t epoch);
/// "<epoch>-<attempt>.data".
std::string DataFileName(std::uint64_t epoch, std::uint64_t attempt);

/// The epoch of a manifest's name; nothing for another name.
std::optional<std::uint64_t> EpochOfManifest(std::string_view name);

struct DataFileNumbers {
  std::uint64_t epoch = 0;
  std::uint64_t attempt = 0;
};
/// Of a data file's name; nothing for another name.
std::optional<DataFileNumbers> NumbersOfDataFile(std::string_view name);

/// The names of the data files that a checkpoint needs.
std::set<std::string> DataFilesOf(const CheckpointManifest& manifest);

/// The two lines.
std::string ManifestText(const CheckpointManifest& manifest);

/// Reads and checks them. DATA_LOSS says what is wrong with the text, without naming the file; FAILED_PRECONDITION: it
/// is of an unknown format.
StatusOr<CheckpointManifest> ParseManifest(std::string_view text);

/// What attempt.json holds, and back; DATA_LOSS as above.
std::string AttemptText(std::uint64_t attempt);
StatusOr<std::uint64_t> ParseAttempt(std::string_view text);

}  // namespace millrace::storage
