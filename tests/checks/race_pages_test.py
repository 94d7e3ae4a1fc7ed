#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages of scripts/race, from made-up figures: each number is on its page."""
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import picture
import report
import results
import works


def bench(weights="f32", tokens=12, samples=1):
    return {"weights": weights, "samples": samples, "asked_tokens": tokens, "tokens": tokens, "config": works.MODELS["karlo"].config,
            "seconds": {"forward_1": 0.8, "forward_2": 1.6, "step": 0.14, "sample": 4.0, "sample_kept": 3.8},
            "of_floor": {"sample": 0.8, "sample_kept": 0.8}, "gflops": {"forward_1": 198.0, "forward_2": 198.0},
            "gbytes_per_second": {"step": 30.0}, "ceilings": {"gflops": 230.0, "gbytes_per_second": 40.0},
            "peak_memory_bytes": 4134000000, "weight_bytes": 4088000000}


def match(peer, seconds, ours, ok=True):
    return {"peer": peer, "settings": ["threads 2", f"{peer}'s own"], "rounds": [{"peer": {w: [s] for w, s in seconds.items()}, "ours": ours}],
            "agreement": {"ok": ok, "error": 1e-5, "largest": 3.6, "cases": ["one"]}}


data = {"options": {"threads": 2, "rounds": 1, "quick": False}, "busy": [0.1, 0.2, 0.0], "versions": {"python": "3"},
        "machine": {"cpu": "A processor", "cores": 2, "flags": ["avx2"], "memory_gb": 1.0, "system": "Linux"},
        "models": {"karlo": {"formats": {}, "matches": [
            match("openvino", {"forward_1": 1.2, "forward_2": 2.0, "guided_12": 2.0}, [bench()]),
            match("compile", {"forward_1": 0.1, "guided_12": 0.1}, [bench()], ok=False),
            match("eager", {"forward_1": 2.0, "forward_2": 3.0, "guided_12": 3.2}, [bench(), bench(tokens=77)]),
            match("eager-bf16", {"forward_1": 0.9, "guided_12": 1.0}, [bench("bf16a16") | {"seconds": {"forward_1": 0.5, "step": 0.1, "sample": 2.0}}]),
            match("incremental", {"sample_12": 16.0}, [bench()])]}}}
figures = report.figures(results.Results(data))
page, appendix = report.page(figures, "images/performance.svg"), report.appendix(figures)

assert "| one forward, 77 live tokens, f32 | 800 ms | 1.20 s, OpenVINO | 1.50 × |" in page, page
assert "| 25 guided steps, 12-token prompt, f32 | 4.00 s | 50.0 s, OpenVINO | 12.50 × |" in page, page
assert "80.0 s" in page and "16.0 s" in page and "a factor of 5.0" in page and "another factor of 4.0" in page, page
assert "Measured on 2 cores: A processor, avx2, 1.0 GB, Linux." in page and "**" not in page.split("## What")[0], page
assert "Not reached: 25 guided steps, 12-token prompt, f32" in page, page  # below its bar and its share of the floor
assert "](performance-appendix.md)" in page and "](performance.md)" in appendix
assert "| 25 guided steps, 12-token prompt, f32 | 14 ×, here 88% of the floor's speed | 4.00 s | openvino 50.0 s | 12.50 × |" in appendix, appendix
# a peer with other numbers does not count
assert "**too far: left out**" in appendix and "torch.compile" not in page, appendix
assert "- OpenVINO: threads 2; openvino's own" in appendix, appendix
assert "80.0 s" in picture.svg(results.Results(data))
assert "| one forward, 77 live tokens, 16 bit (bf16a16) | 500 ms | 900 ms, torch eager, bfloat16 | 1.80 × |" in page, page
assert "| cores that other work kept busy between matches | 0.10, 0.20 at most |" in appendix, appendix
busy = report.page(report.figures(results.Results(data | {"busy": [0.2, 0.9, 1.0]})), "p")
assert "**Other work kept 0.9 cores of this machine busy.**" in busy, busy
assert "no vector extensions" in report.page(report.figures(results.Results(data | {"machine": data["machine"] | {"flags": []}})), "p")
