# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE= -DBINARY= -DPYTHON= -DGENERATOR= -DCOMPILER= -DVERSION= -P spack.cmake: the source is configured and
# installed like Spack does it, with the arguments of Spack's recipe, and then used.
cmake_policy(VERSION 3.25)

file(REMOVE_RECURSE "${BINARY}")
set(repository "${SOURCE}/cmake/packaging/spack/spack_repo/apriori")
file(READ "${repository}/repo.yaml" text)
# the folder's name, and the API that imports spack_repo
if(NOT text MATCHES "^repo:\n  namespace: apriori\n  api: v2\\.[0-9]+\n$")
    message(FATAL_ERROR "repo.yaml is not that of the namespace apriori:\n${text}")
endif()
foreach(variant IN ITEMS +cpu ~cpu)
    execute_process(COMMAND "${PYTHON}" "${SOURCE}/tests/consumer/spack_recipe.py" "${repository}/packages/apriori/package.py" "${VERSION}"
                            ${variant} +eigen OUTPUT_VARIABLE arguments OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    string(REPLACE "\n" ";" arguments "${arguments}")
    set(folder "${BINARY}/${variant}")
    execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}" -B "${folder}/build" "-DCMAKE_CXX_COMPILER=${COMPILER}"
                            -DCMAKE_BUILD_TYPE:STRING=Release "-DCMAKE_INSTALL_PREFIX:STRING=${folder}/prefix" ${arguments}
                    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${folder}/build" --target install OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    set(component cpu)
    file(READ "${folder}/prefix/share/pkgconfig/apriori.pc" text)
    if(variant STREQUAL "~cpu")
        set(component scalar)
        if(text MATCHES "xsimd")
            message(FATAL_ERROR "apriori~cpu has an apriori.pc that requires xsimd:\n${text}")
        endif()
    endif()
    execute_process(COMMAND "${CMAKE_COMMAND}" -G "${GENERATOR}" -S "${SOURCE}/tests/consumer/layer" -B "${folder}/layer"
                            -DCOMPONENT=${component} "-DCMAKE_PREFIX_PATH=${folder}/prefix" "-DCMAKE_CXX_COMPILER=${COMPILER}"
                            -DCMAKE_BUILD_TYPE=Debug OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${CMAKE_COMMAND}" --build "${folder}/layer" COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND "${folder}/layer/layer" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
