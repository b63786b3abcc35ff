#include "cli/ask_run.h"

#include <iostream>
#include <utility>

#include "base/status_macros.h"
#include "cli/directory_manifest.h"
#include "server/server.h"

namespace millrace::cli {

std::optional<server::HttpResponse> AskGeneration(const std::string& data_dir, std::uint64_t generation,
                                                  server::HttpRequest request) {
  request.query.erase("generation");
  request.query.emplace("generation", std::to_string(generation));
  for (const std::string& folder : {GenerationFolder(data_dir, generation), data_dir}) {
    StatusOr<server::HttpResponse> response = server::AskServer(folder, request);
    if (response.ok() && server::StatusOfResponse(*response).code() != StatusCode::kAborted)
      return *std::move(response);
  }
  return std::nullopt;
}

StatusOr<std::optional<server::HttpResponse>> AskReadGeneration(const std::string& data_dir,
                                                                const server::HttpRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  const std::uint64_t generation = manifest.generation_in_use();
  if (generation > 0) return AskGeneration(data_dir, generation, request);
  StatusOr<server::HttpResponse> response = server::AskServer(data_dir, request);
  if (!response.ok()) return std::optional<server::HttpResponse>();
  return std::optional(*std::move(response));
}

StatusOr<bool> PrintAnswerOfRun(const Invocation& invocation, const server::HttpRequest& request, std::ostream& out) {
  if (invocation.pipeline.data_dir.empty()) return false;
  const std::string& data_dir = invocation.pipeline.data_dir;
  std::optional<server::HttpResponse> response;
  if (invocation.output.generation) {
    response = AskGeneration(data_dir, *invocation.output.generation, request);
  } else {
    MILLRACE_ASSIGN_OR_RETURN(response, AskReadGeneration(data_dir, request));
  }
  if (!response) return false;
  MILLRACE_RETURN_IF_ERROR(server::StatusOfResponse(*response));
  out << response->body;
  const auto generation = response->headers.find(server::kGenerationHeader);
  if (generation != response->headers.end()) TellGeneration(invocation, std::stoull(generation->second));
  return true;
}

void TellGeneration(const Invocation& invocation, std::uint64_t generation) {
  const StatusOr<DirectoryManifest> manifest = ReadDirectoryManifest(invocation.pipeline.data_dir);
  if (!manifest.ok() || manifest->beside.empty()) return;
  std::cerr << invocation.program << ": generation " << generation << "\n";
}

}  // namespace millrace::cli
