# SPDX-License-Identifier: Apache-2.0
"""Checks what scripts/race reads from a built program: race_program_test.py RACE_PEERS PROGRAM FORMATS"""
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from program import Program  # noqa: E402

found, wanted = Program(sys.argv[2], 1), sys.argv[3].split(";")
assert found.chooses and found.packs, "bench --weights, or pack, is not found"
assert sorted(found.formats) == sorted(wanted), f"formats {found.formats}, built with {wanted}"
