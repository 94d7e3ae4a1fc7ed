#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scripts/amalgamate on small trees of headers: checks the result, its order, and the errors."""
import pathlib
import subprocess
import sys
import tempfile

ONCE = "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n"
ROOTS = ["expr.hpp", "expr/print.hpp", "tensor/interop.hpp", "tensor/make.hpp", "tensor/print.hpp", "layers/weight_storage.hpp",
         "core/report.hpp", "device/constant.hpp", "device/recording.hpp", "device/cpu/device.hpp"]
TREE = {name: ONCE + '#include "apriori/core/macros.hpp"\n' for name in ROOTS} | {
    "core/macros.hpp": ONCE + "#define APRIORI_HD\n",
    "core/version.hpp": ONCE + 'string = "1.2.3"\n',
}
# the changed headers, further roots, and what the result has to contain in this order; or the error
ROWS = [
    ({}, [], ["apriori 1.2.3 in a single header", "#define APRIORI_HD", "// ==== apriori/core/version.hpp"], ""),
    ({"a.hpp": ONCE + '#include "apriori/b.hpp"\n#include <map>\nint a;\n', "b.hpp": ONCE + "#include <map>\n#include <set>\nint b;\n"},
     ["a.hpp", "b.hpp"], ["APRIORI_HD", "#include <map>\n#include <set>\n", "int b;", "int a;"], ""),
    ({"a.hpp": ONCE + "int a;\n#if defined(B)\n#include <map> // for b\n#endif\n"}, ["a.hpp"],
     ["int a;\n#if defined(B)\n#include <map> // for b\n#endif"], ""),
    ({"a.hpp": ONCE + 'int a;\n#include "apriori/table.inc"\nint b;\n#include <apriori/table.inc>\nint c;\n', "table.inc": "ROW\n"},
     ["a.hpp"], ["int a;", "ROW", "int b;", "ROW", "int c;"], ""),
    ({"a.hpp": ONCE + '#include "apriori/b.hpp"\n#if defined(B)\n#include "apriori/b.hpp"\n#endif\n', "b.hpp": ONCE + "int b;\n"},
     ["a.hpp"], ["int b;", "#if defined(B)\n#endif"], ""),
    ({"a.hpp": ONCE + '#if defined(B)\n#include "apriori/b.hpp"\n#endif\n', "b.hpp": ONCE}, ["a.hpp"], [],
     "a.hpp:4: apriori/b.hpp is included inside an #if and nowhere before"),
    ({"a.hpp": ONCE + '#include "apriori/b.hpp"\n', "b.hpp": ONCE + '#include "apriori/a.hpp"\n'}, ["a.hpp"], [],
     "include each other: apriori/a.hpp -> apriori/b.hpp -> apriori/a.hpp"),
    ({"a.hpp": ONCE + '#include "b.hpp"\n'}, ["a.hpp"], [], 'a.hpp:3: #include "b.hpp": write "apriori/folder/file.hpp"'),
    ({"a.hpp": ONCE + "#if 1\n"}, ["a.hpp"], [], "a.hpp: an #if has no #endif"),
    ({}, ["none.hpp"], [], "there is no header"),
]

failures = 0
for changes, roots, expected, error in ROWS:
    with tempfile.TemporaryDirectory() as folder:
        include, out = pathlib.Path(folder, "include"), pathlib.Path(folder, "out")
        for name, text in (TREE | changes).items():
            path = include / "apriori" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run([sys.executable, sys.argv[1], "--include", include, "--out", out, *roots], capture_output=True, text=True)
        if error:
            right = run.returncode == 1 and error in run.stderr and not out.exists()
        else:
            files = sorted(p.name for p in out.iterdir()) if out.exists() else []
            right = run.returncode == 0 and files == ["apriori_cpu.hpp", "apriori_scalar.hpp"]
            for file in files:
                text, at = (out / file).read_text(), 0
                for part in expected:
                    at = text.find(part, at)
                    right = right and at >= 0
                    at += len(part)
                right = right and text.count("// SPDX") == 1 and text.count("#pragma once") == 1 and '#include "' not in text
                right = right and ("#define APRIORI_NO_XSIMD" in text) == (file == "apriori_scalar.hpp")
                right = right and not any(text.count(f"int {x};") > 1 for x in "abc")
        if not right:
            failures += 1
            print(f"{changes} {roots}\n  expected {error or expected}, got code {run.returncode}, {run.stdout!r} {run.stderr!r}")
sys.exit(1 if failures else 0)
