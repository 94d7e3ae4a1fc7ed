# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -DPREFIX= -DCOMPILER= -P reconfigure.cmake: if only config.json changes, the
# next build uses the new configuration. main.cpp exits 0 for 32 heads and 1 for any other number.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
file(COPY "${SOURCE}/find_package" "${SOURCE}/main.cpp" "${SOURCE}/config.json" DESTINATION "${BINARY}")
execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${BINARY}/find_package" -B "${BINARY}/build"
                        "-DCMAKE_PREFIX_PATH=${PREFIX}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCOMPONENTS=
                COMMAND_ERROR_IS_FATAL ANY)
foreach(expected IN ITEMS 0 1)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}/build" COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${BINARY}/build/consumer" RESULT_VARIABLE code)
    if(NOT code EQUAL expected)
        message(FATAL_ERROR "the program exits with ${code}; expected ${expected}")
    endif()
    file(READ "${BINARY}/config.json" json)
    string(JSON json SET "${json}" num_attention_heads 8)
    file(WRITE "${BINARY}/config.json" "${json}")
endforeach()
