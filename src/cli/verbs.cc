#include "cli/verbs.h"

#include <unistd.h>

#include <iostream>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "base/status_macros.h"
#include "batch/geometry.h"
#include "columnar/view_columns.h"

namespace millrace::cli {

namespace {

// Marks what is wrong with the command line, not with the work that it asks for.
constexpr std::string_view kUsage = "command line: ";

std::string Columns(const std::vector<columnar::ViewColumn>& columns) {
  std::string text;
  for (const columnar::ViewColumn& column : columns) {
    text += (text.empty() ? "" : ", ") + column.name + " " + column.type->ToString();
  }
  return text;
}

// Whether the batch layer can have the view, and so whether it can be certified.
std::string BatchText(const batch::ViewGeometry& geometry) {
  if (geometry.refusals.empty()) {
    return "certifiable: by partitions, each from records up to " + DurationToString(geometry.Lookback()) +
           " before it";
  }
  std::string text = "none, and not certifiable";
  for (const std::string& why : geometry.refusals) text += (&why == geometry.refusals.data() ? ": " : "; ") + why;
  return text;
}

}  // namespace

Status UsageError(std::string message) { return InvalidArgumentError(std::string(kUsage) + std::move(message)); }

bool IsUsageError(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument && status.message().starts_with(kUsage);
}

std::string MessageOf(const Status& status) {
  return IsUsageError(status) ? status.message().substr(kUsage.size()) : status.message();
}

std::vector<ViewDescriptor> ViewsOf(const Pipeline& pipeline) {
  std::vector<ViewDescriptor> views;
  for (const detail::Transform& transform : pipeline.graph().transforms()) {
    const auto* view = std::get_if<detail::ViewPayload>(&transform.payload);
    if (view == nullptr) continue;
    views.push_back({.name = view->name,
                     .key = view->key_type,
                     .value = view->value_type,
                     .key_column = view->key_column,
                     .value_column = view->value_column,
                     .merges_windows = detail::MergesWindows(pipeline.graph(), transform)});
  }
  return views;
}

StatusOr<std::vector<ViewDescriptor>> ViewsOfTopology(const Invocation& invocation, const Pipeline& pipeline) {
  if (invocation.topology == nullptr || invocation.topology->views.empty()) return ViewsOf(pipeline);
  std::vector<ViewDescriptor> views;
  for (const std::string& name : invocation.topology->views) {
    MILLRACE_ASSIGN_OR_RETURN(views.emplace_back(), FindView(pipeline, name));
  }
  return views;
}

StatusOr<ViewDescriptor> FindView(const Pipeline& pipeline, const std::string& name) {
  const std::vector<ViewDescriptor> views = ViewsOf(pipeline);
  std::string names;
  for (const ViewDescriptor& view : views) {
    if (view.name == name) return view;
    names += (names.empty() ? "" : ", ") + view.name;
  }
  if (names.empty()) return UsageError("this program has no views");
  return UsageError("there is no view " + name + "; there are: " + names);
}

DirectoryHolder ThisProcess(const Invocation& invocation) {
  return {.pid = ::getpid(),
          .program = invocation.program,
          .verb = invocation.verb,
          .since = Timestamp::FromMillis(base::SystemClock().Now().millis())};
}

StatusOr<DataDirectory> OpenResults(const Invocation& invocation) {
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say where the results are: " + invocation.program + " " + invocation.verb + " --data_dir=DIR");
  }
  const std::string& data_dir = invocation.pipeline.data_dir;
  if (!invocation.output.generation) return DataDirectory::OpenForReading(data_dir, ThisProcess(invocation));
  return DataDirectory::OpenGeneration(data_dir, ThisProcess(invocation), *invocation.output.generation);
}

StatusOr<int> DescribeVerb(const Invocation& invocation, const Pipeline& pipeline) {
  if (!invocation.arguments.empty()) return UsageError("describe takes no arguments: " + invocation.arguments[0]);
  const std::vector<ViewDescriptor> views = ViewsOf(pipeline);
  std::cout << "job " << invocation.JobName() << ", " << (invocation.pipeline.streaming ? "streaming" : "batch")
            << " mode\n\n"
            << pipeline.Describe();
  for (const ViewDescriptor& view : views) {
    MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
    std::cout << "\nview " << view.name << "\n  key      " << Columns(columns.key)
              << "\n  window   window_start timestamp, window_end timestamp\n  value    " << Columns(columns.value)
              << "\n";
    if (invocation.topology != nullptr && invocation.topology->every) {
      MILLRACE_ASSIGN_OR_RETURN(const batch::ViewGeometry geometry, batch::GeometryOf(pipeline, view.name));
      std::cout << "  batch    " << BatchText(geometry) << "\n";
    }
  }
  MILLRACE_RETURN_IF_ERROR(pipeline.Validate(invocation.pipeline.streaming));
  return 0;
}

}  // namespace millrace::cli
