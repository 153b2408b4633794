# `cmake --install` and a Debian package: `cpack -G DEB --config <build>/CPackConfig.cmake`.
# Build with -DCMAKE_INSTALL_PREFIX=/usr for the package.
set(docs ${CMAKE_INSTALL_DATAROOTDIR}/doc/datapy-kafka-sidecar)
install(FILES deploy/systemd/datapy-kafka-sidecar@.service DESTINATION lib/systemd/system)
install(FILES LICENSE DESTINATION ${docs} RENAME copyright)
install(FILES CHANGELOG.md DESTINATION ${docs})
install(FILES deploy/config/sidecar.example.json deploy/config/local.json deploy/prometheus/alerts.yaml
              deploy/prometheus/prometheus.yaml deploy/dashboards/datapy-kafka-sidecar.json
        DESTINATION ${docs}/examples)
# For grpcurl against a daemon without reflection: -import-path … -proto …
install(DIRECTORY proto/ DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/datapy-kafka-sidecar/proto
        FILES_MATCHING PATTERN "*.proto")

set(CPACK_PACKAGE_NAME datapy-kafka-sidecar)
set(CPACK_PACKAGE_CONTACT "The datapy-kafka-sidecar authors <datapy-kafka-sidecar@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "${PROJECT_DESCRIPTION}\n\
The daemon owns librdkafka, group membership, offsets, retries and\n\
credentials; jobs stream records over a unix socket.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/systemd/postinst
                                       ${PROJECT_SOURCE_DIR}/deploy/systemd/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
