# cmake --install: headers, libmillrace.a, libduckdb.so and what find_package(Millrace) needs.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

function(millrace_install)
  set(package "${CMAKE_INSTALL_LIBDIR}/cmake/Millrace")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
  install(TARGETS millrace EXPORT MillraceTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(FILES "${MILLRACE_DUCKDB_LIBRARY}" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(EXPORT MillraceTargets NAMESPACE Millrace:: DESTINATION "${package}")
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/MillraceConfig.cmake.in"
    "${CMAKE_BINARY_DIR}/MillraceConfig.cmake" INSTALL_DESTINATION "${package}" PATH_VARS CMAKE_INSTALL_LIBDIR)
  write_basic_package_version_file("${CMAKE_BINARY_DIR}/MillraceConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${CMAKE_BINARY_DIR}/MillraceConfig.cmake" "${CMAKE_BINARY_DIR}/MillraceConfigVersion.cmake"
    DESTINATION "${package}")

  add_test(NAME install COMMAND "${PROJECT_SOURCE_DIR}/tests/install/run" "${CMAKE_COMMAND}" "${CMAKE_BINARY_DIR}"
    "${CMAKE_CXX_COMPILER}")
  set_tests_properties(install PROPERTIES LABELS slow TIMEOUT 300)
endfunction()
