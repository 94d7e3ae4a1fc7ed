# SPDX-License-Identifier: Apache-2.0
# cmake -DMODULE= -DFILE= -DEXPECTED= -P expect.cmake: reading FILE fails and says EXPECTED.
cmake_policy(VERSION 3.25)

if(INNER)
    include("${MODULE}")
    apriori_write_config(name "${FILE}" "${FILE}.hpp")
    return()
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" -DINNER=ON "-DMODULE=${MODULE}" "-DFILE=${FILE}" -P "${CMAKE_CURRENT_LIST_FILE}"
                RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(REGEX REPLACE "[ \n]+" " " output "${output}") # CMake breaks long lines
if(code EQUAL 0)
    message(FATAL_ERROR "${FILE} was taken; it must not be")
elseif(NOT output MATCHES "${EXPECTED}")
    message(FATAL_ERROR "the message does not match\n  ${EXPECTED}\nIt is:\n  ${output}")
elseif(EXISTS "${FILE}.hpp")
    message(FATAL_ERROR "${FILE}.hpp was written in spite of the error")
endif()
