# What ThreadSanitizer cannot see in the distribution's libraries: absl::Mutex
# and C11's threads in every program, gRPC's callbacks in those that serve.
find_package(absl REQUIRED)
function(datapy_kafka_tsan_objects name folder condition)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cc)
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PRIVATE ${ARGN})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror -fsanitize=thread -O1 -g)
  # Into programs, not into the libraries that they are made of.
  target_sources(datapy_kafka_settings INTERFACE
    $<$<AND:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>,${condition}>:$<TARGET_OBJECTS:${name}>>)
endfunction()

datapy_kafka_tsan_objects(datapy_kafka_tsan tests/support/tsan 1 absl::synchronization absl::time)
datapy_kafka_tsan_objects(datapy_kafka_tsan_grpc tests/support/tsan/grpc
  $<IN_LIST:datapy_kafka_rpc,$<TARGET_PROPERTY:LINK_LIBRARIES>> gRPC::grpc++)
target_link_libraries(datapy_kafka_settings INTERFACE ${CMAKE_DL_LIBS})
