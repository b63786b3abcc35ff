#include "io/archive/archive_input.h"

#include <utility>

#include "archive/session.h"
#include "base/status_macros.h"

namespace millrace::detail {

StatusOr<std::shared_ptr<const ManifestVersion>> ArchiveInput::Refresh() {
  const std::lock_guard lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Load());
  return current_;
}

StatusOr<std::shared_ptr<const ManifestVersion>> ArchiveInput::Current() {
  const std::lock_guard lock(mutex_);
  if (current_ == nullptr) MILLRACE_RETURN_IF_ERROR(Load());
  return current_;
}

StatusOr<std::shared_ptr<const ManifestVersion>> ArchiveInput::Newer(std::shared_ptr<const ManifestVersion> known) {
  const std::lock_guard lock(mutex_);
  if (current_ == nullptr || current_->version <= known->version) MILLRACE_RETURN_IF_ERROR(Load());
  return current_->version > known->version ? current_ : std::move(known);
}

Status ArchiveInput::Load() {
  MILLRACE_ASSIGN_OR_RETURN(archive::LoadedManifest loaded, archive::LoadManifest(*store_));
  current_ = std::make_shared<const ManifestVersion>(ManifestVersion{std::move(loaded.manifest), loaded.version});
  return OkStatus();
}

}  // namespace millrace::detail
