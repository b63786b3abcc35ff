# What nearly every file reads is read once a build: the standard library, with JSON for the rooms, and with the SDK and
# GoogleTest for the tests. No file may count on it: the preset `clang` does without, so that a missing #include shows there.
#
# g++ 12 forgets in a precompiled header which lines are a system header's, and then warns about them where it
# optimizes. Its rooms do without, where it saves little, and its tests without those warnings.

option(MILLRACE_PRECOMPILED_HEADERS "read common headers once a build" ON)

# Files of a room are compiled twelve at a time, so their headers are read a twelfth as often. Names in their unnamed
# namespaces must therefore differ within a room, and within its tests or a topic's: there it saves a third of the time,
# since what two files instantiate is then compiled once. The presets `clang` and `debug` compile each file alone.
option(MILLRACE_UNITY_BUILD "compile the files of a room together" ON)

# g++ 12 warns falsely of uninitialized members where it sees more of the room than this file.
set_source_files_properties("${PROJECT_SOURCE_DIR}/src/archive/verify.cc" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
# An object of its own, which only programs take that ask for it: the others do not load RocksDB.
set_source_files_properties(
  "${PROJECT_SOURCE_DIR}/src/storage/rocksdb_spill_store.cc" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

# These declare structs of the same name as their neighbours', from which other texts and types are expected.
set_source_files_properties(
  "${PROJECT_SOURCE_DIR}/src/model/json_test.cc" "${PROJECT_SOURCE_DIR}/src/model/schema_test.cc"
  "${PROJECT_SOURCE_DIR}/tests/connectors/text_read_test.cc" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

# What knows gRPC includes 60,000 lines: it is compiled together and apart from the rest, for programs without Pub/Sub do
# not load it.
file(GLOB millrace_grpc_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/pubsub/grpc_*.cc")
file(GLOB millrace_broker_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/pubsub/*.cc")
set_source_files_properties(${millrace_broker_sources} PROPERTIES UNITY_GROUP broker)
set_source_files_properties(${millrace_grpc_sources} PROPERTIES UNITY_GROUP grpc)

function(millrace_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${MILLRACE_UNITY_BUILD} UNITY_BUILD_BATCH_SIZE 12)
  if(target STREQUAL "millrace_pubsub")
    set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  endif()
  if(MILLRACE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ takes every file but the one that it is given for a header.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

set(MILLRACE_COMMON_HEADERS
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <cstring> <deque> <filesystem>
  <fstream> <functional> <iostream> <limits> <map> <memory> <mutex> <optional> <set> <span> <sstream> <string>
  <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

# millrace_precompiled(TARGET rooms|tests): the target takes the common headers from the one library that has them.
function(millrace_precompiled target kind)
  if(NOT MILLRACE_PRECOMPILED_HEADERS OR (kind STREQUAL "rooms" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU"))
    return()
  endif()
  set(holder millrace_precompiled_${kind})
  if(NOT TARGET ${holder})
    set(source "${CMAKE_BINARY_DIR}/precompiled_${kind}.cc")
    file(CONFIGURE OUTPUT "${source}" CONTENT "int main() {}")
    set(headers ${MILLRACE_COMMON_HEADERS})
    if(kind STREQUAL "tests")
      add_executable(${holder} EXCLUDE_FROM_ALL "${source}")  # not position independent code, as the tests are
      target_link_libraries(${holder} PRIVATE GTest::gmock)
      target_compile_options(${holder} PRIVATE ${MILLRACE_TEST_OPTIONS})
      list(APPEND headers <gmock/gmock.h> <gtest/gtest.h> "${PROJECT_SOURCE_DIR}/include/millrace/millrace.h")
    else()
      add_library(${holder} OBJECT EXCLUDE_FROM_ALL "${source}")
      list(APPEND headers "${PROJECT_SOURCE_DIR}/include/millrace/core/json.h")
    endif()
    target_include_directories(${holder} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${holder} PRIVATE millrace_warnings)
    target_precompile_headers(${holder} PRIVATE ${headers})
    # g++ compares the times of files with those in its precompiled header, so one from a compiler cache does not fit.
    set_target_properties(${holder} PROPERTIES CXX_COMPILER_LAUNCHER "")
  endif()
  target_precompile_headers(${target} REUSE_FROM ${holder})
endfunction()
