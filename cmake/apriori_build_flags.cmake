# SPDX-License-Identifier: Apache-2.0
# How this project's own code is compiled. These targets are never exported, and no library target links them: users
# choose their own flags.
#   apriori_warnings      for the program, which is built for several instruction sets
#   apriori_build_flags   for tests, benchmarks and examples: the same, for this machine if APRIORI_NATIVE is ON
#   apriori_test_flags    for code that is compiled once and runs for seconds: little optimisation, also under
#                         sanitizers, where optimising takes two thirds of the compile time
include(CheckCXXCompilerFlag)

add_library(apriori_warnings INTERFACE)
add_library(apriori_build_flags INTERFACE)
add_library(apriori_test_flags INTERFACE)
target_link_libraries(apriori_build_flags INTERFACE apriori_warnings)
set(_cxx "$<$<COMPILE_LANGUAGE:CXX>:")
target_compile_options(apriori_warnings INTERFACE
    # exact whatever CMAKE_CXX_FLAGS has; tests have more warnings
    "${_cxx}-Wall;-Wextra;-Wpedantic;-Wconversion;-Werror;-fno-fast-math>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>")

# gcc 12 warns that its own AVX-512 intrinsics are uninitialised wherever they are inlined (gcc bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(apriori_warnings INTERFACE "${_cxx}-Wno-maybe-uninitialized>")
endif()

# Expressions are many types: gcc spends a tenth of its time on garbage collection unless it may use more memory first.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(apriori_warnings INTERFACE "${_cxx}--param=ggc-min-heapsize=524288>")
endif()

# gcc's -Og compiles as fast as -O0, with which xsimd's intrinsics do not compile, and runs nearly as fast as -O1.
set(_level -O0)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set(_level -Og)
endif()
target_compile_options(apriori_test_flags INTERFACE $<$<AND:$<CONFIG:Release,RelWithDebInfo>,$<COMPILE_LANGUAGE:CXX>>:${_level}>)

# apriori_check_syntax(<target>...): for targets whose only test is that they compile. Everything is instantiated, but
# no code is generated.
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
        set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}") # found although it is not on PATH
    endif()
    enable_language(CUDA)
endif()
