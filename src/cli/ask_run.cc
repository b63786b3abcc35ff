#include "cli/ask_run.h"

#include "base/status_macros.h"
#include "server/server.h"

namespace millrace::cli {

StatusOr<bool> PrintAnswerOfRun(const Invocation& invocation, const server::HttpRequest& request, std::ostream& out) {
  if (invocation.pipeline.data_dir.empty()) return false;
  const StatusOr<server::HttpResponse> response = server::AskServer(invocation.pipeline.data_dir, request);
  if (!response.ok()) return false;
  MILLRACE_RETURN_IF_ERROR(server::StatusOfResponse(*response));
  out << response->body;
  return true;
}

}  // namespace millrace::cli
