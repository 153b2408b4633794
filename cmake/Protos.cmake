# Code made from proto/: the API for rpc, the configuration file for config.
set(PROTO_ROOT ${CMAKE_CURRENT_SOURCE_DIR}/proto)
set(PROTO_OUT ${CMAKE_CURRENT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${PROTO_OUT})
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# datapy_kafka_proto(<target> [GRPC] <path>...) for proto/<path>.proto
function(datapy_kafka_proto target)
  cmake_parse_arguments(ARG "GRPC" "" "" ${ARGN})
  set(sources)
  foreach(path ${ARG_UNPARSED_ARGUMENTS})
    set(base ${PROTO_OUT}/${path})
    set(outputs ${base}.pb.cc ${base}.pb.h)
    set(plugin)
    if(ARG_GRPC)
      list(APPEND outputs ${base}.grpc.pb.cc ${base}.grpc.pb.h)
      set(plugin --grpc_out=${PROTO_OUT} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc -I${PROTO_ROOT} --cpp_out=${PROTO_OUT} ${plugin}
              ${PROTO_ROOT}/${path}.proto
      DEPENDS ${PROTO_ROOT}/${path}.proto
      VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} SYSTEM PUBLIC ${PROTO_OUT})
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
  if(DATAPY_KAFKA_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${DATAPY_KAFKA_SANITIZE} -fno-omit-frame-pointer)
  endif()
  if(ARG_GRPC)
    target_link_libraries(${target} PUBLIC gRPC::grpc++)
  endif()
endfunction()

datapy_kafka_proto(datapy_kafka_config_proto datapy_kafka/v1/config)
datapy_kafka_proto(datapy_kafka_api_proto GRPC datapy_kafka/v1/sidecar datapy_kafka/v1/error grpc/health/v1/health)
