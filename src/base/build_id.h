// Which program this is: what its linker says.
#pragma once

#include <string>

namespace millrace::base {

/// The build id of the running program (the linker's note of it), as hexadecimal digits: the same for the same code,
/// compiler and options. "unknown" where the linker gave none.
const std::string& BuildId();

}  // namespace millrace::base
