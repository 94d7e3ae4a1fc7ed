# SPDX-License-Identifier: Apache-2.0
# apriori_add_config(<target> <name> <config.json>)
#
# Turns a config.json into a constexpr header. It may be that of a diffusers PriorTransformer, of one of transformers'
# CLIP encoders (which gives a CLIPTextConfig or CLIPVisionConfig), or of its CLIPModel (which gives both as
# clip_model_configs). After
#
#     apriori_add_config(my_program my_prior models/prior/config.json)
#
# the sources of my_program can write
#
#     #include "my_prior.hpp"      // inline constexpr apriori::PriorConfig my_prior{...};
#
# The header contains the text of the file. The compiler reads it with the code that reads it at run time
# (apriori/core/read_config.hpp): a file that io::load_config refuses does not compile, and the error is the same. If
# the file changes, the next build reads it again.
include_guard(GLOBAL)
cmake_policy(VERSION 3.25)

function(apriori_add_config target name config)
    if(NOT TARGET ${target})
        message(FATAL_ERROR "apriori_add_config: there is no target \"${target}\"")
    endif()
    get_target_property(binary_dir ${target} BINARY_DIR)
    set(dir "${binary_dir}/${target}_configs")
    apriori_write_config("${name}" "${config}" "${dir}/${name}.hpp")
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY")
        target_include_directories(${target} INTERFACE "${dir}")
    else()
        target_include_directories(${target} PRIVATE "${dir}")
    endif()
endfunction()

# apriori_write_config(<name> <config.json> <header>): writes only the header, for no target.
function(apriori_write_config name config header)
    if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
        message(FATAL_ERROR "apriori_add_config: the name \"${name}\" is not a C++ identifier")
    endif()
    cmake_path(ABSOLUTE_PATH config BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
    if(NOT EXISTS "${config}" OR IS_DIRECTORY "${config}")
        message(FATAL_ERROR "apriori_add_config: there is no file\n  ${config}")
    endif()
    if(NOT CMAKE_SCRIPT_MODE_FILE)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${config}")
    endif()
    file(READ "${config}" json)
    string(JSON type ERROR_VARIABLE error TYPE "${json}")
    if(error)
        message(FATAL_ERROR "apriori: this file is not valid JSON (${error})\n  ${config}")
    elseif(NOT type STREQUAL "OBJECT")
        message(FATAL_ERROR "apriori: this file holds no JSON object\n  ${config}")
    endif()
    set(mark "json") # must not end a raw string early
    while(json MATCHES "\\)${mark}\"")
        string(APPEND mark "_")
    endwhile()
    string(CONCAT text
        "// Written by apriori_add_config from ${config}; do not edit.\n"
        "#pragma once\n\n"
        "#include \"apriori/models/config_from_json.hpp\"\n\n"
        "struct ${name}_file {\n"
        "    static constexpr std::string_view path = R\"${mark}(${config})${mark}\";\n"
        "    static constexpr std::string_view text = R\"${mark}(${json})${mark}\";\n"
        "};\n"
        "inline constexpr auto ${name} = apriori::config_from_json<${name}_file>();\n")
    set(old "")
    if(EXISTS "${header}")
        file(READ "${header}" old)
    endif()
    if(NOT old STREQUAL text)
        file(WRITE "${header}" "${text}")
    endif()
endfunction()

# <out>: the class of a config.json's model; PriorTransformer unless the file names another one.
function(_apriori_config_class out config)
    set(json "{}")
    if(EXISTS "${config}" AND NOT IS_DIRECTORY "${config}")
        file(READ "${config}" json)
    endif()
    string(JSON type ERROR_VARIABLE none GET "${json}" model_type)
    if(type STREQUAL "clip_text_model")
        set(${out} CLIPTextModel PARENT_SCOPE)
    elseif(type STREQUAL "clip_vision_model")
        set(${out} CLIPVisionModel PARENT_SCOPE)
    elseif(type STREQUAL "clip")
        set(${out} CLIPModel PARENT_SCOPE)
    else()
        set(${out} PriorTransformer PARENT_SCOPE)
    endif()
endfunction()
