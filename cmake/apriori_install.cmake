# SPDX-License-Identifier: Apache-2.0
# cmake --install: the component `headers`, which needs no build (the headers, the CMake package, the .pc files, the
# licence), and the component `program`, if it was built.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/apriori")

# A library that includes apriori's source and links its targets can be exported: CMake then uses the names that
# find_package(apriori) defines. The export itself is never installed, since the package defines those targets.
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
# For pkg-config: apriori has the headers and the requirements of the CPU device, and each of the others adds one
# component. A .pc file finds the headers relative to its own place. Users choose the compiler's flags, including
# -std=c++20.
set(_pc_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")
if(IS_ABSOLUTE "${_pc_dir}")
    set(PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
    string(REGEX REPLACE "[^/]+" ".." PC_PREFIX "${_pc_dir}")
    set(PC_PREFIX "\${pcfiledir}/${PC_PREFIX}")
endif()
set(PC_INCLUDEDIR "\${prefix}")
cmake_path(APPEND PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}") # may be absolute
# _apriori_pkg_config(<name> <what it adds> REQUIRES <packages> CFLAGS <flags> LIBS <flags>)
function(_apriori_pkg_config PC_NAME what)
    cmake_parse_arguments(PARSE_ARGV 2 PC "" "REQUIRES;CFLAGS;LIBS" "")
    set(PC_DESCRIPTION "${PROJECT_DESCRIPTION}${what}")
    configure_file(cmake/apriori.pc.in "${PROJECT_BINARY_DIR}/${PC_NAME}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${PC_NAME}.pc" DESTINATION "${_pc_dir}" COMPONENT headers)
endfunction()
find_package(PkgConfig QUIET)
set(_xsimd "")
if(PkgConfig_FOUND)
    pkg_check_modules(_apriori_xsimd QUIET xsimd)
    if(_apriori_xsimd_FOUND) # otherwise it is on the compiler's path, or the user says where it is
        set(_xsimd "xsimd >= 8.1")
    endif()
endif()
_apriori_pkg_config(apriori "" REQUIRES "${_xsimd}" CFLAGS "-I\${includedir}")
_apriori_pkg_config(apriori-scalar ": the device cpu in plain floats" CFLAGS "-I\${includedir} -DAPRIORI_NO_XSIMD")
_apriori_pkg_config(apriori-eigen ": the device eigen" REQUIRES "apriori, eigen3 >= 3.4" LIBS "-pthread")
_apriori_pkg_config(apriori-text ": the tokenizer" REQUIRES "apriori, libutf8proc")

install(FILES bench/variants.hpp scripts/bar_chart.py DESTINATION "${_package_dir}/bench" COMPONENT headers)
install(PROGRAMS scripts/bench-variants DESTINATION "${_package_dir}/bench" COMPONENT headers)
install(FILES LICENSE NOTICE DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT headers)

if(TARGET apriori_program)
    install(TARGETS apriori_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program OPTIONAL)
endif()
