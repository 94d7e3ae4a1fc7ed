# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER= -DFILE= -DINCLUDE= -DCONTROL=ON|OFF -P compile.cmake: see CMakeLists.txt.
cmake_policy(VERSION 3.25)

list(TRANSFORM INCLUDE PREPEND "-I")
set(compile "${COMPILER}" -std=c++20 -fsyntax-only ${INCLUDE})

if(CONTROL)
    execute_process(COMMAND ${compile} -DCONTROL "-I${CMAKE_CURRENT_LIST_DIR}" "${FILE}"
                    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "with -DCONTROL all cases must compile, and one does not:\n${output}")
    endif()
    return()
endif()

file(STRINGS "${FILE}" first LIMIT_COUNT 1)
if(NOT first MATCHES "^// expect: (.+)$")
    message(FATAL_ERROR "${FILE}: the first line must be \"// expect: <regular expression>\"")
endif()
set(expected "${CMAKE_MATCH_1}")
file(STRINGS "${FILE}" flags LIMIT_COUNT 1 REGEX "^// flags: ")
string(REGEX REPLACE "^// flags: " "" flags "${flags}")
separate_arguments(flags UNIX_COMMAND "${flags}")
execute_process(COMMAND ${compile} ${flags} "${FILE}" RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(code EQUAL 0)
    message(FATAL_ERROR "${FILE} compiles; it must not")
elseif(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${FILE} does not compile, but no output matches\n  ${expected}\nThe output is:\n${output}")
endif()
