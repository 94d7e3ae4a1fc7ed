# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -DPREFIX= -DAPRIORI= -DCOMPILER= -DLAUNCHER= [-DCLANG=] -P warnings.cmake: with
# all of a compiler's warnings, a user's build never warns about apriori's headers, neither from a package nor in a
# folder of the project.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
file(COPY "${SOURCE}/layer" DESTINATION "${BINARY}")
file(READ "${BINARY}/layer/layer.cpp" text)
file(WRITE "${BINARY}/layer/layer.cpp" "#include <apriori/apriori.hpp>\n#include <apriori/tensor/interop.hpp>\n${text}
int unused_function_of_the_user(double x) { return x == 0.1 ? 1 : x; }
")
set(all_of_g++ "-O1 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wuseless-cast -Wfloat-equal \
-Wdouble-promotion -Wswitch-enum -Weffc++ -Wundef -Wnull-dereference -Wcast-align -Wmissing-declarations")
set(all_of_clang -Weverything)
set(from_package -DCOMPONENT=cpu "-DCMAKE_PREFIX_PATH=${PREFIX}")
set(in_folder -DCOMPONENT=cpu "-DAPRIORI_SOURCE=${APRIORI}")

function(build compiler flags)
    file(REMOVE_RECURSE "${BINARY}/build")
    execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${BINARY}/layer" -B "${BINARY}/build" "-DCMAKE_CXX_COMPILER=${compiler}"
                            "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" "-DCMAKE_CXX_FLAGS=${flags}" ${ARGN}
                    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}/build" OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE code)
    string(REGEX MATCHALL "[^\n]*include/apriori/[^\n]*warning:[^\n]*" ours "${output}")
    set(ours "${ours}" PARENT_SCOPE)
    if(NOT code EQUAL 0 OR NOT output MATCHES "layer\\.cpp:[^\n]*warning:")
        message(FATAL_ERROR "the user's code, which has a mistake to warn of, gives:\n${output}")
    endif()
endfunction()
foreach(case IN ITEMS "from_package g++" "from_package clang" "in_folder g++")
    separate_arguments(case)
    list(GET case 0 how)
    list(GET case 1 name)
    set(compiler "${COMPILER}")
    if(name STREQUAL "clang")
        set(compiler "${CLANG}")
    endif()
    if(compiler)
        build("${compiler}" "${all_of_${name}}" ${${how}})
        if(ours)
            list(JOIN ours "\n" ours)
            message(FATAL_ERROR "${name} warns of apriori's headers (${how}):\n${ours}")
        endif()
    endif()
endforeach()
# The warnings that would be found if the headers were the user's.
build("${COMPILER}" "${all_of_g++}" ${from_package} -DCMAKE_NO_SYSTEM_FROM_IMPORTED=ON)
if(NOT ours)
    message(FATAL_ERROR "this test finds no warning where there is one")
endif()
