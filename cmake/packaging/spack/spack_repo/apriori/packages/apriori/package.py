# SPDX-License-Identifier: Apache-2.0
# A package of the checkout that contains it:
#     spack repo add cmake/packaging/spack/spack_repo/apriori
#     spack dev-build apriori@main
import pathlib

from spack_repo.builtin.build_systems.cmake import CMakePackage

from spack.package import *


class Apriori(CMakePackage):
    """Tensor expressions with static shapes, and the unCLIP prior written in them: a header-only C++20 library."""

    git = pathlib.Path(__file__).resolve().parents[7].as_uri()

    license("Apache-2.0")

    version("main", branch="main")
    version("0.1.0", tag="v0.1.0")

    variant("cpu", default=True, description="The device cpu in the registers of xsimd; without it there is the component scalar")
    variant("eigen", default=False, description="The device eigen")
    variant("text", default=False, description="The tokenizer")

    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("xsimd@8.1:", when="+cpu")
    depends_on("eigen@3.4", when="+eigen")
    depends_on("utf8proc", when="+text")

    conflicts("%gcc@:11", msg="apriori needs g++ 12 or newer, or clang 16")
    conflicts("%clang@:15", msg="apriori needs clang 16 or newer, or g++ 12")

    def cmake_args(self):
        return [
            self.define("APRIORI_BUILD_TESTS", False),
            self.define("APRIORI_BUILD_BENCH", False),
            self.define("APRIORI_BUILD_EXAMPLES", False),
            self.define("APRIORI_CUDA", "OFF"),
            self.define("APRIORI_BUILD_PROGRAM", False),
            # without xsimd apriori.pc must not require it, even if the system has it
            self.define("CMAKE_DISABLE_FIND_PACKAGE_PkgConfig", self.spec.satisfies("~cpu")),
        ]
