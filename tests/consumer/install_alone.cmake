# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -DCOMPILER= -P install_alone.cmake: without a build, cmake --install installs
# the headers, and nothing for the component `program`. Without pkg-config, which finds xsimd for it, apriori.pc
# requires no package.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DAPRIORI_BUILD_TESTS=OFF
                        -DAPRIORI_BUILD_BENCH=OFF -DAPRIORI_BUILD_EXAMPLES=OFF
                        -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON -S "${SOURCE}" -B "${BINARY}"
                COMMAND_ERROR_IS_FATAL ANY)

function(expect_installed component out_of)
    set(prefix "${BINARY}/prefix_${component}")
    set(option "")
    if(component)
        set(option --component ${component})
    endif()
    execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BINARY}" --prefix "${prefix}" ${option} COMMAND_ERROR_IS_FATAL ANY)
    file(GLOB_RECURSE installed LIST_DIRECTORIES false RELATIVE "${prefix}" "${prefix}/*")
    foreach(file IN ITEMS include/apriori/apriori.hpp share/cmake/apriori/apriori-config.cmake)
        if(out_of AND NOT file IN_LIST installed)
            message(FATAL_ERROR "component '${component}' does not install ${file}")
        endif()
    endforeach()
    if(NOT out_of AND installed)
        message(FATAL_ERROR "component '${component}' installs what was not built: ${installed}")
    endif()
    if("bin/apriori" IN_LIST installed)
        message(FATAL_ERROR "a program that was not built is installed")
    endif()
endfunction()
expect_installed("" TRUE)
file(READ "${BINARY}/prefix_/share/pkgconfig/apriori.pc" text)
if(NOT text MATCHES "Requires: *\n")
    message(FATAL_ERROR "apriori.pc requires what nothing has found:\n${text}")
endif()
expect_installed(headers TRUE)
expect_installed(program FALSE)
