#include "storage/checkpoint_files.h"

#include <xxhash.h>

#include <charconv>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::storage {
namespace {

constexpr std::string_view kManifestSuffix = ".manifest.json";
constexpr std::string_view kDataSuffix = ".data";
constexpr std::size_t kEpochDigits = 20;
constexpr std::size_t kAttemptDigits = 10;

/// The first line of a manifest.
struct ManifestHeader {
  std::int32_t format = kCheckpointFormat;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;
};

struct AttemptFile {
  std::int32_t format = kCheckpointFormat;
  std::uint64_t attempt = 0;
  std::uint64_t checksum = 0;  // XXH3 of the decimal digits; seed: the format
};

std::uint64_t Checksum(std::string_view text) {
  return XXH3_64bits_withSeed(text.data(), text.size(), kCheckpointFormat);
}

std::string Padded(std::uint64_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits > text.size() ? digits - text.size() : 0, '0') + text;
}

std::optional<std::uint64_t> ParseDigits(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status CheckSection(const SectionRef& section, bool must_be_full) {
  const std::optional<DataFileNumbers> numbers = NumbersOfDataFile(section.file);
  if (!numbers || numbers->epoch != section.epoch || numbers->attempt != section.attempt) {
    return DataLossError("it names the data file \"" + section.file + "\" of epoch " + std::to_string(section.epoch) +
                         ", attempt " + std::to_string(section.attempt));
  }
  if (must_be_full && !section.full) return DataLossError("a chain of sections does not begin with a full one");
  return OkStatus();
}

Status CheckManifest(const CheckpointManifest& manifest) {
  if (manifest.epoch == 0) return DataLossError("its epoch is 0");
  for (const StateChain& state : manifest.states) {
    if (state.chain.empty()) return DataLossError("a state has no section");
    for (const SectionRef& section : state.chain) {
      MILLRACE_RETURN_IF_ERROR(CheckSection(section, &section == &state.chain.front()));
    }
  }
  for (const SinkPosition& sink : manifest.sinks) MILLRACE_RETURN_IF_ERROR(CheckSection(sink.batch, true));
  return OkStatus();
}

Status UnknownFormat(std::int32_t format) {
  return FailedPreconditionError("its format is " + std::to_string(format) + "; this version reads format " +
                                 std::to_string(kCheckpointFormat) + " only");
}

}  // namespace

std::string ManifestName(std::uint64_t epoch) { return Padded(epoch, kEpochDigits).append(kManifestSuffix); }

std::string DataFileName(std::uint64_t epoch, std::uint64_t attempt) {
  return (Padded(epoch, kEpochDigits) + "-" + Padded(attempt, kAttemptDigits)).append(kDataSuffix);
}

std::optional<std::uint64_t> EpochOfManifest(std::string_view name) {
  if (!name.ends_with(kManifestSuffix)) return std::nullopt;
  const std::optional<std::uint64_t> epoch = ParseDigits(name.substr(0, name.size() - kManifestSuffix.size()));
  if (!epoch || ManifestName(*epoch) != name) return std::nullopt;
  return epoch;
}

std::optional<DataFileNumbers> NumbersOfDataFile(std::string_view name) {
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos || !name.ends_with(kDataSuffix)) return std::nullopt;
  const std::string_view attempt_text = name.substr(dash + 1, name.size() - dash - 1 - kDataSuffix.size());
  const std::optional<std::uint64_t> epoch = ParseDigits(name.substr(0, dash));
  const std::optional<std::uint64_t> attempt = ParseDigits(attempt_text);
  if (!epoch || !attempt || DataFileName(*epoch, *attempt) != name) return std::nullopt;
  return DataFileNumbers{*epoch, *attempt};
}

std::set<std::string> DataFilesOf(const CheckpointManifest& manifest) {
  std::set<std::string> names;
  for (const StateChain& state : manifest.states) {
    for (const SectionRef& section : state.chain) names.insert(section.file);
  }
  for (const SinkPosition& sink : manifest.sinks) names.insert(sink.batch.file);
  return names;
}

std::string ManifestText(const CheckpointManifest& manifest) {
  std::string body = json::Write(manifest);
  body.push_back('\n');
  const ManifestHeader header{.bytes = body.size(), .checksum = Checksum(body)};
  return json::Write(header) + "\n" + body;
}

StatusOr<CheckpointManifest> ParseManifest(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return DataLossError("it is cut off in its first line");
  StatusOr<ManifestHeader> header = json::Parse<ManifestHeader>(text.substr(0, end));
  if (!header.ok()) return DataLossError("its first line is damaged: " + header.status().message());
  if (header->format != kCheckpointFormat) return UnknownFormat(header->format);
  const std::string_view body = text.substr(end + 1);
  if (body.size() != header->bytes) {
    return DataLossError("its second line has " + std::to_string(body.size()) + " bytes instead of " +
                         std::to_string(header->bytes));
  }
  if (Checksum(body) != header->checksum) return DataLossError("the checksum of its second line does not match");
  StatusOr<CheckpointManifest> manifest = json::Parse<CheckpointManifest>(body);
  if (!manifest.ok()) return DataLossError("its second line is no checkpoint: " + manifest.status().message());
  MILLRACE_RETURN_IF_ERROR(CheckManifest(*manifest));
  return manifest;
}

std::string AttemptText(std::uint64_t attempt) {
  return json::Write(AttemptFile{.attempt = attempt, .checksum = Checksum(std::to_string(attempt))}) + "\n";
}

StatusOr<std::uint64_t> ParseAttempt(std::string_view text) {
  if (!text.ends_with('\n')) return DataLossError("it is cut off");
  StatusOr<AttemptFile> file = json::Parse<AttemptFile>(text);
  if (!file.ok()) return DataLossError(file.status().message());
  if (file->format != kCheckpointFormat) return UnknownFormat(file->format);
  if (Checksum(std::to_string(file->attempt)) != file->checksum) return DataLossError("its checksum does not match");
  return file->attempt;
}

}  // namespace millrace::storage
