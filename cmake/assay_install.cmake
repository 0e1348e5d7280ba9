# The package: headers as they stand in the tree, libraries, and the CMake functions.
include(CMakePackageConfigHelpers)

set(assay_headers ${CMAKE_INSTALL_INCLUDEDIR}/assay)
set(assay_package ${CMAKE_INSTALL_LIBDIR}/cmake/assay)

install(TARGETS assay_reference assay_virtual_time assay_harness assay_standard_archive assay_standard
                assay_subjects_archive assay_subjects assay_adapters assay_allocation_faults
        EXPORT assay-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} OBJECTS DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS assay RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(folder reference harness scenarios)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${assay_headers}
          FILES_MATCHING PATTERN "*.hpp" PATTERN "tests" EXCLUDE PATTERN "examples" EXCLUDE)
endforeach()
install(EXPORT assay-targets NAMESPACE assay:: DESTINATION ${assay_package})
configure_package_config_file(cmake/assay-config.cmake.in ${PROJECT_BINARY_DIR}/assay-config.cmake
                              INSTALL_DESTINATION ${assay_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/assay-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/assay-config.cmake ${PROJECT_BINARY_DIR}/assay-config-version.cmake
              cmake/assay.cmake cmake/assay_after_link.cmake
        DESTINATION ${assay_package})
