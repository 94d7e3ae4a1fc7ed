# SPDX-License-Identifier: Apache-2.0
# xsimd as the target xsimd: from its own CMake package, or, where CMake does not look for that (Debian's lies in a folder of its
# architecture, which other machines' compilers can use all the same), from its headers.
find_package(xsimd CONFIG QUIET)
if(NOT TARGET xsimd)
    find_path(xsimd_INCLUDE_DIR xsimd/xsimd.hpp)
    mark_as_advanced(xsimd_INCLUDE_DIR)
    if(xsimd_INCLUDE_DIR)
        add_library(xsimd INTERFACE IMPORTED)
        set_target_properties(xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${xsimd_INCLUDE_DIR}")
    endif()
endif()
if(TARGET xsimd)
    set(xsimd_FOUND TRUE)
else()
    set(xsimd_FOUND FALSE)
endif()
