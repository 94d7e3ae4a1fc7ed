# SPDX-License-Identifier: Apache-2.0
"""The system's xsimd, Eigen or utf8proc as a Conan package, with the names of ConanCenter's packages, which it replaces
where no remote can be reached: conan create --name xsimd --version 8.1.0."""
from conan import ConanFile
from conan.tools.files import copy

HEADERS = {"xsimd": ("/usr/include", "xsimd/*"), "eigen": ("/usr/include/eigen3", "*"), "utf8proc": ("/usr/include", "utf8proc.h")}


class System(ConanFile):
    package_type = "static-library"

    def package(self):
        folder, pattern = HEADERS[self.name]
        copy(self, pattern, folder, self.package_folder + "/include")

    def package_info(self):
        self.cpp_info.libdirs = self.cpp_info.bindirs = []
        if self.name == "xsimd":
            self.cpp_info.set_property("cmake_target_name", "xsimd")
        elif self.name == "eigen":
            self.cpp_info.set_property("cmake_file_name", "Eigen3")
            self.cpp_info.set_property("cmake_target_name", "Eigen3::Eigen")
        else:
            self.cpp_info.system_libs = ["utf8proc"]
