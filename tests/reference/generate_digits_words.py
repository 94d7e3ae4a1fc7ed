# SPDX-License-Identifier: Apache-2.0
"""What diffusers draws from words with the digits model: hits of the named digit, ink, lean and width of 100 samples a prompt.

    python tests/reference/generate_digits_words.py      (torch, diffusers, transformers; 5 minutes)

Writes cases/digits_words.json from what examples/digits/sample.py prints, each prompt with seed 0, 25 steps and guidance 4.
"""
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE.parents[1] / "examples" / "digits" / "sample.py"
DIGITS = "zero one two three four five six seven eight nine".split()
STYLES = ["a bold handwritten {}", "a thin handwritten {}", "a wide handwritten {}", "a narrow handwritten {}",
          "a handwritten {} leaning left", "a handwritten {} leaning right"]
SAMPLES = 100

prompts = [f"a handwritten {d}" for d in DIGITS] + [s.format(d) for d in ("zero", "three", "seven") for s in STYLES]
found = {}
for n, prompt in enumerate(prompts, 1):
    out = subprocess.run([sys.executable, SCRIPT, "--samples", str(SAMPLES), prompt], check=True, capture_output=True, text=True).stdout
    m = re.search(r"(\d+)/\d+  ink ([\d.]+)  lean ([-+\d.]+)  width ([\d.]+)", out)
    found[prompt] = {"hits": int(m[1]), "ink": float(m[2]), "lean": float(m[3]), "width": float(m[4])}
    print(f"{n}/{len(prompts)} {prompt}: {found[prompt]}", flush=True)
(HERE / "cases" / "digits_words.json").write_text(json.dumps({"samples": SAMPLES, "prompts": found}, indent=1) + "\n")
