// What a run can tell of its results while it goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/merged_views.h"
#include "columnar/database.h"
#include "millrace/io/view_store.h"
#include "server/server.h"

namespace millrace::cli {

/// Reads the stores of a run beside its writes: what is committed. Thread safe.
class LiveResults final : public server::DataService {
 public:
  /// `lookup` must outlive the object. The database is closed only when the object is gone, too.
  LiveResults(std::vector<ViewDescriptor> views, MergedViews merged, const ViewStore& lookup,
              columnar::Database warehouse)
      : views_(std::move(views)), merged_(std::move(merged)), lookup_(lookup), warehouse_(std::move(warehouse)) {}

  StatusOr<std::string> Query(const server::ViewRequest& request, std::size_t bytes_max) override;
  /// One SELECT or EXPLAIN, for five minutes at most.
  StatusOr<std::string> Sql(const server::SqlRequest& request, std::size_t bytes_max) override;
  /// For five minutes at most.
  StatusOr<std::int64_t> Export(const server::ExportRequest& request) override;
  void Cancel() override;

 private:
  class Running;

  StatusOr<ViewDescriptor> Find(const std::string& name) const;

  const std::vector<ViewDescriptor> views_;
  const MergedViews merged_;
  const ViewStore& lookup_;
  const columnar::Database warehouse_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
};

}  // namespace millrace::cli
