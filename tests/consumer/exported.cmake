# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -DAPRIORI= -DCOMPILER= -P exported.cmake: a library that includes apriori's
# source is built, installed, and used from its place of installation.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
set(options -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCMAKE_BUILD_TYPE=Release)
set(prefix "${BINARY}/prefix")
foreach(project IN ITEMS library user)
    execute_process(COMMAND "${CMAKE_COMMAND}" ${options} "-DAPRIORI_SOURCE=${APRIORI}" "-DCMAKE_PREFIX_PATH=${prefix}"
                            -S "${SOURCE}/${project}" -B "${BINARY}/${project}" COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}/${project}" COMMAND_ERROR_IS_FATAL ANY)
    if(project STREQUAL "library")
        execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BINARY}/library" --prefix "${prefix}" COMMAND_ERROR_IS_FATAL ANY)
    endif()
endforeach()
execute_process(COMMAND "${BINARY}/user/user" COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE never LIST_DIRECTORIES false "${prefix}/share/cmake/apriori/apriori.cmake" "${prefix}/*libapriori*")
if(never)
    message(FATAL_ERROR "this must not be installed: ${never}")
endif()
