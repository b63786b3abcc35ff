// The verb `query`: looks cells up in the RocksDB store, or asks the run that holds it.
#include <iostream>
#include <utility>

#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/merged_views.h"
#include "cli/run_results.h"
#include "cli/verbs.h"
#include "cli/view_rows.h"
#include "cli/warehouse.h"
#include "io/rocksdb/rocksdb_view_store.h"

namespace millrace::cli {

namespace {

server::HttpRequest HttpRequestOf(const server::ViewRequest& request) {
  server::HttpRequest result{.path = "/v1/query", .query = {{"view", request.view}, {"format", request.format}}};
  for (const std::string& key : request.key) result.query.emplace("key", key);
  if (request.from) result.query.emplace("from", request.from->ToString());
  if (request.to) result.query.emplace("to", request.to->ToString());
  if (request.limit) result.query.emplace("limit", std::to_string(*request.limit));
  if (!request.as_of.empty()) result.query.emplace("as_of", request.as_of);
  return result;
}

}  // namespace

StatusOr<int> QueryVerb(const Invocation& invocation, const Pipeline& pipeline) {
  if (invocation.arguments.empty())
    return UsageError("usage: " + invocation.program + " query VIEW [KEY...] --data_dir=DIR");
  const OutputOptions& output = invocation.output;
  const server::ViewRequest request{.view = invocation.arguments[0],
                                    .key = {invocation.arguments.begin() + 1, invocation.arguments.end()},
                                    .from = output.from,
                                    .to = output.to,
                                    .limit = output.limit,
                                    .format = output.format,
                                    .as_of = output.as_of};
  MILLRACE_ASSIGN_OR_RETURN(const ViewDescriptor view, FindView(pipeline, request.view));
  MILLRACE_RETURN_IF_ERROR(CheckViewRequest(view, request));
  MILLRACE_ASSIGN_OR_RETURN(const bool answered, PrintAnswerOfRun(invocation, HttpRequestOf(request), std::cout));
  if (answered) return 0;
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory, OpenResults(invocation));
  MILLRACE_ASSIGN_OR_RETURN(const MergedViews merged, MergedViews::Of(invocation, pipeline));
  if (merged.Find(view.name) != nullptr) {
    MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, OpenWarehouse(invocation, directory));
    MILLRACE_RETURN_IF_ERROR(merged.Print(connection, request, std::cout));
    TellGeneration(invocation, directory.generation());
    return 0;
  }
  if (!request.as_of.empty()) return UsageError("--as_of is for the views of a batch layer (topology::Lambda)");
  MILLRACE_ASSIGN_OR_RETURN(const auto store,
                            io_rocksdb::RocksdbViewStore::Open({.path = LookupPath(directory.ReadFolder())}));
  MILLRACE_RETURN_IF_ERROR(store->Declare(view));
  MILLRACE_RETURN_IF_ERROR(PrintViewRows(*store, view, request, std::cout));
  TellGeneration(invocation, directory.generation());
  return 0;
}

}  // namespace millrace::cli
