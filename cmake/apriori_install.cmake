# SPDX-License-Identifier: Apache-2.0
# cmake --install: the headers, the CMake package, the licence and, where it was built, the program.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/apriori")

install(DIRECTORY include/apriori DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING
        PATTERN "*.hpp" PATTERN "*.cuh" PATTERN "compiled.cpp")

configure_package_config_file(cmake/apriori-config.cmake.in "${PROJECT_BINARY_DIR}/apriori-config.cmake"
                              INSTALL_DESTINATION "${_package_dir}" PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/apriori-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/apriori-config.cmake" "${PROJECT_BINARY_DIR}/apriori-config-version.cmake"
              cmake/apriori_components.cmake cmake/apriori_add_bench.cmake cmake/apriori_add_config.cmake
              cmake/apriori_add_multiarch.cmake
              cmake/Findutf8proc.cmake
        DESTINATION "${_package_dir}")
install(FILES bench/variants.hpp scripts/bench-variants scripts/bar_chart.py DESTINATION "${_package_dir}/bench")
install(FILES LICENSE NOTICE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(TARGET apriori_program)
    install(TARGETS apriori_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
