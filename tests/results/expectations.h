// What the stores of a program that was killed must hold.
#pragma once

#include <string>

#include "visits_program.h"

namespace millrace::results_test {

/// Both stores hold the epochs up to the last one that they note, and no store is ahead of the checkpoint.
void ExpectWholeEpochs(const ProgramOptions& options, const std::string& folder);

/// All epochs, each cell and letter by the attempt that the checkpoint knows, and no file left over.
void ExpectAll(const ProgramOptions& options, const std::string& folder);

}  // namespace millrace::results_test
