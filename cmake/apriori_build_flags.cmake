# SPDX-License-Identifier: Apache-2.0
# How this project's own code is compiled. Never exported, never linked by a library target: a user's flags are the user's
# business.
#   apriori_warnings      the program, which has builds for several instruction sets
#   apriori_build_flags   tests, benchmarks and examples: the same, for this machine where APRIORI_NATIVE is ON
#   apriori_test_flags    what is compiled once and run for seconds: little optimisation, also under sanitizers, where
#                         optimising takes two thirds of a compiler's time
include(CheckCXXCompilerFlag)

add_library(apriori_warnings INTERFACE)
add_library(apriori_build_flags INTERFACE)
add_library(apriori_test_flags INTERFACE)
target_link_libraries(apriori_build_flags INTERFACE apriori_warnings)
set(_cxx "$<$<COMPILE_LANGUAGE:CXX>:")
target_compile_options(apriori_warnings INTERFACE
    "${_cxx}-Wall;-Wextra;-Wpedantic;-Wconversion;-Werror;-fno-fast-math>" # exact, whatever CMAKE_CXX_FLAGS has; tests say more
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>")

# gcc 12 takes its own AVX-512 intrinsics for uninitialised, wherever they are inlined (gcc bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(apriori_warnings INTERFACE "${_cxx}-Wno-maybe-uninitialized>")
endif()

# Expressions are many types: gcc spends a tenth of its time on collecting garbage unless it may use more memory first.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(apriori_warnings INTERFACE "${_cxx}--param=ggc-min-heapsize=524288>")
endif()

# gcc's -Og compiles as fast as -O0, where xsimd's intrinsics do not compile, and runs nearly as fast as -O1.
set(_level -O0)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(_level -Og)
endif()
target_compile_options(apriori_test_flags INTERFACE $<$<AND:$<CONFIG:Release,RelWithDebInfo>,$<COMPILE_LANGUAGE:CXX>>:${_level}>)

# apriori_check_syntax(<target>...): compiling these is the whole test. Everything is instantiated and no code is made.
set(APRIORI_SYNTAX_ONLY "${CMAKE_CURRENT_LIST_DIR}/syntax_only.sh")
function(apriori_check_syntax)
    set_target_properties(${ARGN} PROPERTIES CXX_COMPILER_LAUNCHER "sh;${APRIORI_SYNTAX_ONLY}")
endfunction()

if(APRIORI_NATIVE)
    check_cxx_compiler_flag(-march=native APRIORI_HAS_MARCH_NATIVE)
    if(APRIORI_HAS_MARCH_NATIVE)
        target_compile_options(apriori_build_flags INTERFACE "${_cxx}-march=native>")
    endif()
endif()

if(APRIORI_CUDA STREQUAL "ON")
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
        set(CMAKE_CUDA_ARCHITECTURES 80 90)
    endif()
    if(NOT DEFINED CMAKE_CUDA_COMPILER AND CUDAToolkit_NVCC_EXECUTABLE)
        set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}") # found though it is not on PATH
    endif()
    enable_language(CUDA)
endif()
