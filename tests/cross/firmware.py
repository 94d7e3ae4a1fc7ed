#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs examples/firmware on emulated boards and checks the claims of docs/embedded.md: the digit, its numbers, sizes,
and no heap.

    firmware.py RUN BUILD_DIR
"""
import pathlib
import re
import struct
import subprocess
import sys

KIB = 1024
SAMPLING = 64 * KIB  # code and constants
# the C library of M4 has larger functions
FORWARD = {"m4 1": 49 * KIB, "m7 1": 48 * KIB, "m55 1": 48 * KIB, "m55 4": 51 * KIB}
INSTRUCTIONS = 205  # millions, of a sampling without guidance in f32
HELIUM = {"f32": 95, "w8a8": 60}  # the same with registers of four floats
W4_FIRMWARE = 650_000  # with weights and prompts
RAM = 64 * KIB
HEAP = re.compile(r"\b(_?malloc(_r)?|_?free(_r)?|_?calloc(_r)?|_?realloc(_r)?|_sbrk(_r)?|_Zn[wa]\w*|_Zd[la]\w*)$")

failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def floats(text):
    """The embedding's numbers from their bits."""
    line = next(line for line in text.splitlines() if line.startswith("embedding:"))
    return [struct.unpack("<f", struct.pack("<I", int(bits)))[0] for bits in line.split()[1:]]


class Board:
    """The output of a board, and the files that were built for it."""

    def __init__(self, run, build, core, weights, guidance, lanes=1):
        self.name = f"{core}, {weights}, guidance {guidance}, lanes {lanes}"
        kind = f"{weights}_{lanes}"
        done = subprocess.run([run, core, "--weights", weights, "--guidance", str(guidance), "--lanes", str(lanes), "--build", str(build)],
                              capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr, sep="")
        if done.returncode != 0:
            sys.exit(f"{self.name}: run ended with {done.returncode}")
        self.digits, self.forward = done.stdout.split("==== forward")
        self.embedding = floats(self.digits)
        expected = floats((build / f"files_{kind}" / "embedding.txt").read_text())
        self.error = max(abs(a - b) for a, b in zip(self.embedding, expected, strict=True))
        print(f"largest difference from this machine's embedding: {self.error:.3g}")
        expect("nearest to the mean embedding of: 3" in self.digits, f"{self.name}: not a three")
        for program, most in (("digits", SAMPLING), ("forward", FORWARD[f"{core} {lanes}"])):
            text = getattr(self, program)
            code = self.number(text, "code and constants")
            expect(code <= most, f"{self.name}: {program} has {code} bytes of code and constants, above {most}")
            symbols = subprocess.run(["arm-none-eabi-nm", build / f"{core}_{kind}" / f"{program}.elf"],
                                     capture_output=True, text=True, check=True).stdout
            heap = [line for line in symbols.splitlines() if HEAP.search(line)]
            expect(" main" in symbols and not heap, f"{self.name}: {program} has a heap: {heap}")
        ram = self.number(self.digits, "static RAM") + self.number(self.digits, "stack bytes")
        expect(ram <= RAM, f"{self.name}: {ram} bytes of RAM, above {RAM}")

    @staticmethod
    def number(text, what):
        return float(re.search(rf"^{what}: ([0-9.]+)", text, re.MULTILINE)[1])


def main():
    run, build = sys.argv[1], pathlib.Path(sys.argv[2])
    m7 = Board(run, build / "plain", "m7", "f32", 1)
    m55 = Board(run, build / "plain", "m55", "f32", 1)
    expect(max(m7.error, m55.error) <= 1.7e-6, "f32: further than 1.7e-6 from this machine")
    expect(m7.embedding == m55.embedding, "M7 and M55 differ")
    helium = Board(run, build / "plain", "m55", "f32", 1, lanes=4)
    expect(helium.error <= 1.7e-6, "f32 by Helium: further than 1.7e-6 from this machine")
    w8a8 = Board(run, build / "plain", "m55", "w8a8", 1, lanes=4)
    expect(w8a8.error <= 0.05, "w8a8 by Helium: further than 0.05 from this machine")
    for board, most in ((m7, INSTRUCTIONS), (m55, INSTRUCTIONS), (helium, HELIUM["f32"]), (w8a8, HELIUM["w8a8"])):
        count = board.number(board.digits, "instructions")
        expect(count <= most, f"{board.name}: {count} million instructions, above {most}")
    m4 = Board(run, build / "guided", "m4", "w4", 4)
    expect(m4.error <= 2e-5, "w4 under guidance: further than 2e-5 from this machine")
    whole = m4.number(m4.digits, "code and constants") + m4.number(m4.digits, "model")
    expect(whole <= W4_FIRMWARE, f"w4: {whole} bytes with weights and prompts, above {W4_FIRMWARE}")
    sys.exit(1 if failures else 0)


main()
