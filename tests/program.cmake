# SPDX-License-Identifier: Apache-2.0
# The tests of the program, and a second program for `verify`, with every kind of model in reference/cases. (The models'
# own tests check all models on every device, in fewer translation units.)
set(_models tiny shap_e_like)
set(_devices ${APRIORI_DEVICES})
list(REMOVE_ITEM _devices cuda) # its tests compare it with the others
if(APRIORI_TEST_SCOPE STREQUAL "all")
    list(APPEND _models medium tiny_no_prd tiny_no_text unclip_like)
endif()
set(_digits "")
if(APRIORI_TEST_SCOPE STREQUAL "all")
    # thousands of samples, which take minutes under a sanitizer
    set(_digits program_calibrate_test.cpp program_digits_test.cpp)
endif()
set(_faults "")
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize") # sanitizers have their own allocator
    set(_faults program_faults_test.cpp)
    foreach(_fault IN ITEMS fail_malloc fail_io)
        add_library(${_fault} MODULE EXCLUDE_FROM_ALL ${_fault}.cpp)
        target_link_libraries(${_fault} PRIVATE apriori_build_flags ${CMAKE_DL_LIBS})
        target_compile_features(${_fault} PRIVATE cxx_std_20)
    endforeach()
endif()
apriori_test(program ${_digits} program_arch_test.cpp program_bad_input_test.cpp program_batch_test.cpp program_bench_test.cpp
             ${_faults} program_lora_test.cpp program_pack_test.cpp program_sample_test.cpp program_verify_test.cpp
             program_words_test.cpp LIBS apriori::io)
if(TARGET program_test)
    set(_configs "")
    foreach(_model IN LISTS _models)
        list(APPEND _configs "${CMAKE_CURRENT_SOURCE_DIR}/reference/cases/${_model}/config.json")
    endforeach()
    list(APPEND _configs "${CMAKE_CURRENT_SOURCE_DIR}/reference/pipelines/prior/config.json") # and its encoders
    # compiled once, runs for seconds
    apriori_add_program(apriori_reference_program NAME apriori-reference DEVICES ${_devices} ARCHS ${APRIORI_ARCHS}
                        CONFIGS ${_configs} OPTIONS $<$<CONFIG:Release>:-Og> $<$<CONFIG:RelWithDebInfo>:-O0> TOGETHER)
    set(_builds ${_devices}) # the CPU once for each instruction set
    list(TRANSFORM APRIORI_ARCHS PREPEND "cpu_" OUTPUT_VARIABLE _archs)
    list(TRANSFORM _builds REPLACE "^cpu$" "${_archs}")
    list(JOIN _models "\", \"" _models)
    list(JOIN _builds "\", \"" _builds)
    target_compile_definitions(program_test PRIVATE
        APRIORI_PROGRAM="$<TARGET_FILE:apriori_program>"
        APRIORI_REFERENCE_PROGRAM="$<TARGET_FILE:apriori_reference_program>"
        "APRIORI_REFERENCE_MODELS=\"${_models}\""
        "APRIORI_REFERENCE_BUILDS=\"${_builds}\"")
    target_include_directories(program_test SYSTEM PRIVATE "${APRIORI_STB_INCLUDE_DIR}")
    add_dependencies(program_test apriori_program apriori_reference_program)
    if(TARGET fail_malloc)
        target_compile_definitions(program_test PRIVATE APRIORI_FAIL_MALLOC="$<TARGET_FILE:fail_malloc>"
                                                        APRIORI_FAIL_IO="$<TARGET_FILE:fail_io>")
        add_dependencies(program_test fail_malloc fail_io)
    endif()

    # Code for a newer instruction set stays in its object, and an old machine never executes it.
    get_target_property(_objects apriori_program APRIORI_MULTIARCH_OBJECTS)
    if(_objects)
        set(_test "${APRIORI_TEST_PREFIX}program.symbols_stay_inside")
        add_test(NAME "${_test}" COMMAND "${CMAKE_COMMAND}" -DNM=${CMAKE_NM} "-DOBJECTS=${_objects}"
                 "-DENTRY=apriori_[a-z0-9_]+_cpu" -P "${CMAKE_CURRENT_SOURCE_DIR}/multiarch/check_symbols.cmake")
        set_tests_properties("${_test}" PROPERTIES LABELS quick)
    endif()
    find_program(APRIORI_QEMU qemu-x86_64 DOC "qemu-user, for a test on an emulated old machine")
    if(APRIORI_QEMU AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
        target_compile_definitions(program_test PRIVATE APRIORI_QEMU="${APRIORI_QEMU}")
    endif()
endif()
