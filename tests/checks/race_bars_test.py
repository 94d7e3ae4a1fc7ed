#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of scripts/race, with figures that can be followed on paper: the fastest peer, the floor that the
machine's own ceilings set, and when a bar is reached."""
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import bars
import results
import works

# A model with one layer of width 1,000: a row takes 24e-9 * 1000^2 = 0.024 GFLOP.
CONFIG = dict(works.MODELS["karlo"].config, num_attention_heads=10, attention_head_dim=100, num_layers=1)


def bench(step=0.01, sample=1.0, gbytes=40.0, read=0.4, weights="f32", **other):
    """A step that reads 0.4 GB; the ceilings are 100 GFLOP/s and `gbytes` GB/s."""
    return {"weights": weights, "samples": 1, "asked_tokens": 12, "tokens": 12, "config": CONFIG,
            "seconds": {"step": step, "sample": sample, "forward_1": 0.1}, "of_floor": {"sample": 0.5},
            "gflops": {"forward_1": 80.0}, "gbytes_per_second": {"step": read / step},
            "ceilings": {"gflops": 100.0, "gbytes_per_second": gbytes}, "peak_memory_bytes": 1.02e9, "weight_bytes": 1e9} | other


def race(matches, flags=(), **data):
    rounds = lambda peer, ours: {"peer": {w: [s] for w, s in peer.items()}, "ours": ours}
    return results.Results({"machine": {"flags": list(flags)}, "models": {"karlo": {"matches": [
        {"peer": name, "agreement": {"ok": ok}, "rounds": [rounds(*r) for r in rs]} for name, ok, rs in matches]}}} | data)


def near(a, b): assert abs(a - b) < 1e-9 * max(1.0, abs(b)), (a, b)


assert [bars.seconds(s) for s in (123.4, 1.234, 0.01234, 0.0000123)] == ["123 s", "1.23 s", "12.3 ms", "12.3 µs"]

# ---- the peer with the smallest ratio in the match in which both ran; wrong, narrow and own ones do not count -------
# median 0.4: 4 times 0.1
r = race([("eager", True, [({"forward_1": 0.3}, [bench()]), ({"forward_1": 0.5}, [bench()])]),
          ("openvino", True, [({"forward_1": 0.2}, [bench()])]),
          ("wrong", False, [({"forward_1": 0.01}, [bench()])]),
          ("onnxruntime-int8", True, [({"forward_1": 0.01}, [bench()])]),
          ("incremental", True, [({"forward_1": 0.01}, [bench()])])])
assert r.peers("karlo") == ["eager", "openvino"], r.peers("karlo")
assert r.peers("karlo", "8 bit") == ["onnxruntime-int8"] and r.peers("karlo", "16 bit") == []
peer, theirs, ours, ratio = r.race("karlo", r.peers("karlo"), "forward_1", "forward_1")
assert peer == "openvino" and (theirs, ours) == (0.2, 0.1)
near(ratio, 2.0)
assert r.race("karlo", ["eager"], "forward_1", "forward_1")[1] == 0.4
# the lower of two
assert results.middle([3, 1, 2], lambda x: x) == 2 and results.middle([4, 1, 2, 3], lambda x: x) == 2

# ---- the floor: rows / computing + 25 steps of the longer of reading and computing ----
# 12 + 1 live rows, 2 + 1 of the unconditional prompt and 50 time rows: 0.024 GFLOP each at 100 GFLOP/s. A step reads
# 0.4 GB at 40 GB/s, which takes 0.01 s, and computes 4 rows in 0.00096 s.
assert works.STEPS == 25 and works.UNCONDITIONAL == 2
low, share, words = r.floor("karlo", "sample")
rows = 12 + 1 + 2 + 1 + 50
near(low, rows * 0.024 / 100 + 25 * 0.01)
near(share, low / 1.0)
assert f"{rows} rows" in words and "25 × max" in words, words

# ---- classes: our fastest format compared with the fastest peer ----
narrow = race([("eager-bf16", True, [({"forward_1": 0.3}, [bench(weights="bf16"), bench(weights="bf16a16", seconds={"forward_1": 0.05})])]),
               ("openvino", True, [({"forward_1": 0.01}, [bench()])])])
v = bars.forward_bar(narrow, "t", 5.9, "karlo", kind="16 bit")
assert v.reached and v.work == "t (bf16a16)" and v.ratio == "6.00 ×" and v.peer == "eager-bf16 300 ms", v
assert bars.forward_bar(narrow, "t", 1, "karlo", kind="8 bit") is None
of = lambda weights, sample: bench(weights=weights, sample=sample)
fours = lambda s: race([("eager", True, [({}, [of("w8a8", 1.0), of("w4a8", s)])])])
assert bars.w4a8_bar(fours(0.62)).reached and not bars.w4a8_bar(fours(0.63)).reached
share = lambda s: bars.floor_bar(race([("eager", True, [({}, [of("w8", s)])])]), "w8", 0.88).reached
assert share(low / 0.881) and not share(low / 0.879) and bars.floor_bar(race([]), "w8", 0.88) is None

# ---- other work, and the spread of the rounds ----
assert race([], busy=[0.1, 0.9, 0.2]).other_work() == (0.2, 0.9) and race([], busy=[]).other_work() == (0.0, 0.0)
apart = race([("eager", True, [({"forward_1": 1.0}, []), ({"forward_1": 1.2}, []), ({"forward_1": 1.1}, [])])]).spread()
near(apart[0], 0.2 / 1.1)
assert race([]).spread() is None

# ---- when a bar is reached ----
near(low, 0.26584)
reached = lambda theirs, mine, bar: bars.image_bar(
    race([("eager", True, [({"guided_12": theirs / 25}, [bench(sample=mine)])])]), "t", bar)
v = reached(2.0, 0.4, 5)  # 5 times; 88 % of the floor's speed would be 6.6 times
assert v.reached and v.bar == "5 ×" and v.ratio == "5.00 ×", v
assert not reached(2.0, 0.41, 5).reached
v = reached(2.0, 0.30, 7)  # 7 times is impossible; 0.26584 / 0.30 is 88.6 % of the floor's speed
assert v.reached and v.bar == "7 ×, here 88% of the floor's speed", v
assert not reached(2.0, 0.31, 7).reached  # 85.8 %
assert bars.image_bar(race([]), "t", 5, peers=[]) is None  # nothing raced, no row

# 8 GFLOP in 0.1 s, 80 % of 100 GFLOP/s; 2 times the peer's speed
f = lambda bar, fma: bars.forward_bar(r, "t", bar, "karlo", fma)
assert f(2, None).reached and not f(2.01, None).reached and f(2, 0.79).reached and not f(2, 0.81).reached
assert bars.share_bar("t", 0.9, 36.0, 40.0, "GB/s", "x").reached and not bars.share_bar("t", 0.9, 35.9, 40.0, "GB/s", "x").reached
assert bars.step_bar(r).reached  # 0.4 GB in 0.01 s, all of 40 GB/s
assert not bars.step_bar(race([("eager", True, [({}, [bench(step=0.0112)])])])).reached  # 89 %
assert bars.memory_bar(r).reached  # 2 % over the weights
assert not bars.memory_bar(race([("eager", True, [({}, [bench(peak_memory_bytes=1.031e9)])])])).reached
assert bars.start_bar(race([], start_to_ready=0.099)).reached and not bars.start_bar(race([], start_to_ready=0.1)).reached
assert bars.start_bar(race([])) is None
wide = lambda *shares: bars.contraction_bar(race([], wide_contraction={str(i): {"gflops": 100 * s, "of_fma": s} for i, s in enumerate(shares)}))
assert wide(0.93, 0.99).reached and not wide(0.92, 0.99).reached  # the slowest counts
