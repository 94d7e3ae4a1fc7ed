# SPDX-License-Identifier: Apache-2.0
# An overlay port of the checkout that contains it: vcpkg install --overlay-ports=cmake/packaging/vcpkg apriori
set(SOURCE_PATH "${CURRENT_PORT_DIR}/../../../..")
cmake_path(NORMAL_PATH SOURCE_PATH)

set(VCPKG_BUILD_TYPE release) # headers, which are the same in both
vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
    INVERTED_FEATURES
        cpu CMAKE_DISABLE_FIND_PACKAGE_PkgConfig # apriori.pc then requires no xsimd
)
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DAPRIORI_BUILD_TESTS=OFF
        -DAPRIORI_BUILD_BENCH=OFF
        -DAPRIORI_BUILD_EXAMPLES=OFF
        -DAPRIORI_BUILD_PROGRAM=OFF
        -DAPRIORI_CUDA=OFF
        ${FEATURE_OPTIONS}
    MAYBE_UNUSED_VARIABLES
        CMAKE_DISABLE_FIND_PACKAGE_PkgConfig
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/apriori)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CURRENT_PORT_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
