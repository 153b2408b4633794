# Writes <out>/version.h with the project's version and git's short hash; run
# at each build so that the hash is the one that was built.
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=10 HEAD
                OUTPUT_VARIABLE hash OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(version "${PROJECT_VERSION}")
else()
  set(version "${PROJECT_VERSION} (git ${hash})")
endif()
set(text "#pragma once\n#define DATAPY_KAFKA_VERSION \"${version}\"\n")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUT} "${text}")
endif()
