# The language, the warnings, the sanitizers, the linker and the compiler cache: the same for every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

# Release is plain -O3 without -march: a binary must run on another x86-64 machine than the one that built it.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g -D_GLIBCXX_ASSERTIONS")

set(MILLRACE_SANITIZE "" CACHE STRING "empty, address, thread or fuzzer")
set_property(CACHE MILLRACE_SANITIZE PROPERTY STRINGS "" address thread fuzzer)
if(MILLRACE_SANITIZE)
  # With AddressSanitizer optimizing takes two thirds of the compiler's time, more than it saves the tests.
  set(optimized "-O1")
  if(MILLRACE_SANITIZE STREQUAL "address")
    set(optimized "-O0")
  endif()
  set(CMAKE_CXX_FLAGS_DEBUG "${optimized} -gline-tables-only -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    string(REPLACE "-gline-tables-only" "-g1" CMAKE_CXX_FLAGS_DEBUG "${CMAKE_CXX_FLAGS_DEBUG}")
  endif()
endif()
if(MILLRACE_SANITIZE STREQUAL "address")
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(MILLRACE_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
elseif(MILLRACE_SANITIZE STREQUAL "fuzzer")
  set(sanitizers -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
elseif(MILLRACE_SANITIZE)
  message(FATAL_ERROR "MILLRACE_SANITIZE is '${MILLRACE_SANITIZE}'; it must be empty, address, thread or fuzzer")
endif()
if(MILLRACE_SANITIZE)
  add_compile_options(${sanitizers})
  add_link_options(${sanitizers})
endif()

# Tests instantiate as many kernels as a hundred programs, and compiling is most of what `make test` does: there they are
# optimized less than in the library and the programs. With clang in release (the preset `clang`) they are not.
set(MILLRACE_TEST_OPTIONS "")
if(MILLRACE_SANITIZE)
  set(MILLRACE_TEST_OPTIONS -O0)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
  set(MILLRACE_TEST_OPTIONS -O1)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND MILLRACE_TEST_OPTIONS -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)  # see MillracePrecompiled
  list(APPEND MILLRACE_TEST_OPTIONS --param=ggc-min-heapsize=524288)  # collects garbage from 512 MiB on: 5 % sooner done
endif()

# Warnings belong to our own targets only and are not exported to a user's project.
add_library(millrace_warnings INTERFACE)
target_compile_options(millrace_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees an overlap in "literal" + std::string where there is none (GCC bug 105651).
  target_compile_options(millrace_warnings INTERFACE -Wno-restrict)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's std::stable_sort calls a function that it deprecates itself; g++ still warns about ours.
  target_compile_options(millrace_warnings INTERFACE -Wno-deprecated-declarations)
endif()

# A shipped DoFn is guarded by the linker's build id, so each binary has one. --as-needed keeps libduckdb (60 MB) and
# librocksdb out of programs that use neither.
add_link_options(LINKER:--as-needed LINKER:--build-id=sha1)

include(CheckLinkerFlag)
if(NOT DEFINED MILLRACE_LINKER)
  set(MILLRACE_LINKER "" CACHE STRING "mold, lld or empty for the compiler's own")
  foreach(linker mold lld)
    check_linker_flag(CXX "-fuse-ld=${linker}" MILLRACE_HAS_${linker})
    if(MILLRACE_HAS_${linker})
      set(MILLRACE_LINKER "${linker}" CACHE STRING "mold, lld or empty for the compiler's own" FORCE)
      break()
    endif()
  endforeach()
endif()
if(MILLRACE_LINKER)
  add_link_options("-fuse-ld=${MILLRACE_LINKER}")
endif()

find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these it does not cache what reads a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${MILLRACE_CCACHE}" CACHE STRING
    "prefix of each compile command")
endif()
