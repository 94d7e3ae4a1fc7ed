# SPDX-License-Identifier: Apache-2.0
# cmake "-DFIRST=<command>" "-DSECOND=<command>" -P same_output.cmake: both commands print the same text, which is not
# empty.
cmake_policy(VERSION 3.25)
execute_process(COMMAND ${FIRST} OUTPUT_VARIABLE first COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${SECOND} OUTPUT_VARIABLE second COMMAND_ERROR_IS_FATAL ANY)
if(NOT first OR NOT first STREQUAL second)
    message(FATAL_ERROR "the outputs differ:\n${first}\nand\n${second}")
endif()
message("${first}")
