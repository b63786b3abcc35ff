#include "storage/checkpoint_store.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "storage/checkpoint_files.h"
#include "storage/section_file.h"

namespace millrace::storage {
namespace {

/// Removing what is needless is tried again at the next checkpoint, so a failure is no error.
bool RemoveQuietly(base::FileSystem& files, const std::string& path) {
  const Status status = files.Remove(path);
  return status.ok() || status.code() == StatusCode::kNotFound;
}

Status CheckNames(const CheckpointContents& contents) {
  std::set<std::pair<std::string_view, std::string_view>> states;
  for (const StateContents& state : contents.states) {
    const StateDescription& description = state.description;
    if (!states.emplace(description.step, description.state).second) {
      return InvalidArgumentError("step \"" + description.step + "\" has two states named \"" + description.state +
                                  "\"");
    }
  }
  std::set<std::string_view> sinks;
  for (const SinkContents& sink : contents.sinks) {
    if (!sinks.insert(sink.sink).second) return InvalidArgumentError("two sinks are named \"" + sink.sink + "\"");
  }
  return OkStatus();
}

Status WriteSection(SectionFileWriter& writer, const NewSection& contents, SectionRef* section) {
  writer.BeginSection(contents.full);
  for (const detail::ChunkSource& source : contents.sources) {
    MILLRACE_RETURN_IF_ERROR(source([&writer](const std::string& chunk) { return writer.AppendChunk(chunk); }));
  }
  for (const std::shared_ptr<const std::string>& chunk : contents.chunks) {
    MILLRACE_RETURN_IF_ERROR(writer.AppendChunk(*chunk));
  }
  MILLRACE_ASSIGN_OR_RETURN(*section, writer.EndSection());
  return OkStatus();
}

/// The sections of `contents` that must be written: those behind the last full one, and it.
std::size_t FirstUsefulSection(const StateContents& state) {
  for (std::size_t i = state.sections.size(); i-- > 0;) {
    if (state.sections[i].full) return i;
  }
  return 0;
}

}  // namespace

StatusOr<CheckpointStore> CheckpointStore::Open(base::FileSystem& files, std::string folder,
                                                CheckpointStoreOptions options) {
  options.keep = std::max<std::size_t>(options.keep, 1);
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, folder));
  // What is not there any more must stay so before anything that it needed is removed.
  MILLRACE_RETURN_IF_ERROR(files.SyncFolder(folder));
  CheckpointStore store(files, std::move(folder), options);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ListedCheckpoint> listed, ListCheckpoints(files, store.folder_));
  for (const ListedCheckpoint& checkpoint : listed) {
    store.next_epoch_ = std::max(store.next_epoch_, checkpoint.epoch + 1);
    auto& data_files = store.manifests_[checkpoint.epoch];
    if (!checkpoint.manifest.ok()) continue;
    data_files = DataFilesOf(*checkpoint.manifest);
    store.greatest_attempt_ = std::max(store.greatest_attempt_, checkpoint.manifest->attempt);
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(store.folder_));
  for (const std::string& name : names) {
    if (name.ends_with(".new")) RemoveQuietly(files, store.PathOf(name));
    const std::optional<DataFileNumbers> numbers = NumbersOfDataFile(name);
    if (!numbers) continue;
    store.next_epoch_ = std::max(store.next_epoch_, numbers->epoch + 1);
    store.greatest_attempt_ = std::max(store.greatest_attempt_, numbers->attempt);
  }
  store.RemoveNeedless();
  return store;
}

Status CheckpointStore::ReadSection(const SectionRef& section, const ChunkVisitor& visit) const {
  return storage::ReadSection(*files_, folder_, section, visit);
}

StatusOr<std::string> CheckpointStore::ReadSection(const SectionRef& section) const {
  return storage::ReadSection(*files_, folder_, section);
}

Status CheckpointStore::SaveAs(const CheckpointManifest& checkpoint, const std::string& to_folder) const {
  return SaveSnapshot(*files_, folder_, checkpoint, to_folder);
}

StatusOr<std::uint64_t> CheckpointStore::BeginAttempt() {
  const std::string path = PathOf(std::string(kAttemptFileName));
  std::uint64_t last = greatest_attempt_;
  const StatusOr<std::string> text = base::ReadFile(*files_, path, 1 << 12);
  if (text.ok()) {
    const StatusOr<std::uint64_t> written = ParseAttempt(*text);
    if (!written.ok()) {
      return Status(written.status().code(),
                    path + ": " + written.status().message() +
                        ". It holds the number of the last attempt, without which a dead run's results could not be "
                        "told from this one's. Restore it from a copy, or start a new generation");
    }
    last = std::max(last, *written);
  } else if (text.status().code() != StatusCode::kNotFound) {
    return text.status();
  }
  MILLRACE_RETURN_IF_ERROR(base::ReplaceFile(*files_, path, AttemptText(last + 1)));
  greatest_attempt_ = last + 1;
  return last + 1;
}

Status CheckpointStore::CheckContents(const CheckpointContents& contents) const {
  if (contents.epoch < next_epoch_) {
    return InvalidArgumentError("the checkpoint's epoch is " + std::to_string(contents.epoch) + "; in " + folder_ +
                                " the next one is " + std::to_string(next_epoch_));
  }
  MILLRACE_RETURN_IF_ERROR(CheckNames(contents));
  for (const StateContents& state : contents.states) {
    const StateDescription& description = state.description;
    const StateChain* before = base_ ? base_->FindState(description.step, description.state) : nullptr;
    const bool goes_on = before != nullptr && before->description == description;
    const std::size_t first = FirstUsefulSection(state);
    if (goes_on || (first < state.sections.size() && state.sections[first].full)) continue;
    return InvalidArgumentError("step \"" + description.step + "\", state \"" + description.state +
                                "\": the first section must be a full one" +
                                (before == nullptr ? "" : ", for its layout has changed"));
  }
  return OkStatus();
}

StatusOr<CheckpointManifest> CheckpointStore::WriteData(const CheckpointContents& contents) const {
  CheckpointManifest manifest{.generation = contents.generation,
                              .epoch = contents.epoch,
                              .attempt = contents.attempt,
                              .job_name = contents.job_name,
                              .mode = contents.mode,
                              .created_at = contents.created_at,
                              .duration = contents.duration,
                              .watermark = contents.watermark,
                              .states = {},
                              .sources = contents.sources,
                              .sinks = {},
                              .metrics = contents.metrics,
                              .digest = contents.digest};
  MILLRACE_ASSIGN_OR_RETURN(SectionFileWriter writer,
                            SectionFileWriter::Create(*files_, folder_, contents.epoch, contents.attempt));
  for (const StateContents& state : contents.states) {
    StateChain& chain = manifest.states.emplace_back();
    chain.description = state.description;
    const std::size_t first = FirstUsefulSection(state);
    const bool replaces = first < state.sections.size() && state.sections[first].full;
    if (!replaces) chain.chain = base_->FindState(state.description.step, state.description.state)->chain;
    for (std::size_t i = first; i < state.sections.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(WriteSection(writer, state.sections[i], &chain.chain.emplace_back()));
    }
  }
  for (const SinkContents& sink : contents.sinks) {
    SinkPosition& position = manifest.sinks.emplace_back(SinkPosition{.sink = sink.sink, .batch = {}});
    MILLRACE_RETURN_IF_ERROR(WriteSection(writer, {.full = true, .chunks = sink.batch}, &position.batch));
  }
  MILLRACE_RETURN_IF_ERROR(writer.Finish());
  MILLRACE_RETURN_IF_ERROR(files_->SyncFolder(folder_));  // the name must be there when the manifest is
  return manifest;
}

Status CheckpointStore::Commit(const CheckpointManifest& manifest) {
  const std::string path = PathOf(ManifestName(manifest.epoch));
  const Status written = base::ReplaceFile(*files_, path, ManifestText(manifest));
  // After an error the name may be there all the same, and then it needs its data.
  const bool may_exist = written.ok() || files_->Exists(path).value_or(true);
  if (may_exist) manifests_[manifest.epoch] = DataFilesOf(manifest);
  return written;
}

StatusOr<CheckpointManifest> CheckpointStore::Write(const CheckpointContents& contents) {
  MILLRACE_RETURN_IF_ERROR(CheckContents(contents));
  const Duration begun = options_.clock->Monotonic();
  next_epoch_ = contents.epoch + 1;
  greatest_attempt_ = std::max(greatest_attempt_, contents.attempt);
  StatusOr<CheckpointManifest> manifest = WriteData(contents);
  Status status = manifest.status();
  if (status.ok()) {
    manifest->duration += options_.clock->Monotonic() - begun;
    status = Commit(*manifest);
  }
  if (!status.ok()) {
    if (!manifests_.contains(contents.epoch)) {
      RemoveQuietly(*files_, PathOf(ManifestName(contents.epoch)) + ".new");
      RemoveQuietly(*files_, PathOf(DataFileName(contents.epoch, contents.attempt)));
    }
    return status.WithContext("checkpoint of epoch " + std::to_string(contents.epoch));
  }
  removed_.erase(contents.epoch);
  for (std::uint64_t epoch : removed_) manifests_.erase(epoch);  // the commit has synced the folder
  removed_.clear();
  base_ = *manifest;
  RemoveNeedless();
  return manifest;
}

/// First the data files that no manifest needs, then the manifests beyond those that are kept. Their own data files
/// follow when the removal is synced, at the next checkpoint.
void CheckpointStore::RemoveNeedless() {
  bool all_readable = true;
  std::set<std::string> needed;
  for (const auto& [epoch, data_files] : manifests_) {
    all_readable = all_readable && data_files.has_value();
    if (data_files) needed.insert(data_files->begin(), data_files->end());
  }
  const StatusOr<std::vector<std::string>> names = files_->List(folder_);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (all_readable && NumbersOfDataFile(name) && !needed.contains(name)) RemoveQuietly(*files_, PathOf(name));
  }
  std::size_t beyond = manifests_.size() > options_.keep ? manifests_.size() - options_.keep : 0;
  for (const auto& [epoch, data_files] : manifests_) {
    if (beyond-- == 0) break;
    if (RemoveQuietly(*files_, PathOf(ManifestName(epoch)))) removed_.insert(epoch);
  }
}

ChainSize CheckpointStore::ChainSizeOf(const StateDescription& state) const {
  ChainSize size;
  const StateChain* found = base_ ? base_->FindState(state.step, state.state) : nullptr;
  if (found == nullptr || found->description != state) return size;
  size.sections = found->chain.size();
  size.full_bytes = found->chain.front().bytes;
  size.delta_bytes = found->bytes() - size.full_bytes;
  return size;
}

}  // namespace millrace::storage
