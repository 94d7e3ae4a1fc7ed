# SPDX-License-Identifier: Apache-2.0
"""scripts/race-expressions with a program that prints the lines of one row: race_expressions_test.py SCRIPT"""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("race_expressions", sys.argv[1])
script = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(script)

row = {"kind": "row", "row": "saxpy", "title": "saxpy chain", "formula": "2 * x + y", "fused": True, "stream": "triad"}
times = [{"kind": "time", "row": "saxpy", "size": size, "threads": threads, "library": library, "seconds": seconds, "bytes": 1e6}
         for size, threads in (("L1", 1), ("memory", 1), ("memory", 2)) for library, seconds in (("apriori", 1e-4), ("plain loops", 2e-4))]
bandwidth = [{"kind": "bandwidth", "threads": t, "read": 10.0, "write": 10.0, "scale": 10.0, "triad": 10.0} for t in (1, 2)]
versions = {"kind": "versions", "libraries": "xsimd 8", "instructions": "avx2"}

with tempfile.TemporaryDirectory() as folder:
    script.WORK = pathlib.Path(folder)
    script.python_with_numpy = lambda: None
    (script.WORK / "lines").write_text("".join(json.dumps(line) + "\n" for line in [versions, row, *bandwidth, *times]))
    program = script.WORK / "program"
    program.write_text(f"#!/bin/sh\ncat '{script.WORK}/lines'\n")
    os.chmod(program, 0o755)
    lines, well = script.race(program, quick=True)
    results = script.Results(lines)

assert well
assert results.fastest("saxpy", ("L1", 1)) == ("plain loops", 2.0), results.fastest("saxpy", ("L1", 1))
text = script.page(results, quick=False)
assert "2.00 × plain loops" in text and f"Measured on {results.machine['cores']} cores" in text, text
assert ("Other work ran" in text) == (results.machine["busy"] > 0.5)
assert "saxpy chain" in script.picture(results)
