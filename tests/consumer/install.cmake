# SPDX-License-Identifier: Apache-2.0
# cmake -DBUILD= -DPREFIX= -P install.cmake: installs, then moves the result, since a package must not depend on its
# location.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}.first")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}.first" COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${PREFIX}.first" "${PREFIX}")
