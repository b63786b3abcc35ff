# Protocols of others: each API's C++ code is generated from the files that tools/setup fetched and compiled once, as a
# static library. Generated code is not ours: no warnings, no clang-tidy, never with other files in one compilation.

set(MILLRACE_PROTOCOL_LIBRARIES "" CACHE INTERNAL "libraries of generated code, whose objects libmillrace.a holds too")

# millrace_protocol(NAME name FILES a.proto... [SERVICES b.proto...] [DEPS names...]): the library millrace_protocol_<name>
# from FILES and SERVICES, which have services and so need the plug-in of gRPC (which fails for others).
function(millrace_protocol)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "FILES;SERVICES;DEPS")
  set(root "${PROJECT_SOURCE_DIR}/.setup/google_proto")
  set(generated "${CMAKE_BINARY_DIR}/protocols")
  file(MAKE_DIRECTORY "${generated}")
  set(sources "")
  foreach(proto IN LISTS arg_FILES arg_SERVICES)
    if(NOT EXISTS "${root}/${proto}")
      message(FATAL_ERROR "${proto} is not in ${root}; run tools/setup first")
    endif()
    string(REGEX REPLACE "\\.proto$" "" stem "${proto}")
    set(outputs "${generated}/${stem}.pb.cc" "${generated}/${stem}.pb.h")
    set(options --cpp_out "${generated}")
    if(proto IN_LIST arg_SERVICES)
      list(APPEND outputs "${generated}/${stem}.grpc.pb.cc" "${generated}/${stem}.grpc.pb.h")
      list(APPEND options --grpc_out "${generated}" "--plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>")
    endif()
    add_custom_command(OUTPUT ${outputs} COMMAND protobuf::protoc -I "${root}" ${options} "${root}/${proto}"
      DEPENDS "${root}/${proto}" COMMENT "Generating C++ of ${proto}" VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  set(library millrace_protocol_${arg_NAME})
  add_library(${library} STATIC ${sources})
  target_include_directories(${library} SYSTEM PUBLIC "${generated}")
  list(TRANSFORM arg_DEPS PREPEND millrace_protocol_)
  target_link_libraries(${library} PUBLIC ${arg_DEPS} gRPC::grpc++ protobuf::libprotobuf)
  # Compiling it is most of the cost of the room, and little of it is in any hot path but parsing.
  target_compile_options(${library} PRIVATE -w ${MILLRACE_PROTOCOL_OPTIONS})
  set(MILLRACE_PROTOCOL_LIBRARIES ${MILLRACE_PROTOCOL_LIBRARIES} ${library} CACHE INTERNAL "")
endfunction()

if(MILLRACE_SANITIZE)
  set(MILLRACE_PROTOCOL_OPTIONS -O0)
else()
  set(MILLRACE_PROTOCOL_OPTIONS -O1)
endif()

millrace_protocol(NAME google_api FILES google/api/http.proto google/api/annotations.proto google/api/launch_stage.proto
  google/api/client.proto google/api/field_behavior.proto google/api/resource.proto)
millrace_protocol(NAME google_pubsub SERVICES google/pubsub/v1/schema.proto google/pubsub/v1/pubsub.proto
  DEPS google_api)
