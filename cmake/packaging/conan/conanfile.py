# SPDX-License-Identifier: Apache-2.0
"""The Conan 2 package: conan create cmake/packaging/conan [-o "&:xsimd=system"] [-o "&:eigen=conan"] ...

CMake finds the package's own apriori-config.cmake, so components and functions are those in docs/getting-started.md.
"""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.2"

SOURCE = os.path.join("..", "..", "..")  # the root of the project


class AprioriConan(ConanFile):
    name = "apriori"
    description = "Tensor expressions with static shapes, and the unCLIP prior written in them"
    license = "Apache-2.0"
    topics = ("tensor", "expression-templates", "simd", "diffusion", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    # The source of a component's library: a Conan package, the system, or none, which leaves the component out.
    options = {library: ["conan", "system", "none"] for library in ("xsimd", "eigen", "utf8proc")}
    default_options = {"xsimd": "conan", "eigen": "none", "utf8proc": "none"}

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, SOURCE, "include", "apriori", "core", "version.hpp"))
        self.version = re.search(r'string = "([^"]+)"', header)[1]

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "cmake/*", "include/*", "bench/variants.hpp", "scripts/bench-variants", "scripts/bar_chart.py",
                        "CHANGELOG.md", "LICENSE", "NOTICE"):
            copy(self, pattern, os.path.join(self.recipe_folder, SOURCE), self.export_sources_folder,
                 excludes=("*/build/*", "*/__pycache__/*"))

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        if self.options.xsimd == "conan":
            self.requires("xsimd/[>=8.1]", transitive_headers=True)
        if self.options.eigen == "conan":
            self.requires("eigen/[>=3.4 <4]", transitive_headers=True)
        if self.options.utf8proc == "conan":
            self.requires("utf8proc/[>=2.6]", transitive_headers=True, transitive_libs=True)

    def validate(self):
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.user_presets_path = False
        for part in ("TESTS", "BENCH", "EXAMPLES", "PROGRAM"):
            toolchain.cache_variables[f"APRIORI_BUILD_{part}"] = False
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install(component="headers")
        for file in ("LICENSE", "NOTICE"):
            copy(self, file, self.source_folder, os.path.join(self.package_folder, "licenses"))
        rmdir(self, os.path.join(self.package_folder, "share", "doc"))
        rmdir(self, os.path.join(self.package_folder, "share", "pkgconfig"))  # Conan writes its own .pc files

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "apriori")]
        self.cpp_info.set_property("pkg_config_name", "apriori")
        if self.options.xsimd == "none":
            self.cpp_info.defines = ["APRIORI_NO_XSIMD"]
