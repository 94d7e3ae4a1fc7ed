# SPDX-License-Identifier: Apache-2.0
# cmake --install: the component `headers`, which needs no build (the headers, the CMake package, the licence), and the component
# `program`, where it was built.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/apriori")

# A library that has apriori in its tree and links its targets can be exported: CMake then knows them by the names that
# find_package(apriori) gives them. The export itself is never installed, since the package defines those targets.
install(TARGETS ${_targets} EXPORT apriori ARCHIVE COMPONENT apriori_never EXCLUDE_FROM_ALL)
install(EXPORT apriori NAMESPACE apriori:: DESTINATION "${_package_dir}" COMPONENT apriori_never EXCLUDE_FROM_ALL)

if(NOT APRIORI_INSTALL)
    return()
endif()

install(DIRECTORY include/apriori DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT headers FILES_MATCHING
        PATTERN "*.hpp" PATTERN "*.cuh" PATTERN "compiled.cpp")

configure_package_config_file(cmake/apriori-config.cmake.in "${PROJECT_BINARY_DIR}/apriori-config.cmake"
                              INSTALL_DESTINATION "${_package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/apriori-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/apriori-config.cmake" "${PROJECT_BINARY_DIR}/apriori-config-version.cmake"
              cmake/apriori_components.cmake cmake/apriori_add_bench.cmake cmake/apriori_add_config.cmake
              cmake/apriori_add_multiarch.cmake cmake/apriori_link_file.cmake
              cmake/Findutf8proc.cmake cmake/Findxsimd.cmake
        DESTINATION "${_package_dir}" COMPONENT headers)
install(FILES bench/variants.hpp scripts/bench-variants scripts/bar_chart.py DESTINATION "${_package_dir}/bench"
        COMPONENT headers)
install(FILES LICENSE NOTICE DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT headers)

if(TARGET apriori_program)
    install(TARGETS apriori_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program OPTIONAL)
endif()
