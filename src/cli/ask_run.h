// Asks the run that holds a data directory, through the socket in it.
#pragma once

#include <ostream>

#include "cli/verbs.h"
#include "millrace/core/status.h"
#include "server/http_message.h"

namespace millrace::cli {

/// Prints the answer of the run that holds --data_dir. False where no run does, or it does not answer: then the
/// directory is to be taken. A failure is the run's answer.
StatusOr<bool> PrintAnswerOfRun(const Invocation& invocation, const server::HttpRequest& request, std::ostream& out);

}  // namespace millrace::cli
