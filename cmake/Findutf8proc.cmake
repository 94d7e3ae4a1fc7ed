# SPDX-License-Identifier: Apache-2.0
# utf8proc as the target utf8proc::utf8proc: from its own CMake package, which newer releases install, or from the
# header and the library, as Debian installs them.
find_package(utf8proc CONFIG QUIET)
if(NOT TARGET utf8proc::utf8proc)
    find_path(utf8proc_INCLUDE_DIR utf8proc.h)
    find_library(utf8proc_LIBRARY NAMES utf8proc utf8proc_static)
    mark_as_advanced(utf8proc_INCLUDE_DIR utf8proc_LIBRARY)
    if(utf8proc_INCLUDE_DIR AND utf8proc_LIBRARY)
        add_library(utf8proc::utf8proc UNKNOWN IMPORTED)
        set_target_properties(utf8proc::utf8proc PROPERTIES IMPORTED_LOCATION "${utf8proc_LIBRARY}"
                              INTERFACE_INCLUDE_DIRECTORIES "${utf8proc_INCLUDE_DIR}")
    endif()
endif()
if(TARGET utf8proc::utf8proc)
    set(utf8proc_FOUND TRUE)
else()
    set(utf8proc_FOUND FALSE)
endif()
