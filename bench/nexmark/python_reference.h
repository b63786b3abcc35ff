// Runs nexmark_reference.py, the independent implementation, for the tests.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace millrace::nexmark {

/// Whether the tests can run Python.
inline bool HasPython() { return std::system("python3 --version >/dev/null 2>&1") == 0; }

/// What the script prints with `arguments`; throws when it fails.
inline std::string PythonReference(const std::string& arguments) {
  const std::string command = "python3 '" MILLRACE_SOURCE_DIR "/bench/nexmark/nexmark_reference.py' " + arguments;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start python3");
  std::string output;
  std::array<char, 4096> buffer{};
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), size);
  }
  if (pclose(pipe) != 0) throw std::runtime_error("nexmark_reference.py failed with " + arguments);
  return output;
}

}  // namespace millrace::nexmark
