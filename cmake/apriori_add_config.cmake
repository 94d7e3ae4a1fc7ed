# SPDX-License-Identifier: Apache-2.0
# apriori_add_config(<target> <name> <config.json>)
#
# Turns the config.json of a diffusers PriorTransformer, or of one of transformers' CLIP encoders (which gives a CLIPTextConfig
# or CLIPVisionConfig), into a constexpr header. After
#
#     apriori_add_config(my_program my_prior models/prior/config.json)
#
# the sources of my_program can write
#
#     #include "my_prior.hpp"      // inline constexpr apriori::PriorConfig my_prior{...};
#
# Keys that the file leaves out keep the defaults of the class, keys that start with an underscore are notes, a null
# dimension is apriori::none. A key that PriorTransformer does not have, or a value that apriori does not support, stops the
# configuration with an error that names the file, the field, the value and what is allowed. A changed file is read
# again by the next build.
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

# apriori_write_config(<name> <config.json> <header>): the header alone, for no target.
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
    _apriori_config_class(class "${config}")
    _apriori_config_initialiser(fields ${class} "${config}")
    set(header_of_PriorTransformer prior_config)
    set(type_of_PriorTransformer PriorConfig)
    set(check_of_PriorTransformer validate)
    set(header_of_CLIPTextModel clip_config)
    set(type_of_CLIPTextModel CLIPTextConfig)
    set(check_of_CLIPTextModel validate)
    set(header_of_CLIPVisionModel clip_config)
    set(type_of_CLIPVisionModel CLIPVisionConfig)
    set(check_of_CLIPVisionModel validate)
    string(CONCAT text
        "// Written by apriori_add_config from ${config}; do not edit.\n"
        "#pragma once\n\n"
        "#include \"apriori/models/${header_of_${class}}.hpp\"\n\n"
        "inline constexpr apriori::${type_of_${class}} ${name}{${fields}};\n"
        "static_assert(apriori::${check_of_${class}}<${name}>());\n")
    set(old "")
    if(EXISTS "${header}")
        file(READ "${header}" old)
    endif()
    if(NOT old STREQUAL text)
        file(WRITE "${header}" "${text}")
    endif()
endfunction()

# <out>: the class of the model that a config.json is of; PriorTransformer unless it says otherwise.
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
    else()
        set(${out} PriorTransformer PARENT_SCOPE)
    endif()
endfunction()

# The designated initialisers that the file's fields amount to, in the order of the configuration's declaration.
function(_apriori_config_initialiser out class config)
    # field                     what it may hold
    set(table_of_PriorTransformer
        num_attention_heads      positive
        attention_head_dim       positive
        num_layers               positive
        embedding_dim            positive
        num_embeddings           natural
        additional_embeddings    natural
        dropout                  fraction
        time_embed_act_fn        activation
        norm_in_type             norm
        embedding_proj_norm_type norm
        encoder_hid_proj_type    hid_proj
        added_emb_type           added_emb
        time_embed_dim           optional
        embedding_proj_dim       optional
        clip_embed_dim           optional
        time_embedding           boolean)
    set(table_of_CLIPTextModel
        vocab_size               positive
        hidden_size              positive
        intermediate_size        positive
        projection_dim           projection
        num_hidden_layers        positive
        num_attention_heads      positive
        max_position_embeddings  positive
        hidden_act               clip_activation
        layer_norm_eps           fraction
        eos_token_id             natural)
    set(table_of_CLIPVisionModel
        hidden_size              positive
        intermediate_size        positive
        projection_dim           projection
        num_hidden_layers        positive
        num_attention_heads      positive
        num_channels             positive
        image_size               positive
        patch_size               positive
        hidden_act               clip_activation
        layer_norm_eps           fraction)

    file(READ "${config}" json)
    string(JSON type ERROR_VARIABLE error TYPE "${json}")
    if(error)
        message(FATAL_ERROR "apriori: this file is not valid JSON (${error})\n  ${config}")
    elseif(NOT type STREQUAL "OBJECT")
        message(FATAL_ERROR "apriori: this file holds no JSON object\n  ${config}")
    endif()

    set(known "")
    set(kinds ${table_of_${class}})
    while(kinds)
        list(POP_FRONT kinds field kind)
        list(APPEND known ${field})
        set(kind_of_${field} ${kind})
    endwhile()

    string(JSON count LENGTH "${json}")
    if(count GREATER 0)
        math(EXPR last "${count} - 1")
        foreach(i RANGE ${last})
            string(JSON key MEMBER "${json}" ${i})
            if(NOT class STREQUAL "PriorTransformer")
                break() # of the encoders' many fields the others change nothing
            elseif(key STREQUAL "_class_name")
                string(JSON value GET "${json}" ${key})
                if(NOT value STREQUAL class)
                    message(FATAL_ERROR "apriori: _class_name is \"${value}\"; allowed: \"${class}\"\n  ${config}")
                endif()
            elseif(NOT key MATCHES "^_" AND NOT key IN_LIST known)
                list(JOIN known ", " text)
                message(FATAL_ERROR "apriori: \"${key}\" is not a field of ${class}; the fields are ${text}\n  ${config}")
            endif()
        endforeach()
    endif()

    # The encoders without a projection have the field all the same.
    string(JSON architecture ERROR_VARIABLE none GET "${json}" architectures 0)
    if(architecture STREQUAL class)
        string(JSON json SET "${json}" projection_dim 0)
    endif()

    set(result "")
    foreach(field IN LISTS known)
        string(JSON type ERROR_VARIABLE absent TYPE "${json}" ${field})
        if(absent)
            continue()
        endif()
        string(JSON value GET "${json}" ${field})
        _apriori_config_value(text allowed ${kind_of_${field}} "${type}" "${value}")
        if(text STREQUAL "")
            if(type STREQUAL "NULL")
                set(value null)
            elseif(type STREQUAL "STRING")
                set(value "\"${value}\"")
            elseif(type STREQUAL "BOOLEAN")
                string(REPLACE "ON" "true" value "${value}")
                string(REPLACE "OFF" "false" value "${value}")
            endif()
            message(FATAL_ERROR "apriori: ${field} is ${value}; allowed: ${allowed}\n  ${config}")
        endif()
        string(APPEND result "\n    .${field} = ${text},")
    endforeach()
    # An ECLIPSE prior's class has the name of diffusers' but no fields of time, and a token less: the three behind the text
    # do not hold the pooled one, time, latents and prd of diffusers'.
    if(class STREQUAL "PriorTransformer" AND result MATCHES "additional_embeddings = 3," AND NOT result MATCHES
       "\\.time_embed|added_emb::none")
        string(APPEND result "\n    .time_embedding = false,")
    endif()
    if(result)
        string(APPEND result "\n")
    endif()
    set(${out} "${result}" PARENT_SCOPE)
endfunction()

# <out>: the value as C++, empty if it is not one that the kind allows; <allowed>: the ones that are, for people.
function(_apriori_config_value out allowed_out kind type value)
    set(text "")
    set(is_integer FALSE)
    if(type STREQUAL "NUMBER" AND value MATCHES "^-?[0-9]+$" AND value LESS_EQUAL 2147483647)
        set(is_integer TRUE)
    endif()
    if(kind STREQUAL "positive")
        set(allowed "a whole number, 1 or more")
        if(is_integer AND value GREATER_EQUAL 1)
            set(text "${value}")
        endif()
    elseif(kind STREQUAL "natural")
        set(allowed "a whole number, 0 or more")
        if(is_integer AND value GREATER_EQUAL 0)
            set(text "${value}")
        endif()
    elseif(kind STREQUAL "optional")
        set(allowed "null (or 0, which diffusers takes for it), or a whole number, 1 or more")
        if(type STREQUAL "NULL" OR (is_integer AND value EQUAL 0))
            set(text "apriori::none")
        elseif(is_integer AND value GREATER_EQUAL 1)
            set(text "${value}")
        endif()
    elseif(kind STREQUAL "fraction")
        set(allowed "a number from 0 to 1")
        if(type STREQUAL "NUMBER" AND value GREATER_EQUAL 0 AND value LESS_EQUAL 1)
            set(text "static_cast<float>(${value})")
        endif()
    elseif(kind STREQUAL "boolean")
        set(allowed "true, false")
        if(type STREQUAL "BOOLEAN")
            string(REPLACE "ON" "true" text "${value}")
            string(REPLACE "OFF" "false" text "${text}")
        endif()
    elseif(kind STREQUAL "activation")
        set(allowed "\"silu\" (or \"swish\"), \"mish\", \"gelu\", \"relu\"; case does not matter")
        string(TOLOWER "${value}" lower)
        if(type STREQUAL "STRING" AND lower MATCHES "^(silu|swish|mish|gelu|relu)$")
            set(text "apriori::activation::${lower}")
        endif()
    elseif(kind STREQUAL "projection")
        set(allowed "null or 0 (none), or a whole number, 1 or more")
        if(type STREQUAL "NULL")
            set(text 0)
        elseif(is_integer AND value GREATER_EQUAL 0)
            set(text "${value}")
        endif()
    elseif(kind STREQUAL "clip_activation")
        set(allowed "\"quick_gelu\", \"gelu\"")
        if(type STREQUAL "STRING" AND value MATCHES "^(quick_gelu|gelu)$")
            set(text "apriori::clip_activation::${value}")
        endif()
    elseif(kind STREQUAL "norm")
        set(allowed "null, \"layer\", \"rms\"")
        if(type STREQUAL "NULL")
            set(text "apriori::norm_type::none")
        elseif(type STREQUAL "STRING" AND value MATCHES "^(layer|rms)$")
            set(text "apriori::norm_type::${value}")
        endif()
    elseif(kind STREQUAL "hid_proj")
        set(allowed "null, \"linear\"")
        if(type STREQUAL "NULL")
            set(text "apriori::hid_proj_type::none")
        elseif(type STREQUAL "STRING" AND value STREQUAL "linear")
            set(text "apriori::hid_proj_type::linear")
        endif()
    elseif(kind STREQUAL "added_emb")
        set(allowed "null, \"prd\"")
        if(type STREQUAL "NULL")
            set(text "apriori::added_emb::none")
        elseif(type STREQUAL "STRING" AND value STREQUAL "prd")
            set(text "apriori::added_emb::prd")
        endif()
    endif()
    set(${out} "${text}" PARENT_SCOPE)
    set(${allowed_out} "${allowed}" PARENT_SCOPE)
endfunction()
