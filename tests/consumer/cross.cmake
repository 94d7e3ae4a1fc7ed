# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DGENERATOR= -DPREFIX= -DAPRIORI= -DCLANG= -P cross.cmake: when a project is configured for
# another machine, apriori's targets never add this machine's /usr/include, neither installed nor as a subproject.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
file(WRITE "${BINARY}/toolchain.cmake" "
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER \"${CLANG}\")
set(CMAKE_CXX_COMPILER_TARGET aarch64-none-elf)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
")
file(WRITE "${BINARY}/source/empty.cpp" "")
foreach(how IN ITEMS "find_package(apriori CONFIG REQUIRED COMPONENTS cpu)" "add_subdirectory(\"${APRIORI}\" apriori)")
    file(WRITE "${BINARY}/source/CMakeLists.txt" "
cmake_minimum_required(VERSION 3.25)
project(cross LANGUAGES CXX)
${how}
add_library(cross STATIC empty.cpp)
target_link_libraries(cross PRIVATE apriori::cpu)
")
    file(REMOVE_RECURSE "${BINARY}/build")
    execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_TOOLCHAIN_FILE=${BINARY}/toolchain.cmake"
                            "-DCMAKE_PREFIX_PATH=${PREFIX};/usr" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
                            -S "${BINARY}/source" -B "${BINARY}/build" COMMAND_ERROR_IS_FATAL ANY)
    file(READ "${BINARY}/build/compile_commands.json" commands)
    if(commands MATCHES "/usr/include[ \"]")
        message(FATAL_ERROR "the headers of this machine are on the path of another one's:\n${commands}")
    elseif(NOT commands MATCHES "-isystem [^ ]*apriori_xsimd")
        message(FATAL_ERROR "xsimd is not on the path:\n${commands}")
    endif()
endforeach()
