# SPDX-License-Identifier: Apache-2.0
"""The bars that apriori has to reach, one line for each, with the figures of this run."""
from dataclasses import dataclass

from results import median, middle
from works import FORMATS, IMAGES, STEPS


@dataclass
class Verdict:
    """One row of the table."""
    work: str
    bar: str
    ours: str
    peer: str = ""
    ratio: str = ""
    floor: str = ""
    reached: bool | None = None
    arithmetic: str = ""


def seconds(s):
    """Three digits and a unit."""
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if s * factor >= 1: break
    n = s * factor
    return f"{n:.{0 if n >= 100 else 1 if n >= 10 else 2}f} {unit}"


def floor_bar(results, weights, share):
    """A complete sampling in a format, as a share of its floor's speed."""
    mine, floor = results.our_seconds("karlo", "sample", weights=weights), results.floor("karlo", "sample", weights=weights)
    if mine is None or floor is None: return None
    return Verdict(f"{STEPS} guided steps, 12-token prompt, {weights}", f"{share:.0%} of the floor's speed", seconds(mine),
                   floor=f"{seconds(floor[0])}, {floor[1]:.0%}", reached=floor[1] >= share, arithmetic=f"{weights}: floor {floor[2]}")


def w4a8_bar(results, most=0.62):
    fours, eights = (results.our_seconds("karlo", "sample", weights=f) for f in ("w4a8", "w8a8"))
    if fours is None or eights is None: return None
    return Verdict(f"{STEPS} guided steps, 12-token prompt, w4a8", f"{most:g} of w8a8's time", seconds(fours),
                   floor=f"{fours / eights:.2f} of {seconds(eights)}", reached=fours <= most * eights)


def image_bar(results, title, bar, model="karlo", peers=None, peer_work="sample_12", work="sample", times=1, share=0.88, formats=("f32",), **kind):
    """Guided sampling: a ratio to the fastest peer, or the share of the floor if the run's ceilings make the ratio
    impossible."""
    peers = results.peers(model) if peers is None else peers
    best = None
    for f in formats:
        raced = results.race(model, peers, peer_work, work, times, weights=f, **kind)
        if raced and (best is None or raced[3] > best[1][3]): best = (f, raced)
    if best is None: return None
    weights, (peer, theirs, mine, ratio) = best
    floor = results.floor(model, work, weights=weights, **kind)
    if floor is None: return None
    lowest, reached_share, words = floor
    # even this share of the floor's speed is below the ratio: then the share is the bar
    forbidden = share * theirs / lowest < bar
    note = f"{title}: floor {words}"
    note += f"; {share:.0%} of its speed would be {share * theirs / lowest:.1f} ×, below the bar: so {share:.0%} is the bar" if forbidden else ""
    return Verdict(title + (f" ({weights})" if len(formats) > 1 else ""),
                   f"{bar:g} ×" + (f", here {share:.0%} of the floor's speed" if forbidden else ""), seconds(mine),
                   f"{peer} {seconds(theirs)}", f"{ratio:.2f} ×", f"{seconds(lowest)}, {reached_share:.0%}",
                   reached_share >= share if forbidden else ratio >= bar, note)


def formats_of(kind):
    return tuple(f for f, k in FORMATS.items() if k == kind)


def forward_bar(results, title, bar, model, share_of_fma=None, kind="float32"):
    """A forward of one row, in the fastest format of a class, compared with the fastest peer of the class."""
    raced = {f: results.race(model, results.peers(model, kind), "forward_1", "forward_1", weights=f) for f in formats_of(kind)}
    raced = {f: r for f, r in raced.items() if r}
    if not raced: return None
    weights = max(raced, key=lambda f: raced[f][3])
    peer, theirs, mine, ratio = raced[weights]
    lowest, share, words = results.forward_floor(model, weights)
    reached = ratio >= bar and (share_of_fma is None or share >= share_of_fma)
    return Verdict(title + (f" ({weights})" if len(formats_of(kind)) > 1 else ""), f"{bar:g} ×" + (f", {share_of_fma:.0%} of FMA" if share_of_fma else ""), seconds(mine),
                   f"{peer} {seconds(theirs)}", f"{ratio:.2f} ×", f"{seconds(lowest)}, {share:.0%}", reached, f"{title}: floor {words}")


def share_bar(title, bar, measured, ceiling, unit, what):
    return Verdict(title, f"{bar:.0%} of {what}", f"{measured:.1f} {unit}", floor=f"{measured / ceiling:.0%} of {ceiling:.1f} {unit}",
                   reached=measured >= bar * ceiling)


def step_bar(results):
    benches = results.ours("karlo")
    if not benches: return None
    o = middle(benches, lambda o: o["gbytes_per_second"]["step"] / o["ceilings"]["gbytes_per_second"])
    return share_bar("a step, f32 weights", 0.90, o["gbytes_per_second"]["step"], o["ceilings"]["gbytes_per_second"], "GB/s",
                     f"the read bandwidth, the median of {len(benches)} runs")


def contraction_bar(results):
    wide = results.data.get("wide_contraction")
    if not wide: return None
    least = min(wide.values(), key=lambda w: w["of_fma"])
    return share_bar("wide contraction, 162 rows, 2048 × 8192, one thread", 0.93, least["gflops"], least["gflops"] / least["of_fma"],
                     "GFLOP/s", "the FMA ceiling")


def memory_bar(results):
    benches = results.ours("karlo")
    if not benches: return None
    peak, weights = median(o["peak_memory_bytes"] for o in benches), benches[0]["weight_bytes"]
    return Verdict("peak memory of sampling", "weights + 3 %", f"{peak / 1e9:.3f} GB", floor=f"weights {weights / 1e9:.3f} GB, {peak / weights - 1:+.1%}",
                   reached=peak <= 1.03 * weights)


def start_bar(results):
    s = results.data.get("start_to_ready")
    return s and Verdict("start to ready, packed file", "under 100 ms", seconds(s), reached=s < 0.1)


def verdicts(results):
    """Every bar for which this run has figures, in the order of the table."""
    of = lambda *a, **k: image_bar(results, *a, **k)
    flags = results.data["machine"]["flags"]
    amx = "amx_bf16" in flags
    prompt = f"{STEPS} guided steps, 12-token prompt"
    in_class = lambda kind, **k: dict(formats=formats_of(kind), peers=results.peers("karlo", kind), **k)
    rows = [
        forward_bar(results, "one forward, 77 live tokens, f32", 1.1, "karlo"),
        forward_bar(results, "one forward, 77 live tokens, 16 bit", 1.6 if amx else 1.3, "karlo", kind="16 bit"),
        forward_bar(results, "one forward, 77 live tokens, 8 bit", 1.3, "karlo", kind="8 bit"),
        of(f"{prompt}, f32", 14),
        of(f"{prompt}, unconditional kv cache kept, f32", 16, work="sample_kept"),
        of(f"{prompt}, 16 bit", 10, **in_class("16 bit", share=0.93)),
        of(f"{prompt}, 8 bit", 20, **in_class("8 bit", share=0.93)),
        of(f"{STEPS} guided steps, 77 live tokens, f32", 11, peer_work="sample_77", tokens=77),
        of(f"{IMAGES} images of one prompt, {STEPS} steps, f32", 34, peer_work="guided_images", times=STEPS, samples=IMAGES),
        of(f"{IMAGES} images of one prompt, {STEPS} steps, 16 bit", 40, **in_class("16 bit", peer_work="guided_images", times=STEPS, samples=IMAGES)),
        floor_bar(results, "w8", 0.88),
        floor_bar(results, "w4", 0.88),
        w4a8_bar(results),
        step_bar(results),
        contraction_bar(results),
        forward_bar(results, "Shap-E, a forward, 1,026 tokens, f32", 1, "shap_e", share_of_fma=0.90),
        forward_bar(results, "Shap-E, a forward, 1,026 tokens, 16 bit", 1.5 if amx else 1.3, "shap_e", kind="16 bit"),
        of(f"digits, {STEPS} guided steps, f32, against diffusers", 20, model="digits", peers=["eager"]),
        memory_bar(results),
        start_bar(results),
    ]
    return [r for r in rows if r]
