# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=nm "-DOBJECTS=a.o;b.o" -DENTRY=regex -P check_symbols.cmake: each object defines one global symbol,
# ENTRY_<instruction set>, and no weak symbol.
if(NOT OBJECTS)
    message(FATAL_ERROR "there are no objects")
endif()
foreach(object IN LISTS OBJECTS)
    execute_process(COMMAND "${NM}" --defined-only --extern-only "${object}" OUTPUT_VARIABLE symbols
                    COMMAND_ERROR_IS_FATAL ANY)
    string(STRIP "${symbols}" symbols)
    if(NOT symbols MATCHES "^[0-9a-f]+ T ${ENTRY}_[a-z0-9]+$")
        message(FATAL_ERROR "${object} has global symbols beside its entry:\n${symbols}")
    endif()
    message(STATUS "${symbols}")
endforeach()
