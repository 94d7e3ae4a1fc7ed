# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -P build.cmake -- OPTION...: configures and builds a project for another
# machine, in an empty folder; the headers of this machine are never on its path.
cmake_policy(VERSION 3.25)
set(options "")
set(behind FALSE)
foreach(i RANGE 1 ${CMAKE_ARGC})
    if(behind AND DEFINED CMAKE_ARGV${i})
        list(APPEND options "${CMAKE_ARGV${i}}")
    elseif("${CMAKE_ARGV${i}}" STREQUAL "--")
        set(behind TRUE)
    endif()
endforeach()
file(REMOVE_RECURSE "${BINARY}")
execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${BINARY}" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
                        ${options} COMMAND_ERROR_IS_FATAL ANY)
file(READ "${BINARY}/compile_commands.json" commands)
if(commands MATCHES "/usr/include[ \"]")
    message(FATAL_ERROR "the headers of this machine are on the path of another one's:\n${commands}")
endif()
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}" --parallel 1 COMMAND_ERROR_IS_FATAL ANY)
