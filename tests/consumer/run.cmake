# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -DEXPECT= -P run.cmake -- <options of the consumer>...: see CMakeLists.txt.
cmake_policy(VERSION 3.25)

set(options "")
set(seen FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
    if(seen)
        list(APPEND options "${CMAKE_ARGV${i}}")
    elseif(CMAKE_ARGV${i} STREQUAL "--")
        set(seen TRUE)
    endif()
endforeach()

file(REMOVE_RECURSE "${BINARY}")
set(configure "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${BINARY}" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON ${options})
if(EXPECT)
    execute_process(COMMAND ${configure} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REGEX REPLACE "[ \n]+" " " output "${output}") # CMake breaks long lines
    if(code EQUAL 0)
        message(FATAL_ERROR "this must not configure")
    elseif(NOT output MATCHES "${EXPECT}")
        message(FATAL_ERROR "no message matches\n  ${EXPECT}\nThe output is:\n  ${output}")
    endif()
    return()
endif()

execute_process(COMMAND ${configure} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${BINARY}/consumer" COMMAND_ERROR_IS_FATAL ANY)

file(READ "${BINARY}/compile_commands.json" commands)
string(REGEX MATCHALL " -(W|m)[^ \"]*" flags "${commands}")
if(flags)
    message(FATAL_ERROR "apriori's targets leak compiler flags into a user's build:${flags}")
endif()
