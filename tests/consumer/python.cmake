# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DPYTHON= -DGENERATOR= -DCOMPILER= -DLAUNCHER= -P python.cmake: examples/python by a nanobind that pip
# installs under build/ on the first run, compiled for a model of tests/reference and compared with what diffusers recorded of it.
cmake_policy(VERSION 3.25)

set(release 3.1.0)
set(venv "${SOURCE}/build/nanobind-${release}")
set(python "${venv}/bin/python")
set(works "${python}" -c "import nanobind, numpy")
execute_process(COMMAND ${works} RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
if(NOT code EQUAL 0)
    execute_process(COMMAND "${PYTHON}" -m venv "${venv}" RESULT_VARIABLE code)
    if(code EQUAL 0)
        execute_process(COMMAND "${python}" -m pip -q --disable-pip-version-check install nanobind==${release} numpy)
        execute_process(COMMAND ${works} RESULT_VARIABLE code)
    endif()
    if(NOT code EQUAL 0)
        message("skipped: nanobind ${release} and numpy could not be installed with pip")
        return()
    endif()
endif()
execute_process(COMMAND "${python}" -c "import os, sysconfig; print(os.path.join(sysconfig.get_path('include'), 'Python.h'))"
                OUTPUT_VARIABLE header OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT EXISTS "${header}")
    message("skipped: no ${header} (Debian: apt install python3-dev)")
    return()
endif()

set(example "${SOURCE}/examples/python")
set(cases "${SOURCE}/tests/reference/cases")
file(REMOVE_RECURSE "${BINARY}")
function(configure folder)
    execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${example}" -B "${BINARY}/${folder}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
                            "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" "-DPython_EXECUTABLE=${python}" -DCMAKE_BUILD_TYPE=Release
                            "-DCMAKE_CXX_FLAGS_RELEASE=-Og -DNDEBUG" ${ARGN}
                    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    set(code "${code}" PARENT_SCOPE)
    string(REGEX REPLACE "[ \n]+" " " output "${output}") # CMake breaks long lines
    set(output "${output}" PARENT_SCOPE)
endfunction()
configure(refused -DAPRIORI_PYTHON_PRIOR=no_such_preset)
if(code EQUAL 0 OR NOT output MATCHES "no_such_preset is neither a preset nor a file. presets: karlo_v1_alpha,")
    message(FATAL_ERROR "a preset that is not there is not refused:\n${output}")
endif()
configure(build "-DAPRIORI_PYTHON_PRIOR=${cases}/unclip_like/config.json")
if(NOT code EQUAL 0)
    message(FATAL_ERROR "examples/python does not configure:\n${output}")
endif()
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BINARY}/build" COMMAND_ERROR_IS_FATAL ANY)
set(ENV{PYTHONPATH} "${BINARY}/build")
set(ENV{PYTHONDONTWRITEBYTECODE} 1)
execute_process(COMMAND "${python}" "${example}/check.py" "${cases}/unclip_like" "${cases}/tiny" COMMAND_ERROR_IS_FATAL ANY)
