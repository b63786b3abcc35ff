// Asks the process that runs a generation, through the socket in its folder or in the data directory.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "cli/verbs.h"
#include "millrace/core/status.h"
#include "server/http_message.h"

namespace millrace::cli {

/// The answer of the process that runs that generation; nothing where none does, or it does not answer. A failure that
/// it tells is in the answer.
std::optional<server::HttpResponse> AskGeneration(const std::string& data_dir, std::uint64_t generation,
                                                  server::HttpRequest request);

/// The answer of whoever runs the generation that is read: that of the run that can be gone on with, or else the one
/// that holds the results. Nothing where its files are to be read instead.
StatusOr<std::optional<server::HttpResponse>> AskReadGeneration(const std::string& data_dir,
                                                                const server::HttpRequest& request);

/// Prints that answer, and the generation to the standard error where the directory has several. False where there is
/// none. A failure is the run's answer.
StatusOr<bool> PrintAnswerOfRun(const Invocation& invocation, const server::HttpRequest& request, std::ostream& out);

/// Says on the standard error which generation was read, where others are beside it.
void TellGeneration(const Invocation& invocation, std::uint64_t generation);

}  // namespace millrace::cli
