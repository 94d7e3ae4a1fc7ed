#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The version is defined in include/apriori/core/version.hpp only: all copies of it agree.

    version_test.py SOURCE_DIR BINARY_DIR PROJECT_VERSION
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

source, binary, project = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
packaging = source / "cmake" / "packaging"
header = (source / "include/apriori/core/version.hpp").read_text()
version = re.search(r'string = "([^"]+)"', header)[1]
mistakes = []


def expect(what, pattern, text):
    """The first group of the pattern is the version, wherever the pattern occurs."""
    found = re.findall(pattern, text, re.MULTILINE)
    if not found:
        mistakes.append(f"{what}: no version")
    mistakes.extend(f"{what}: version {f}; core/version.hpp says {version}" for f in found if f != version)


expect("the numbers of core/version.hpp", "(.+)", ".".join(re.findall(r"(?:major|minor|patch) = (\d+)", header)))
expect("the CMake project", "(.+)", project)
expect("vcpkg.json", "(.+)", json.loads((packaging / "vcpkg/apriori/vcpkg.json").read_text())["version"])
recipe = (packaging / "spack/spack_repo/apriori/packages/apriori/package.py").read_text()
expect("Spack's package.py", r'version\("(\d[^"]*)"', recipe)
expect("the tag in Spack's package.py", r'tag="v([^"]*)"', recipe)
if version not in (source / "CHANGELOG.md").read_text():
    mistakes.append(f"CHANGELOG.md has nothing of version {version}")
conan = (packaging / "conan/conanfile.py").read_text()
expect("Conan's conanfile.py, which reads it", "(.+)", re.search(re.search(r"re\.search\(r'([^']+)', header\)", conan)[1], header)[1])
if re.search(r"^    version = ", conan, re.MULTILINE):
    mistakes.append("Conan's conanfile.py has a version of its own")
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, source / "scripts/amalgamate", "--out", folder], check=True, stdout=subprocess.DEVNULL)
    for file in sorted(pathlib.Path(folder).iterdir()):
        expect(file.name, r"^// apriori (\S+) in a single header", file.read_text())
        expect(file.name, r'string = "([^"]+)"', file.read_text())
for name in ("apriori", "apriori-scalar", "apriori-eigen", "apriori-text"):
    expect(f"{name}.pc", r"^Version: (.*)$", (binary / f"{name}.pc").read_text())
expect("apriori-config-version.cmake", r'^set\(PACKAGE_VERSION "([^"]*)"\)', (binary / "apriori-config-version.cmake").read_text())
expect("the Debian packages", r'set\(CPACK_PACKAGE_VERSION "([^"]*)"\)', (binary / "CPackConfig.cmake").read_text())

for mistake in mistakes:
    print(mistake)
sys.exit(1 if mistakes else 0)
