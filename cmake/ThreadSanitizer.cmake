# absl::Mutex as ThreadSanitizer has to know it, in every program.
find_package(absl REQUIRED)
file(GLOB tsan_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/support/tsan/*.cc)
add_library(datapy_kafka_tsan OBJECT ${tsan_sources})
target_link_libraries(datapy_kafka_tsan PRIVATE absl::synchronization absl::time)
target_compile_options(datapy_kafka_tsan PRIVATE -Wall -Wextra -Werror -fsanitize=thread -O1 -g)
# Into programs, not into the libraries that they are made of.
target_sources(datapy_kafka_settings INTERFACE
  $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:datapy_kafka_tsan>>)
target_link_libraries(datapy_kafka_settings INTERFACE ${CMAKE_DL_LIBS})
