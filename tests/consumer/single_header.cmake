# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DPYTHON= -DCOMPILER= [-DCLANG=] -P single_header.cmake: in a folder with only the single
# headers, programs of the documentation compile and run. Files that include several of apriori's headers link, or fail
# with a clear message.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
execute_process(COMMAND "${PYTHON}" "${SOURCE}/scripts/amalgamate" --out "${BINARY}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PYTHON}" "${SOURCE}/scripts/check_docs" "${BINARY}/blocks" "${SOURCE}/docs/tutorial.md"
                        "${SOURCE}/docs/expressions.md" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
set(strict -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Werror)

function(run)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${BINARY}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
function(expect_error source message)
    file(WRITE "${BINARY}/wrong.cpp" "${source}")
    execute_process(COMMAND "${COMPILER}" -std=c++20 ${ARGN} -I. "-I${SOURCE}/include" -fsyntax-only wrong.cpp
                    WORKING_DIRECTORY "${BINARY}" RESULT_VARIABLE code ERROR_VARIABLE output)
    if(code EQUAL 0 OR NOT output MATCHES "${message}")
        message(FATAL_ERROR "no error matches\n  ${message}\nfor\n${source}\n${output}")
    endif()
endfunction()

# Programs of the documentation, in which the single header replaces headers in apriori/.
foreach(program IN ITEMS scalar.tutorial.1 scalar.tutorial.2 scalar.tutorial.4 scalar.tutorial.5 cpu.tutorial.5 cpu.expressions.1)
    string(REGEX MATCH "^([a-z]+)\\.(.*)$" matched "${program}")
    set(variant "${CMAKE_MATCH_1}")
    file(READ "${BINARY}/blocks/${CMAKE_MATCH_2}.cpp" text)
    string(REGEX REPLACE "#include <apriori/[^\n]*" "#include \"apriori_${variant}.hpp\"" text "${text}")
    file(WRITE "${BINARY}/program.cpp" "${text}")
    run("${COMPILER}" ${strict} -Og program.cpp -o program)
    run("${BINARY}/program")
endforeach()

# Included in two files of a program.
foreach(variant IN ITEMS scalar cpu)
    foreach(file IN ITEMS one two)
        file(WRITE "${BINARY}/${file}.cpp" "
#include \"apriori_${variant}.hpp\"
#include \"apriori_${variant}.hpp\"
float ${file}(float x);
float ${file}(float x) {
    apriori::cpu<> device;
    const apriori::tensor<float, apriori::extents<3>> row({x, x, x});
    const auto y = apriori::evaluate(device, apriori::sum(row + 1.0f));
    return y ? y->flat()[0] : 0;
}
")
    endforeach()
    file(WRITE "${BINARY}/main.cpp" "
float one(float x);
float two(float x);
int main() { return one(1) == 6 && two(2) == 9 ? 0 : 1; }
")
    run("${COMPILER}" ${strict} -fno-exceptions -fno-rtti -Og one.cpp two.cpp main.cpp -o both)
    run("${BINARY}/both")
    if(CLANG)
        run("${CLANG}" ${strict} -fsyntax-only one.cpp)
    endif()
endforeach()

# The scalar header needs no other library and no other header of apriori.
execute_process(COMMAND "${COMPILER}" -std=c++20 -M "${BINARY}/apriori_scalar.hpp" OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
if(headers MATCHES "xsimd|/apriori/|Eigen|/fmt/")
    message(FATAL_ERROR "apriori_scalar.hpp includes more than the standard library:\n${headers}")
endif()

expect_error("#include \"apriori_scalar.hpp\"\n#include \"apriori_cpu.hpp\"\n" "includes both apriori_scalar.hpp and apriori_cpu.hpp")
expect_error("#include <apriori/expr.hpp>\n#include \"apriori_cpu.hpp\"\n" "included before apriori_cpu.hpp")
expect_error("#include \"apriori_cpu.hpp\"\n#include <apriori/expr.hpp>\n" "included behind a single header")
expect_error("#include \"apriori_scalar.hpp\"\n" "apriori needs C.+20" -std=c++17)
