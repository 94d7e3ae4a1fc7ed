# SPDX-License-Identifier: Apache-2.0
# apriori_add_bench(<name> <config.json>... [FORMATS <format>...])
#
# A Google Benchmark program <name> that compares the PriorTransformers of these configurations, on all cores, with
# weights in each of the formats (default: f32): it times a forward of two rows, and a step if the model samples
# incrementally. Building the target <name>_table runs it, prints a table and writes <name>_variants/variants.json and
# variants.svg to the current binary folder. A variant is named after the folder of its model:
# models/karlo/prior/config.json is karlo.
include_guard(GLOBAL)
cmake_policy(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/apriori_add_config.cmake")

function(apriori_add_bench name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FORMATS")
    set(configs ${arg_UNPARSED_ARGUMENTS})
    if(NOT configs)
        message(FATAL_ERROR "apriori_add_bench: ${name} has no config.json")
    endif()
    if(NOT arg_FORMATS)
        set(arg_FORMATS f32)
    endif()
    find_package(benchmark QUIET)
    find_package(Python3 COMPONENTS Interpreter QUIET)
    if(NOT TARGET benchmark::benchmark)
        message(FATAL_ERROR "apriori_add_bench: needs Google Benchmark (Debian: apt install libbenchmark-dev)")
    endif()
    # next to this file in an installed package, in bench/ and scripts/ in the source
    foreach(place IN ITEMS bench ../bench ../scripts)
        if(EXISTS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${place}/variants.hpp")
            set(headers "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${place}")
        endif()
        if(EXISTS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${place}/bench-variants")
            set(script "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${place}/bench-variants")
        endif()
    endforeach()

    set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}_variants")
    set(source "${folder}/${name}.cpp")
    add_executable(${name} "${source}")
    target_link_libraries(${name} PRIVATE apriori::cpu apriori::eigen apriori::io benchmark::benchmark)
    target_include_directories(${name} PRIVATE "${headers}")
    set(includes "")
    set(variants "")
    set(taken "")
    foreach(config IN LISTS configs)
        cmake_path(ABSOLUTE_PATH config BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
        cmake_path(GET config PARENT_PATH part)
        cmake_path(GET part FILENAME model)
        if(model MATCHES "^(prior_)?prior$")
            cmake_path(GET part PARENT_PATH part)
            cmake_path(GET part FILENAME model)
        endif()
        string(MAKE_C_IDENTIFIER "${model}" variant)
        set(number 1)
        while(variant IN_LIST taken)
            math(EXPR number "${number} + 1")
            string(MAKE_C_IDENTIFIER "${model}_${number}" variant)
        endwhile()
        list(APPEND taken ${variant})
        # A folder may have a name that C++ does not take, such as `new`.
        apriori_add_config(${name} model_${variant} "${config}")
        string(APPEND includes "#include \"model_${variant}.hpp\"\n")
        foreach(format IN LISTS arg_FORMATS)
            string(APPEND variants "    apriori::bench::variant<::model_${variant}, apriori::${format}>(\"${variant} ${format}\");\n")
        endforeach()
    endforeach()
    file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [[
// Written by apriori_add_bench; do not edit.
#include "variants.hpp"

@includes@
int main(int argc, char** argv) {
@variants@    return apriori::bench::run(argc, argv);
}
]])
    add_custom_target(${name}_table COMMAND Python3::Interpreter "${script}" --program $<TARGET_FILE:${name}>
                      --out "${folder}" USES_TERMINAL VERBATIM)
endfunction()
