# The package: headers as they stand in the tree, libraries, and the CMake functions. Two components, so that tests of one's
# own are built, installed and found without the rest: `cmake --install BUILD --component test` needs the target assay_test.
include(CMakePackageConfigHelpers)

set(assay_headers ${CMAKE_INSTALL_INCLUDEDIR}/assay)
set(assay_package ${CMAKE_INSTALL_LIBDIR}/cmake/assay)

install(TARGETS assay_virtual_time assay_virtual_time_archive assay_test
        EXPORT assay-test-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT test)
install(TARGETS assay_reference assay_suite assay_standard_archive assay_standard assay_subjects_archive assay_subjects
                assay_adapters assay_allocation_faults
        EXPORT assay-suite-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT suite
        OBJECTS DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT suite)
install(TARGETS assay RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT suite)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/harness DESTINATION ${assay_headers} COMPONENT test
        FILES_MATCHING PATTERN "*.hpp" PATTERN "tests" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/harness/test.hpp ${PROJECT_SOURCE_DIR}/harness/suite.hpp DESTINATION ${assay_headers}
        COMPONENT test)
foreach(folder reference scenarios)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${assay_headers} COMPONENT suite
          FILES_MATCHING PATTERN "*.hpp" PATTERN "tests" EXCLUDE PATTERN "examples" EXCLUDE)
endforeach()
install(EXPORT assay-test-targets NAMESPACE assay:: DESTINATION ${assay_package} COMPONENT test)
install(EXPORT assay-suite-targets NAMESPACE assay:: DESTINATION ${assay_package} COMPONENT suite)
configure_package_config_file(cmake/assay-config.cmake.in ${PROJECT_BINARY_DIR}/assay-config.cmake
                              INSTALL_DESTINATION ${assay_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/assay-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/assay-config.cmake ${PROJECT_BINARY_DIR}/assay-config-version.cmake
              cmake/assay.cmake cmake/assay_after_link.cmake
        DESTINATION ${assay_package} COMPONENT test)
