# How everything is compiled: C++20, warnings are errors, hardened.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

include(CheckPIESupported)
check_pie_supported()

add_library(datapy_kafka_settings INTERFACE)
target_compile_options(datapy_kafka_settings INTERFACE -Wall -Wextra -Werror -fstack-protector-strong)
target_link_options(datapy_kafka_settings INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(DATAPY_KAFKA_SANITIZE)
  target_compile_options(datapy_kafka_settings INTERFACE -fsanitize=${DATAPY_KAFKA_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(datapy_kafka_settings INTERFACE -fsanitize=${DATAPY_KAFKA_SANITIZE})
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_options(datapy_kafka_settings INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
