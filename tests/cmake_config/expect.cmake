# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DFILE= -DEXPECTED= [-DCOMPILER=] -P expect.cmake: reading FILE fails with the message EXPECTED, in
# CMake, or with a COMPILER when the header that CMake writes is compiled.
cmake_policy(VERSION 3.25)

if(INNER)
    include("${SOURCE}/cmake/apriori_add_config.cmake")
    apriori_write_config(name "${FILE}" "${FILE}.hpp")
    return()
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" -DINNER=ON "-DSOURCE=${SOURCE}" "-DFILE=${FILE}" -P "${CMAKE_CURRENT_LIST_FILE}"
                RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(COMPILER)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "no header was written:\n${output}")
    endif()
    execute_process(COMMAND "${COMPILER}" -std=c++20 -fsyntax-only -x c++ "-I${SOURCE}/include" "${FILE}.hpp"
                    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
elseif(EXISTS "${FILE}.hpp")
    message(FATAL_ERROR "${FILE}.hpp was written in spite of the error")
endif()
string(REGEX REPLACE "[ \n]+" " " output "${output}") # CMake breaks long lines
# long text is cut into pieces, at places that depend on the folder
string(REGEX REPLACE "\"}+, [^\"]*{+\"" "" output "${output}")
if(code EQUAL 0)
    message(FATAL_ERROR "${FILE} was taken; it must not be")
elseif(NOT output MATCHES "${EXPECTED}")
    message(FATAL_ERROR "the message does not match\n  ${EXPECTED}\nIt is:\n  ${output}")
endif()
