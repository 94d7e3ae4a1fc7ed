# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER= -DFILE= -DINCLUDE= -DCONTROL=ON|OFF -P compile.cmake: see CMakeLists.txt.
cmake_policy(VERSION 3.25)

file(STRINGS "${FILE}" first LIMIT_COUNT 1)
if(NOT first MATCHES "^// expect: (.+)$")
    message(FATAL_ERROR "${FILE}: the first line must be \"// expect: <regular expression>\"")
endif()
set(expected "${CMAKE_MATCH_1}")

list(TRANSFORM INCLUDE PREPEND "-I")
set(define "")
if(CONTROL)
    set(define -DCONTROL)
endif()
execute_process(COMMAND "${COMPILER}" -std=c++20 -fsyntax-only ${define} ${INCLUDE} "${FILE}"
                RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)

if(CONTROL)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "with -DCONTROL this must compile, and does not:\n${output}")
    endif()
elseif(code EQUAL 0)
    message(FATAL_ERROR "${FILE} compiles; it must not")
elseif(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${FILE} does not compile, but no output matches\n  ${expected}\nThe output is:\n${output}")
endif()
