# SPDX-License-Identifier: Apache-2.0
# cpack -G DEB: libapriori-dev (the headers, the CMake package, the .pc files, the guide) for every architecture, and
# apriori (the program) for this one, if it was built. They depend on Debian's packages, and install below /usr.
if(NOT PROJECT_IS_TOP_LEVEL OR NOT APRIORI_INSTALL)
    return()
endif()

set(CPACK_PACKAGE_CONTACT "The apriori authors <authors@apriori.invalid>" CACHE STRING
    "Who makes the package, as a name <address>: its field Maintainer")

# The files that Debian requires besides a package's own, in a folder with its name. Only cpack installs these
# components.
set(_doc "${CMAKE_INSTALL_DATADIR}/doc")
find_program(APRIORI_GZIP gzip)
mark_as_advanced(APRIORI_GZIP)
string(TIMESTAMP _date "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH, if it is set
foreach(_package IN ITEMS libapriori-dev apriori)
    set(_component debian_${_package})
    install(FILES cmake/packaging/debian/copyright DESTINATION "${_doc}/${_package}" COMPONENT ${_component} EXCLUDE_FROM_ALL)
    if(APRIORI_GZIP)
        set(_changelog "${PROJECT_BINARY_DIR}/debian/${_package}/changelog")
        file(WRITE "${_changelog}" "${_package} (${PROJECT_VERSION}) unstable; urgency=medium\n\n"
                                   "  * CHANGELOG.md, in libapriori-dev, says what is new.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${_date}\n")
        execute_process(COMMAND "${APRIORI_GZIP}" -9nf "${_changelog}" COMMAND_ERROR_IS_FATAL ANY)
        install(FILES "${_changelog}.gz" DESTINATION "${_doc}/${_package}" COMPONENT ${_component} EXCLUDE_FROM_ALL)
    endif()
endforeach()
install(FILES CHANGELOG.md README.md DESTINATION "${_doc}/libapriori-dev" COMPONENT debian_libapriori-dev EXCLUDE_FROM_ALL)
install(DIRECTORY docs DESTINATION "${_doc}/libapriori-dev" COMPONENT debian_libapriori-dev EXCLUDE_FROM_ALL
        PATTERN "Doxyfile" EXCLUDE PATTERN "functions.txt" EXCLUDE)

set(CPACK_PACKAGE_NAME apriori)
set(CPACK_PACKAGE_VENDOR "The apriori authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_SOURCE_IGNORE_FILES "/build[^/]*/;/\\.git/;/out/")
set(CPACK_STRIP_FILES ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL headers debian_libapriori-dev)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libapriori-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libxsimd-dev (>= 8.1)")
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "libeigen3-dev (>= 3.4), libutf8proc-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "cmake (>= 3.25), libbenchmark-dev, libfmt-dev, pkgconf, python3")
set(CPACK_DEBIAN_DEV_DESCRIPTION "Headers of a C++20 library, with a CMake package, .pc files and the guide.
In them is the unCLIP prior: the transformer that turns a CLIP text
embedding into a CLIP image embedding.
.
The component eigen needs libeigen3-dev, text needs libutf8proc-dev.")

if(TARGET apriori_program)
    list(APPEND CPACK_COMPONENTS_ALL program debian_apriori)
    set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME apriori)
    set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
    set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "The program samples image embeddings of unCLIP priors from words, compares
models with recorded numbers, packs weights and measures speed.")
    set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON) # with dpkg-shlibdeps of dpkg-dev, and file
endif()

include(CPack)
cpack_add_component_group(dev)
cpack_add_component_group(program)
cpack_add_component(headers GROUP dev)
cpack_add_component(debian_libapriori-dev GROUP dev)
cpack_add_component(program GROUP program)
cpack_add_component(debian_apriori GROUP program)
