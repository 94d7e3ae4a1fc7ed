#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu: its page says what was found, and without a GPU every stage says why it did not run.

    gpu_stages_test.py PROJECT"""
import json
import pathlib
import subprocess
import sys
import tempfile

root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root / "scripts/gpu_stages"))
sys.dont_write_bytecode = True
import page
import stages

FOUND = {"date": "2026-01-02", "stages": {
    "card": {"state": "ok", "gpu": {"name": "A GPU", "driver_version": "1.2"}, "built": {"nvcc": "nvcc 13", "commit": "abc"},
             "ceilings": [{"name": "copy/1024", "microseconds": 5.0, "GB/s": 3000.4}, {"name": "launches/graph:1", "microseconds": 0.7}]},
    "samplings": {"state": "ok", "works": {"default model, w4": {"seconds": {"step": 0.00028, "sample": 0.0071}}}},
    "products": {"state": "ok", "products": [
        {"name": "product/f32/2048->8192/rows:4/min_time:0.050", "microseconds": 20.0, "GB/s": 3300.0, "TFLOP/s": 1.0},
        {"name": "product/bf16/2048->8192/rows:4/min_time:0.050", "microseconds": 10.0, "GB/s": 3200.0, "TFLOP/s": 2.0},
        {"name": "product/bf16/2048->8192/rows:512/min_time:0.050", "microseconds": 50.0, "GB/s": 300.0, "TFLOP/s": 340.0}]},
    "peers": {"state": "skipped", "reason": "No module named 'torch'"}}}
WANTED = ("A GPU, driver 1.2", "| copies of 1 GiB | 3000 GB/s read and written |", "| the same in a CUDA graph | 0.70 µs |",
          "| default model, w4 | 0.28 | 7.1 | – |", "| 2048->8192 | 4 | 20.0 (3300 GB/s) | 10.0 (3200 GB/s) |",
          "| 2048->8192 | 512 | – | 50.0 (340 TFLOP/s) |", "| peers | skipped: No module named 'torch' |")

written = page.text(FOUND)
wrong = [f"the page lacks: {line}" for line in WANTED if line not in written]

if stages.Run(root, root).gpu() is None:
    print("there is a GPU; that its absence is reported is not tested")
else:
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "gpu.json")
        ran = subprocess.run([root / "scripts/gpu", "--out", out, "--page", pathlib.Path(folder, "page.md"),
                              "--stages", "card,tests,sanitizer,products,samplings,peers"], text=True, stdout=subprocess.PIPE)
        found = json.loads(out.read_text(encoding="utf-8"))["stages"]
        if ran.returncode != 3:
            wrong.append(f"exit code {ran.returncode} without a GPU, not 3")
        wrong += [f"{name} without a GPU: {s}" for name, s in found.items() if s["state"] != "skipped" or not s["reason"]]
        if len(found) != 6:
            wrong.append(f"stages without a GPU: {list(found)}")
        if pathlib.Path(folder, "page.md").exists():
            wrong.append("a page was written without a GPU")

print("\n".join(wrong))
sys.exit(1 if wrong else 0)
