# SPDX-License-Identifier: Apache-2.0
# apriori_link_file(<target> <symbol> <file> [SECTION <section>])
#
# Links the bytes of a file into <target>, read-only and 64-byte aligned, between <symbol> and <symbol>_end:
#
#     extern "C" const unsigned char <symbol>[], <symbol>_end[];
#
# io::linked_source reads weights from a safetensors file that is linked this way, and io::linked_image uses a packed
# file in place. The assembler reads the file (.incbin), with gcc and clang, for ELF and WebAssembly: even a large file
# takes no compile time. A file that the build generates is generated first. SECTION names a section for a linker
# script; the default is .rodata.<symbol>.
include_guard(GLOBAL)
cmake_policy(VERSION 3.25)

function(apriori_link_file target symbol file)
    cmake_parse_arguments(PARSE_ARGV 3 arg "" "SECTION" "")
    if(NOT TARGET ${target})
        message(FATAL_ERROR "apriori_link_file: there is no target \"${target}\"")
    endif()
    if(NOT symbol MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
        message(FATAL_ERROR "apriori_link_file: the symbol \"${symbol}\" is not a C++ identifier")
    endif()
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
    get_source_file_property(made "${file}" GENERATED)
    if(NOT made AND NOT EXISTS "${file}")
        message(FATAL_ERROR "apriori_link_file: there is no file\n  ${file}")
    endif()
    set(section ".rodata.${symbol}")
    if(arg_SECTION)
        set(section "${arg_SECTION}")
    endif()
    set(source "${CMAKE_CURRENT_BINARY_DIR}/${target}_linked/${symbol}.cpp")
    file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT [[
// Written by apriori_link_file; do not edit.
#ifdef __wasm__ // whose symbols of data say that they are, and how large
asm(".section @section@,\"\",@\n"
    ".type @symbol@,@object\n"
    ".type @symbol@_end,@object\n"
    ".size @symbol@,@symbol@_end-@symbol@\n"
    ".size @symbol@_end,1\n"
#else
asm(".section @section@,\"a\",%progbits\n"
#endif
    ".balign 64\n"
    ".global @symbol@\n"
    ".hidden @symbol@\n"
    ".global @symbol@_end\n"
    ".hidden @symbol@_end\n"
    "@symbol@:\n"
    ".incbin \"@file@\"\n"
    "@symbol@_end:\n"
    ".byte 0\n"
#ifndef __wasm__
    ".previous\n"
#endif
);
]])
    set_property(SOURCE "${source}" APPEND PROPERTY OBJECT_DEPENDS "${file}")
    target_sources(${target} PRIVATE "${source}")
endfunction()
