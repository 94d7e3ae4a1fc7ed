# SPDX-License-Identifier: Apache-2.0
# cmake -DCOMPILER= -DINCLUDE=<folder> -P cxx17.cmake: with -std=c++17 each header prints what it needs, and nothing
# else.
cmake_policy(VERSION 3.25)
file(GLOB_RECURSE headers RELATIVE "${INCLUDE}" "${INCLUDE}/apriori/*.hpp")
foreach(header IN LISTS headers)
    execute_process(COMMAND "${COMPILER}" -std=c++17 -E "-I${INCLUDE}" -include "${header}" -x c++ /dev/null
                    RESULT_VARIABLE code OUTPUT_QUIET ERROR_VARIABLE output)
    string(REGEX MATCHALL "error:" errors "${output}")
    list(LENGTH errors count)
    if(code EQUAL 0 OR NOT count EQUAL 2 OR NOT output MATCHES "apriori needs C.+20: compile with -std=c.+20")
        message(FATAL_ERROR "${header} with -std=c++17 gives ${count} errors:\n${output}")
    endif()
endforeach()
