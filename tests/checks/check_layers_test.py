#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_layers has to find each of its mistakes, and no others: one header per row."""
import pathlib
import subprocess
import sys
import tempfile

HEAD = "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n"
ROWS = [
    # file, text, the output of check_layers ("" for none)
    ("core/a.hpp", HEAD + "#include <vector>\n", ""),
    ("core/a.hpp", HEAD + '#include "apriori/tensor/view.hpp"\n', "core/ may not include apriori/tensor/view.hpp"),
    ("layers/a.hpp", HEAD + '#include "apriori/device/cpu/gemm.hpp"\n', "layers/ may not include apriori/device/cpu/gemm.hpp"),
    ("layers/a.hpp", HEAD + '#include "apriori/expr/nodes.hpp"\n', ""),
    ("io/a.hpp", HEAD + '#include "apriori/device/eigen/eigen.hpp"\n', "io/ may not include"),
    ("schedulers/a.hpp", HEAD + '#include "apriori/models/prior_config.hpp"\n', "schedulers/ may not include"),
    ("text/a.hpp", HEAD + '#include "apriori/io/json.hpp"\n', "text/ may not include apriori/io/json.hpp"),
    ("models/a.hpp", HEAD + "// what xsimd does\n/* __AVX2__ */\n", ""),
    ("models/a.hpp", HEAD + "#ifdef __AVX2__\n#endif\n", 'models/ names "__AVX"'),
    ("pipelines/a.hpp", HEAD + "#include <xsimd/xsimd.hpp>\n", 'pipelines/ names "xsimd"'),
    ("expr/a.hpp", HEAD + "using v = xsimd::batch<float>;\n", 'expr/ names "xsimd"'),
    ("expr/a.hpp", HEAD + '#include "../core/index.hpp"\n', 'write "apriori/folder/file.hpp"'),
    ("device/a.hpp", HEAD + "#include <xsimd/xsimd.hpp>\n", ""),
    ("core/a.hpp", "#pragma once\n", "first line must be"),
    ("core/a.hpp", HEAD.splitlines()[0] + "\n", "no #pragma once"),
    ("core/a.hpp", HEAD + "\n" * 398, ""),
    ("core/a.hpp", HEAD + "\n" * 399, "401 lines"),
    ("expr.hpp", HEAD + '#include "apriori/expr/nodes.hpp"\n', ""),
    ("expr.hpp", HEAD + '#include "apriori/device/cpu.hpp"\n', "expr/ may not include apriori/device/cpu.hpp"),
    ("layers/a.hpp", HEAD + '#include "apriori/expr.hpp"\n', ""),
    ("layers/a.hpp", HEAD + '#include "apriori/models.hpp"\n', "layers/ may not include apriori/models.hpp"),
    ("layers/a.hpp", HEAD + '#include "apriori/apriori.hpp"\n', "layers/ may not include apriori/apriori.hpp"),
    ("apriori.hpp", HEAD + '#include "apriori/device/cpu.hpp"\n', ""),
    ("core/a.hpp", HEAD + "inline float a;\n", "computes with floats"),
    ("core/a.hpp", HEAD + "APRIORI_BEGIN_EXACT_MATH\ninline float a;\nAPRIORI_END_EXACT_MATH\n", ""),
    ("core/a.hpp", HEAD + "APRIORI_BEGIN_EXACT_MATH\ninline float a;\n", "computes with floats"),
    ("core/a.hpp", HEAD + "// a float\n", ""),
    ("device/cuda/a.hpp", HEAD + "inline float a;\n", ""),
    ("elsewhere/a.hpp", HEAD, "folder elsewhere/ is not in the table"),
]

failures = 0
for file, text, expected in ROWS:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        run = subprocess.run([sys.executable, sys.argv[1], folder], capture_output=True, text=True)
        right = (run.returncode == 1 and expected in run.stdout) if expected else (run.returncode == 0 and not run.stdout)
        if not right:
            failures += 1
            print(f"{file}: {text!r}\n  expected {expected!r}, got code {run.returncode}, {run.stdout!r} {run.stderr!r}")
sys.exit(1 if failures else 0)
