# What other people's libraries the rooms may link. All are found in the system but DuckDB, which tools/setup puts
# into .setup/duckdb. None of them may be seen in a public header.

find_package(Threads REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(simdjson CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)  # in module mode, and before gRPC, which would look for its own
find_package(gRPC CONFIG REQUIRED)
# What gRPC finds re2 by hands -pthread on to all that link it, and our precompiled headers are made without.
set_property(TARGET re2::re2 PROPERTY INTERFACE_COMPILE_OPTIONS "")
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)

find_path(MILLRACE_XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(MILLRACE_XXHASH_LIBRARY xxhash REQUIRED)

set(MILLRACE_DUCKDB_ROOT "${PROJECT_SOURCE_DIR}/.setup/duckdb" CACHE PATH "holds include/duckdb.h, lib/libduckdb.so")
find_path(MILLRACE_DUCKDB_INCLUDE duckdb.h HINTS "${MILLRACE_DUCKDB_ROOT}/include" NO_DEFAULT_PATH)
find_library(MILLRACE_DUCKDB_LIBRARY duckdb HINTS "${MILLRACE_DUCKDB_ROOT}/lib" NO_DEFAULT_PATH)
if(NOT MILLRACE_DUCKDB_INCLUDE OR NOT MILLRACE_DUCKDB_LIBRARY)
  message(FATAL_ERROR "DuckDB is not in ${MILLRACE_DUCKDB_ROOT}; run tools/setup first")
endif()

add_library(DuckDB::DuckDB SHARED IMPORTED GLOBAL)
set_target_properties(DuckDB::DuckDB PROPERTIES
  IMPORTED_LOCATION "${MILLRACE_DUCKDB_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${MILLRACE_DUCKDB_INCLUDE}")

add_library(xxHash::xxHash UNKNOWN IMPORTED GLOBAL)
set_target_properties(xxHash::xxHash PROPERTIES
  IMPORTED_LOCATION "${MILLRACE_XXHASH_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${MILLRACE_XXHASH_INCLUDE}")

# The macros say how Debian built the library; they decide the layout of its classes.
find_path(MILLRACE_HTTPLIB_INCLUDE httplib.h REQUIRED)
find_library(MILLRACE_HTTPLIB_LIBRARY cpp-httplib REQUIRED)
add_library(httplib::httplib UNKNOWN IMPORTED GLOBAL)
set_target_properties(httplib::httplib PROPERTIES
  IMPORTED_LOCATION "${MILLRACE_HTTPLIB_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${MILLRACE_HTTPLIB_INCLUDE}"
  INTERFACE_COMPILE_DEFINITIONS
    "CPPHTTPLIB_OPENSSL_SUPPORT;CPPHTTPLIB_ZLIB_SUPPORT;CPPHTTPLIB_BROTLI_SUPPORT")

# The light ones, which every room may use; with --as-needed an unused one costs nothing.
set(MILLRACE_LIGHT_THIRD_PARTY
  Threads::Threads
  absl::flat_hash_map
  absl::flat_hash_set
  absl::base
  xxHash::xxHash
  fmt::fmt
  spdlog::spdlog
  nlohmann_json::nlohmann_json
  simdjson::simdjson
  CLI11::CLI11)
# libstdc++ comes before them: libduckdb exports a few of its functions, and whoever resolves a reference first is loaded.
set(MILLRACE_HEAVY_THIRD_PARTY stdc++ RocksDB::rocksdb-shared DuckDB::DuckDB httplib::httplib OpenSSL::SSL
  OpenSSL::Crypto gRPC::grpc++ protobuf::libprotobuf)
