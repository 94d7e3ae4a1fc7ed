# SPDX-License-Identifier: Apache-2.0
# apriori_add_multiarch(<target> <source.cpp> ENTRY <function> [LIBS <library>...] [ARCHS <instruction set>...])
#
# Compiles one source several times, for different instruction sets, into <target>, which chooses at run time:
#
#     baseline     what every machine of that kind of processor has
#     avx2         AVX2 and FMA
#     avx512       AVX-512 F, CD, DQ, BW and VL
#     avx512vnni   the same with VNNI and BF16
#     amx          the same with matrix units: AMX-TILE, AMX-BF16 and AMX-INT8
#     dotprod      on 64-bit Arm: Armv8.2 with dot products of bytes, SDOT
#     i8mm         the same with I8MM and BF16 of Armv8.6: USDOT and BFDOT
#     native       everything that the compiling machine has, for programs that stay there
#
# The default is all sets for that kind of processor except native. The source, which may be generated, defines
#
#     extern "C" const void* <function>() { ... }     // returns, for example, a table of functions
#
# and other sources of <target> declare and use
#
#     std::span<const apriori::arch_entry> <function>_archs();     // apriori/core/arch_choice.hpp
#     auto build = apriori::choose_arch(<function>_archs());
#
# Each build is linked into one object with that one symbol: inline functions of the library and of std that are
# compiled for a newer instruction set cannot replace the same functions elsewhere in the program. The target's property
# APRIORI_MULTIARCH_OBJECTS lists these objects. If baseline or native is the only build, its symbols stay as they are.
# Instruction sets of other kinds of processors are left out; if none remains, baseline is built.
include_guard(GLOBAL)
cmake_policy(VERSION 3.25)

function(apriori_add_multiarch target source)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "ENTRY" "LIBS;ARCHS")
    if(NOT TARGET ${target})
        message(FATAL_ERROR "apriori_add_multiarch: there is no target \"${target}\"")
    endif()
    if(NOT arg_ENTRY MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
        message(FATAL_ERROR "apriori_add_multiarch: ENTRY must name the source's function, not \"${arg_ENTRY}\"")
    endif()
    if(NOT CMAKE_OBJCOPY OR NOT CMAKE_LINKER)
        message(FATAL_ERROR "apriori_add_multiarch: needs ld and objcopy (Debian: apt install binutils)")
    endif()
    set(of_x86 avx2 avx512 avx512vnni amx)
    set(of_arm dotprod i8mm)
    set(known baseline ${of_x86} ${of_arm} native)
    set(flags_baseline "")
    set(flags_avx2 -mavx2 -mfma)
    set(flags_avx512 ${flags_avx2} -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl)
    set(flags_avx512vnni ${flags_avx512} -mavx512vnni -mavx512bf16)
    set(flags_amx ${flags_avx512vnni} -mamx-tile -mamx-bf16 -mamx-int8)
    set(flags_dotprod -march=armv8.2-a+dotprod)
    set(flags_i8mm ${flags_dotprod}+i8mm+bf16)
    set(flags_native -march=native)
    if(NOT arg_ARCHS)
        set(arg_ARCHS baseline ${of_x86} ${of_arm})
    endif()
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        list(REMOVE_ITEM arg_ARCHS ${of_x86})
    endif()
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
        list(REMOVE_ITEM arg_ARCHS ${of_arm})
    endif()
    if(NOT arg_ARCHS)
        set(arg_ARCHS baseline)
    endif()

    set(declarations "")
    set(entries "")
    foreach(arch IN LISTS arg_ARCHS)
        if(NOT arch IN_LIST known)
            list(JOIN known ", " known)
            message(FATAL_ERROR "apriori_add_multiarch: there is no instruction set \"${arch}\"; there are ${known}")
        endif()
        set(build ${target}_${arg_ENTRY}_${arch})
        add_library(${build} OBJECT "${source}")
        target_link_libraries(${build} PRIVATE ${arg_LIBS})
        # ld -r and objcopy need machine code, which objects for link-time optimisation do not have.
        set_target_properties(${build} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
        target_compile_options(${build} PRIVATE -fno-lto)
        # GNU unique symbols stay global whatever objcopy is told; with this flag they are weak, and can be made local.
        target_compile_options(${build} PRIVATE ${flags_${arch}} $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
        string(APPEND declarations "extern \"C\" const void* ${arg_ENTRY}_${arch}();\n")
        string(APPEND entries "        {\"${arch}\", ${arg_ENTRY}_${arch}},\n")
        if(arg_ARCHS MATCHES "^(baseline|native)$") # one build, for every machine that runs the program
            target_compile_definitions(${build} PRIVATE ${arg_ENTRY}=${arg_ENTRY}_${arch})
            target_sources(${target} PRIVATE $<TARGET_OBJECTS:${build}>)
            continue()
        endif()
        set(linked "${CMAKE_CURRENT_BINARY_DIR}/${build}.linked.o")
        set(object "${CMAKE_CURRENT_BINARY_DIR}/${build}.o")
        add_custom_command(
            OUTPUT "${object}"
            COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o "${linked}" $<TARGET_OBJECTS:${build}>
            COMMAND ${CMAKE_OBJCOPY} --redefine-sym ${arg_ENTRY}=${arg_ENTRY}_${arch} "${linked}"
            COMMAND ${CMAKE_OBJCOPY} --keep-global-symbol=${arg_ENTRY}_${arch} "${linked}" "${object}"
            DEPENDS ${build} $<TARGET_OBJECTS:${build}>
            COMMAND_EXPAND_LISTS
            COMMENT "Closing ${arg_ENTRY} for ${arch}"
            VERBATIM)
        target_sources(${target} PRIVATE "${object}")
        set_property(TARGET ${target} APPEND PROPERTY APRIORI_MULTIARCH_OBJECTS "${object}")
        set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
    endforeach()
    set(chooser "${CMAKE_CURRENT_BINARY_DIR}/${target}_${arg_ENTRY}_archs.cpp")
    file(CONFIGURE OUTPUT "${chooser}" @ONLY CONTENT
"// Written by apriori_add_multiarch; do not edit.
#include \"apriori/core/arch_choice.hpp\"

@declarations@
std::span<const apriori::arch_entry> @arg_ENTRY@_archs();
std::span<const apriori::arch_entry> @arg_ENTRY@_archs() {
    static const apriori::arch_entry builds[] = {
@entries@    };
    return builds;
}
")
    target_sources(${target} PRIVATE "${chooser}")
endfunction()
