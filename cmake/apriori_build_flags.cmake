# SPDX-License-Identifier: Apache-2.0
# How this project's own code is compiled. Never exported, never linked by a library target: a user's flags are the user's
# business.
#   apriori_warnings      the program, which has builds for several instruction sets
#   apriori_build_flags   tests, benchmarks and examples: the same, for this machine where APRIORI_NATIVE is ON
include(CheckCXXCompilerFlag)

add_library(apriori_warnings INTERFACE)
add_library(apriori_build_flags INTERFACE)
target_link_libraries(apriori_build_flags INTERFACE apriori_warnings)
set(_cxx "$<$<COMPILE_LANGUAGE:CXX>:")
target_compile_options(apriori_warnings INTERFACE
    "${_cxx}-Wall;-Wextra;-Wpedantic;-Wconversion;-Werror>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>")

# gcc 12 takes its own AVX-512 intrinsics for uninitialised, wherever they are inlined (gcc bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(apriori_warnings INTERFACE "${_cxx}-Wno-maybe-uninitialized>")
endif()

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
