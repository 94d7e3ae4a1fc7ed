# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DPYTHON= -DGENERATOR= -DCOMPILER= -DLAUNCHER= -DVERSION= -P python.cmake: examples/python
# with a nanobind that pip installs under build/ on the first run, compiled for a model of tests/reference and compared
# with its numbers from diffusers.
cmake_policy(VERSION 3.25)

set(release 3.1.0)
set(venv "${SOURCE}/build/nanobind-${release}")
set(python "${venv}/bin/python")
set(works "${python}" -c "import nanobind, numpy, scikit_build_core")
execute_process(COMMAND ${works} RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
if(NOT code EQUAL 0)
    execute_process(COMMAND "${PYTHON}" -m venv "${venv}" RESULT_VARIABLE code)
    if(code EQUAL 0)
        execute_process(COMMAND "${python}" -m pip -q --disable-pip-version-check install nanobind==${release} scikit-build-core numpy)
        execute_process(COMMAND ${works} RESULT_VARIABLE code)
    endif()
    if(NOT code EQUAL 0)
        message("skipped: nanobind ${release}, scikit-build-core and numpy could not be installed with pip")
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

# refused(<option> <value> <regular expression>): configuring fails with that message.
function(refused option value message)
    execute_process(COMMAND "${CMAKE_COMMAND}" --fresh -G "${GENERATOR}" -S "${example}" -B "${BINARY}/refused" "-DCMAKE_CXX_COMPILER=${COMPILER}"
                            "-DPython_EXECUTABLE=${python}" "-D${option}=${value}"
                    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REGEX REPLACE "[ \n]+" " " output "${output}") # CMake breaks long lines
    if(code EQUAL 0 OR NOT output MATCHES "${message}")
        message(FATAL_ERROR "${option}=${value} does not fail with\n  ${message}\nThe output is:\n  ${output}")
    endif()
endfunction()
refused(APRIORI_PYTHON_PRIOR no_such_preset "no_such_preset is neither a preset nor a file. presets: karlo_v1_alpha,")
refused(APRIORI_PYTHON_WEIGHTS w3 "WEIGHTS is w3. allowed: f32,")

# Installed as in docs/python.md, with the packages of the venv.
set(ENV{CXX} "${COMPILER}")
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${LAUNCHER}")
set(ENV{PYTHONDONTWRITEBYTECODE} 1)
execute_process(COMMAND "${python}" -m pip --disable-pip-version-check install --no-build-isolation --no-deps --target "${BINARY}/site"
                        "--config-settings=build-dir=${BINARY}/build"
                        "--config-settings=cmake.define.APRIORI_PYTHON_PRIOR=${cases}/unclip_like/config.json"
                        "--config-settings=cmake.define.CMAKE_CXX_FLAGS_RELEASE=-Og -DNDEBUG" "${example}"
                COMMAND_ERROR_IS_FATAL ANY)
if(NOT EXISTS "${BINARY}/site/apriori_prior-${VERSION}.dist-info")
    message(FATAL_ERROR "the package has another version than ${VERSION}")
endif()
set(ENV{PYTHONPATH} "${BINARY}/site")
execute_process(COMMAND "${python}" "${example}/check.py" "${cases}/unclip_like" "${cases}/tiny" COMMAND_ERROR_IS_FATAL ANY)
