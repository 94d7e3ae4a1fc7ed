# SPDX-License-Identifier: Apache-2.0
# Every option of the build, with its default and its allowed values.

# As a subproject apriori defines only its targets; as the top-level project it builds everything.
option(APRIORI_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(APRIORI_BUILD_BENCH "Build the benchmarks: ON, OFF, or CHECK, which compiles them and makes no programs"
       ${PROJECT_IS_TOP_LEVEL})
option(APRIORI_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(APRIORI_BUILD_FUZZ "Build the fuzzers, which need clang and its libFuzzer" OFF)
option(APRIORI_BUILD_PROGRAM "Build the command-line program" ${PROJECT_IS_TOP_LEVEL})
option(APRIORI_INSTALL "Define the install rules" ${PROJECT_IS_TOP_LEVEL})
option(APRIORI_NATIVE "Compile this project's own tests, benchmarks and examples for this machine's instruction set"
       ${PROJECT_IS_TOP_LEVEL})

set(APRIORI_CUDA "AUTO" CACHE STRING
    "AUTO: apriori::cuda if the toolkit is there; ON: also compile its tests and the program for it; OFF: neither")
set_property(CACHE APRIORI_CUDA PROPERTY STRINGS AUTO ON OFF)

set(APRIORI_PRESETS "all" CACHE STRING "Presets compiled into the program: all, or a list of names")
set(APRIORI_CONFIGS "" CACHE STRING "config.json files compiled into the program besides the presets")
set(APRIORI_DEVICES "" CACHE STRING "Devices compiled into the program; empty: cpu, eigen, and cuda if APRIORI_CUDA is ON")
set(APRIORI_ARCHS "all" CACHE STRING
    "Instruction sets that the program's cpu device is built for: all, native (this machine's), or a list of names")
set(APRIORI_WEIGHTS "all" CACHE STRING "Weight formats of the program's cpu device: all, or a list of names")
option(APRIORI_MPI "Build the program with MPI: sample --batch then runs on all ranks that mpirun starts" OFF)
option(APRIORI_PROGRAM_TOGETHER
       "Compile all of the program's models in one translation unit for each device and instruction set: quicker for many small ones"
       OFF)

set(APRIORI_TEST_SCOPE "all" CACHE STRING "Which tests are built: all; quick (no slow ones, no checks); core; threads; cuda")
set_property(CACHE APRIORI_TEST_SCOPE PROPERTY STRINGS all quick core threads cuda)
option(APRIORI_TEST_SLOW "Build the slow tests too, and the conformance suite for every device" ON)
set(APRIORI_TEST_PREFIX "" CACHE STRING "Put in front of every test's name, to tell builds apart in one ctest run")

# Stops unless every value is allowed: _apriori_check(<option> "<values>" "<allowed>").
function(_apriori_check option values allowed)
    foreach(value IN LISTS values)
        if(NOT value IN_LIST allowed)
            list(JOIN allowed ", " text)
            message(FATAL_ERROR "apriori: ${option} holds \"${value}\"; allowed: ${text}")
        endif()
    endforeach()
endfunction()

# Presets of models/prior_config.hpp. Those on one line are equal configurations: the first one that is requested is
# compiled and used for all of them.
set(APRIORI_PRESET_GROUPS
    "karlo_v1_alpha,kandinsky_2_1,stable_unclip"
    "kandinsky_2_2"
    "shap_e"
    "shap_e_img2img"
    "digits")
string(REPLACE "," ";" APRIORI_PRESET_NAMES "${APRIORI_PRESET_GROUPS}")

# The CLIP encoders before them (models/clip_config.hpp): the program turns words into embeddings if it has both.
foreach(_preset IN ITEMS karlo_v1_alpha kandinsky_2_1 stable_unclip)
    set(APRIORI_TEXT_ENCODER_${_preset} clip_vit_l_14)
endforeach()
set(APRIORI_IMAGE_ENCODER_kandinsky_2_1 clip_vit_l_14_vision)
set(APRIORI_TEXT_ENCODER_kandinsky_2_2 clip_vit_big_g_14)
set(APRIORI_IMAGE_ENCODER_kandinsky_2_2 clip_vit_big_g_14_vision)
set(APRIORI_TEXT_ENCODER_digits digits_text)

# The program's instruction sets, the oldest first, and weight formats (core/weight_format.hpp): add a word here to add
# one.
set(APRIORI_ARCH_NAMES baseline avx2 avx512 avx512vnni amx)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(APRIORI_ARCH_NAMES baseline dotprod i8mm)
endif()
set(APRIORI_WEIGHT_NAMES f32 f16 bf16 bf16a16 w8 w8a8 w4 w4a8)

string(TOUPPER "${APRIORI_CUDA}" APRIORI_CUDA)
_apriori_check(APRIORI_CUDA "${APRIORI_CUDA}" "AUTO;ON;OFF")
_apriori_check(APRIORI_TEST_SCOPE "${APRIORI_TEST_SCOPE}" "all;quick;core;threads;cuda")
_apriori_check(APRIORI_DEVICES "${APRIORI_DEVICES}" "cpu;eigen;cuda")
if(NOT APRIORI_PRESETS STREQUAL "all")
    _apriori_check(APRIORI_PRESETS "${APRIORI_PRESETS}" "all;${APRIORI_PRESET_NAMES}")
endif()

# _apriori_choice(<option> <all the names>): checks the option and replaces "all" by the names; keeps their order.
macro(_apriori_choice option)
    if("${${option}}" STREQUAL "all")
        set(${option} ${ARGN})
    elseif(NOT "${${option}}" STREQUAL "native" OR NOT "${option}" STREQUAL "APRIORI_ARCHS")
        _apriori_check(${option} "${${option}}" "${ARGN}")
        if("${${option}}" STREQUAL "")
            message(FATAL_ERROR "apriori: ${option} is empty; allowed: all, or some of ${ARGN}")
        endif()
        set(_chosen "")
        foreach(_name IN ITEMS ${ARGN})
            if(_name IN_LIST ${option})
                list(APPEND _chosen ${_name})
            endif()
        endforeach()
        set(${option} ${_chosen})
    endif()
endmacro()
_apriori_choice(APRIORI_ARCHS ${APRIORI_ARCH_NAMES})
_apriori_choice(APRIORI_WEIGHTS ${APRIORI_WEIGHT_NAMES})

if("cuda" IN_LIST APRIORI_DEVICES AND NOT APRIORI_CUDA STREQUAL "ON")
    message(FATAL_ERROR "apriori: APRIORI_DEVICES holds \"cuda\", which needs -DAPRIORI_CUDA=ON")
endif()
if(NOT APRIORI_DEVICES)
    set(APRIORI_DEVICES cpu eigen)
    if(APRIORI_CUDA STREQUAL "ON")
        list(APPEND APRIORI_DEVICES cuda)
    endif()
endif()

if(PROJECT_IS_TOP_LEVEL)
    set(CMAKE_CXX_EXTENSIONS OFF)
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build" FORCE)
    endif()
    find_program(APRIORI_CCACHE ccache)
    mark_as_advanced(APRIORI_CCACHE)
    if(APRIORI_CCACHE)
        foreach(_language IN ITEMS CXX CUDA)
            if(NOT DEFINED CMAKE_${_language}_COMPILER_LAUNCHER)
                set(CMAKE_${_language}_COMPILER_LAUNCHER "${APRIORI_CCACHE}")
            endif()
        endforeach()
    endif()
endif()
