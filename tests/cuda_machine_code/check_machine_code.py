#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the compiler made of the kernels what they are written for.

    check_machine_code.py OBJECT VENV

OBJECT is what nvcc made of kernels.cu, for one or more architectures. Disassembles it with cuobjdump and nvdisasm from PATH, or
from PyPI, installed into the virtual environment VENV. For every architecture:
  products in narrow formats  use tensor cores (HMMA) and copy 16 bytes a lane ahead (LDGSTS.128); those of up to 8 rows have at most
                              128 registers, so that two blocks share a multiprocessor
  products in float32         use none, and read four floats at once (LDG.128 of few rows, LDS.128 of many)
  all of them                 keep nothing in local memory
Exits 1 when something does not hold, and 77 where there is no disassembler.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

NARROW = re.compile(r"14tensor_productINS0_12tensor_shapeILi(\d+)E")


def tools(venv):
    """An environment in which cuobjdump and nvdisasm are found, or None."""
    env = dict(os.environ)
    if shutil.which("cuobjdump") and shutil.which("nvdisasm"):
        return env
    found = list(venv.glob("lib/*/site-packages/nvidia/*/bin/nvdisasm"))
    if not found:
        for command in ([sys.executable, "-m", "venv", venv],
                        [venv / "bin/pip", "install", "-q", "nvidia-cuda-cuobjdump", "nvidia-cuda-nvdisasm"]):
            if subprocess.run(command, stdin=subprocess.DEVNULL).returncode != 0:
                return None
        found = list(venv.glob("lib/*/site-packages/nvidia/*/bin/nvdisasm"))
    if not found:
        return None
    env["PATH"] = f"{found[0].parent}{os.pathsep}{env['PATH']}"
    return env


def kernels(text, header):
    """(architecture, kernel, text) for each kernel in cuobjdump's output."""
    arch = ""
    for part in re.split(rf"(?=^\s*{header})|(?=^arch = )", text, flags=re.M):
        if m := re.match(r"arch = (\S+)", part):
            arch = m[1]
        elif m := re.match(rf"\s*{header}\s*:?\s*(\S+)", part):
            yield arch, m[1].rstrip(":"), part


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    env = tools(pathlib.Path(sys.argv[2]))
    if env is None:
        print("skipped: cuobjdump and nvdisasm are neither installed nor can they be had from PyPI")
        return 77

    def dump(flag):
        return subprocess.run(["cuobjdump", flag, sys.argv[1]], env=env, text=True, check=True, stdout=subprocess.PIPE).stdout

    registers = {(arch, kernel): int(re.search(r"REG:(\d+)", text)[1])
                 for arch, kernel, text in kernels(dump("-res-usage"), "Function") if "REG:" in text}
    wrong, seen = [], {}
    for arch, kernel, code in kernels(dump("-sass"), "Function"):
        def expect(holds, what):
            if not holds:
                wrong.append(f"{arch} {kernel}: {what}")

        narrow = NARROW.search(kernel)
        kind = "narrow" if narrow else "few_rows" if "8few_rows" in kernel else "many_rows" if "9many_rows" in kernel else None
        if kind is None:
            continue
        seen[arch, kind] = seen.get((arch, kind), 0) + 1
        expect(not re.search(r"\b(LDL|STL)\b", code), "keeps something in local memory")
        expect(("HMMA" in code) == bool(narrow), "uses no tensor cores" if narrow else "uses tensor cores")
        if narrow:
            expect(re.search(r"LDGSTS\S*\.128", code), "copies less than 16 bytes at once")
            if narrow[1] == "1":
                expect(registers[arch, kernel] <= 128, f"takes {registers[arch, kernel]} registers; two blocks need 128 or fewer")
        elif kind == "few_rows":
            expect(re.search(r"LDG\S*\.128", code), "reads less than four floats at once")
        else:
            expect(re.search(r"LDS\S*\.128", code), "reads less than four floats at once")
    for arch in sorted({arch for arch, _ in seen}):
        for kind, least in {"narrow": 20, "few_rows": 5, "many_rows": 2}.items():
            print(f"{arch}: {seen.get((arch, kind), 0)} kernels of the kind {kind}")
            if seen.get((arch, kind), 0) < least:
                wrong.append(f"{arch}: {least} kernels of the kind {kind} were expected")
    if not seen:
        wrong.append("there is no kernel in it")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
