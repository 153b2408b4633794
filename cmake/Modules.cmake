# datapy_kafka_module(<name> [DEPS <target>...] [PRIVATE_DEPS <target>...]):
# the static library of src/<name>/, with what its headers need (DEPS) and what
# only its code sees (PRIVATE_DEPS).
function(datapy_kafka_module name)
  cmake_parse_arguments(ARG "" "" "DEPS;PRIVATE_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  add_library(datapy_kafka_${name} STATIC ${sources})
  target_include_directories(datapy_kafka_${name}
                             PUBLIC ${PROJECT_SOURCE_DIR}/include
                             PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(datapy_kafka_${name}
                        PUBLIC ${ARG_DEPS} Threads::Threads
                        PRIVATE ${ARG_PRIVATE_DEPS} datapy_kafka_settings)
endfunction()
