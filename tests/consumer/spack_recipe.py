#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads Spack's recipe with modules that replace Spack's, which no reachable registry provides.

    spack_recipe.py PACKAGE.py VERSION [VARIANT...]

Checks the recipe's source, versions, variants and dependencies, and prints its arguments for CMake, one per line, for
the variants: +eigen, ~cpu, ...
"""
import importlib.util
import pathlib
import sys
import types

sys.dont_write_bytecode = True
said = []  # (directive, arguments, options)


def directive(name):
    return lambda *args, **options: said.append((name, args, options))


package = types.ModuleType("spack.package")
for name in ("license", "version", "variant", "depends_on", "conflicts"):
    setattr(package, name, directive(name))
cmake = types.ModuleType("spack_repo.builtin.build_systems.cmake")


class CMakePackage:
    """The parts of Spack's class of this name that the recipe uses."""

    def __init__(self, variants):
        self.variants = variants
        self.spec = self

    def satisfies(self, spec):
        return self.variants[spec[1:]] == (spec[0] == "+")

    @staticmethod
    def define(name, value):
        return f"-D{name}:BOOL={'ON' if value else 'OFF'}" if isinstance(value, bool) else f"-D{name}:STRING={value}"


cmake.CMakePackage = CMakePackage
sys.modules |= {"spack": types.ModuleType("spack"), "spack.package": package, cmake.__name__: cmake}

path, version, *chosen = sys.argv[1:]
spec = importlib.util.spec_from_file_location("recipe", path)
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)


def all_of(name):
    return [(args, options) for directive, args, options in said if directive == name]


root = pathlib.Path(path).resolve().parents[7]
assert recipe.Apriori.git == root.as_uri() and (root / "CMakeLists.txt").is_file(), recipe.Apriori.git
assert recipe.Apriori.__doc__, "a package says what it is"
assert [args[0] for args, _ in all_of("version")] == ["main", version], (version, all_of("version"))
assert all_of("license") == [(("Apache-2.0",), {})], all_of("license")
variants = {args[0]: options["default"] for args, options in all_of("variant")}
assert all(options["description"] for _, options in all_of("variant"))
for args, options in all_of("depends_on"):
    when = options.get("when")
    assert when is None or (when[0] == "+" and when[1:] in variants), f"{args}: there is no variant for {when}"
needs = {args[0].split("@")[0]: options.get("when") for args, options in all_of("depends_on")}
assert needs == {"cxx": None, "cmake": None, "xsimd": "+cpu", "eigen": "+eigen", "utf8proc": "+text"}, needs
for choice in chosen:
    assert choice[1:] in variants, f"there is no variant {choice}"
    variants[choice[1:]] = choice[0] == "+"
print("\n".join(recipe.Apriori(variants).cmake_args()))
