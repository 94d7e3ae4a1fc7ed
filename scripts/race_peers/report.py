# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md, for readers, and docs/performance-appendix.md, with every number, from the results of the
race."""
import dataclasses, os, pathlib

import bars
from bars import seconds
from program import LOOSE
from results import NOT_PEERS, median
from works import IMAGES, MODELS, STEPS

TITLES = {"eager": "torch eager (diffusers)", "compile": "torch.compile", "onnxruntime": "ONNX Runtime",
          "onnxruntime-int8": "ONNX Runtime, dynamic int8", "openvino": "OpenVINO", "incremental": "our algorithm in torch",
          "openvino-int8": "OpenVINO int8 (NNCF)", "openvino-w8": "OpenVINO, int8 weights (NNCF)",
          "eager-bf16": "torch eager, bfloat16", "compile-bf16": "torch.compile, bfloat16", "openvino-bf16": "OpenVINO, bfloat16"}
QUIET = 0.5  # the most cores that other work may keep busy for a published page


def write(path, text):
    """Writes a file that appears complete or not at all."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def table(head, rows):
    line = lambda cells: "| " + " | ".join(str(c) for c in cells) + " |"
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)]) + "\n"


def shown(s):
    return "–" if s is None else seconds(s)


def contestant_table(results, model):
    """The seconds of every contestant: its measurements, and samplings that were run or computed from one step."""
    works, ours = MODELS[model].works, []
    for weights in bars_formats(results, model):
        of = lambda work, **k: results.our_seconds(model, work, weights=weights, **k)
        ours.append([f"apriori, {weights}"] + [shown({
            "forward_1": lambda: of("forward_1"), "forward_2": lambda: of("forward_2"), "guided_12": lambda: of("step"),
            "guided_images": lambda: of("step", samples=IMAGES), "sample_12": lambda: of("sample"),
            "sample_77": lambda: of("sample", tokens=77)}[w]()) for w in works] + ["–"])
    rows = []
    for m in results.data["models"][model]["matches"]:
        if any(r[0] == TITLES[m["peer"]] for r in rows): continue
        first = lambda work: median(s for _, s in results.peer_seconds(model, m["peer"], work))
        error = f"{m['agreement']['error']:.1e} of {m['agreement']['largest']:.3g}" + ("" if m["agreement"]["ok"] else ", **too far: left out**")
        rows.append([TITLES[m["peer"]]] + [shown(first(w)) for w in works] + [error])
    return table(["", *(w.title for w in works.values()), "largest difference from ours in f32"], ours + rows)


def bars_formats(results, model):
    found = {o["weights"] for o in results.every_bench(model)}
    return [f for f in ("f32", *LOOSE) if f in found]


def format_table(results):
    rows = []
    for f in bars_formats(results, "karlo"):
        benches = results.ours("karlo", f)
        if not benches: continue
        floor, mine = results.floor("karlo", "sample", weights=f), results.our_seconds("karlo", "sample", weights=f)
        error = results.data["models"]["karlo"].get("formats", {}).get(f)
        rows.append([f, f"{benches[0]['weight_bytes'] / 1e9:.3f} GB", shown(results.our_seconds("karlo", "step", weights=f)), shown(mine),
                     f"{floor[1]:.0%}" if floor else "–", f"{error['error']:.1e} of {error['largest']:.3g}" if error else "–"])
    return table(["weights", "packed", "step", f"{STEPS} steps", "of the floor", "largest error of a forward, synthetic weights"], rows)


def split_of(results):
    """(torch as diffusers runs the model, torch with our algorithm, ours) in seconds: the shares of algorithm and
    kernels."""
    slow = median(s for _, s in results.peer_seconds("karlo", "eager", "sample_12"))
    torch = median(s for m in NOT_PEERS for _, s in results.peer_seconds("karlo", m, "sample_12"))
    mine = results.our_seconds("karlo", "sample")
    return None if None in (slow, torch, mine) else (slow, torch, mine)


@dataclasses.dataclass
class Figures:
    """The numbers and tables of the two pages, without their text."""
    machine: dict                # from machine.py
    threads: int
    rounds: int
    quick: bool
    busy: tuple                  # cores that other work kept busy: median, largest
    spread: tuple | None         # of the rounds: median, largest
    versions: str
    ceilings: str
    verdicts: list               # from bars.py
    over: list                   # peers above the measured ceiling
    split: tuple | None          # from split_of
    contestants: dict            # model -> table
    formats: str                 # table
    settings: dict               # peer -> its settings


def figures(results):
    d, (limit, highest) = results.data, results.ceilings()
    told = {}
    for model in d["models"].values():
        for match in model["matches"]: told.setdefault(match["peer"], "; ".join(match["settings"]))
    return Figures(
        d["machine"], d["options"]["threads"], d["options"]["rounds"], d["options"]["quick"], results.other_work(), results.spread(),
        ", ".join(f"{k} {v}" for k, v in d["versions"].items()),
        f"{limit['gflops']:.1f} GFLOP/s of float32 multiply-adds, {limit['gbytes_per_second']:.1f} GB/s of reading as much as the default "
        f"model's float32 weights (each the best of a run, and of these the median; the highest: {highest['gflops']:.1f} and {highest['gbytes_per_second']:.1f})",
        bars.verdicts(results), results.over_ceiling(), split_of(results), {name: contestant_table(results, name) for name in d["models"]},
        format_table(results) if "karlo" in d["models"] else "", told)


def joined(text):
    """Paragraphs with a blank line between them; items of a list without."""
    return "\n".join(t.rstrip("\n") + ("" if t.startswith("- ") else "\n") for t in text if t)


def warnings(f):
    """Warnings that a reader needs before trusting a number."""
    return ["**A quick run: models of two layers, one round. Its numbers only show that the race itself works.**\n" if f.quick else "",
            f"**Other work kept {f.busy[0]:.1f} cores of this machine busy.**\n" if f.busy[0] > QUIET else ""]


def peer_of(verdict):
    """"openvino 1.06 s", with the name that readers know."""
    name, _, time = verdict.peer.partition(" ")
    return f"{time}, {TITLES[name]}"


def page(f, picture):
    """docs/performance.md: what was raced, one picture, one table, their meaning, and how to run it."""
    m = f.machine
    missed = [v for v in f.verdicts if v.reached is False]
    text = ["# Performance\n",
            "How long apriori takes beside torch (as diffusers runs it, and compiled), ONNX Runtime and OpenVINO. All contestants run the same "
            "models with the same synthetic weights on the same cores, in turn: float32 against float32, 16 bit against 16 bit, 8 bit against "
            "8 bit. Their results are compared with ours in float32 first; a peer that differs is left out.\n",
            f"Most rows are the work of unCLIP sampling: {STEPS} guided steps of the default model (Karlo, Kandinsky 2.1, Stable unCLIP; a billion "
            "parameters) for one image. The peers compute the whole sequence in every step. apriori computes what a prompt fixes once and two "
            "rows for each branch in a step ([Sampling](sampling.md)), with the same numbers within rounding.\n",
            f"Measured on {f.threads} cores: {m['cpu']}, {', '.join(m['flags']) or 'no vector extensions'}, {m['memory_gb']} GB, {m['system']}.\n",
            *warnings(f),
            f"![seconds of {STEPS} guided steps]({picture})\n",
            table(["work", "apriori", "closest peer", "ratio"], [[v.work, v.ours, peer_of(v), v.ratio] for v in f.verdicts if v.peer]),
            "A ratio is the peer's time divided by ours, from the match in which both ran in turn, so our time differs a little between rows. The closest "
            f"peer is the one with the smallest ratio. The large models' peers were timed on one guided step, which is multiplied by {STEPS}; ours are "
            "whole samplings.\n",
            "## What it means\n"]
    if f.split:
        slow, torch, mine = f.split
        text.append(f"- **The algorithm and the kernels each contribute.** torch takes {seconds(slow)} for {STEPS} guided steps of a 12-token prompt as "
                    f"diffusers runs the model, and {seconds(torch)} with our algorithm written in torch: a factor of {slow / torch:.1f}. Our kernels "
                    f"are another factor of {torch / mine:.1f}.\n")
    text += ["- **A single forward shows the kernels alone.** It computes all tokens, in apriori as in the peers.\n",
             "- **For one image a step mostly reads weights, so narrow weights are faster.** w8a8 also multiplies bytes. Narrow weights change the "
             "numbers: [Weights](weights.md#formats) says how much.\n",
             "- **There is a limit.** The [appendix](performance-appendix.md) has a floor for each row: the time that its arithmetic and its memory "
             "reads take at the speeds measured on this machine.\n"]
    if missed:
        text.append(f"- **Not every goal is reached.** We set {len(f.verdicts)} bars and reach {sum(v.reached is True for v in f.verdicts)}; the appendix has "
                    f"the figures. Not reached: {'; '.join(v.work for v in missed)}.\n")
    text += ["\n## Run it\n", "    scripts/race            # on a quiet machine: writes this page, its appendix and the picture\n"
             "    scripts/race --quick    # models of two layers, one round: does the race work here?\n",
             "`scripts/race` installs the peers in a virtual environment under `build/race`; `scripts/race --help` lists its options. To time your own "
             "configuration without peers, use [`apriori bench`](command-line.md#apriori-bench).\n",
             "Bars, floors, all contestants and their settings are in [the appendix](performance-appendix.md).\n"]
    return joined(text)


def appendix(f):
    """docs/performance-appendix.md: every number, and how it was obtained."""
    m, say = f.machine, {True: "yes", False: "**no**", None: ""}
    text = ["# Performance: the numbers\n",
            "`scripts/race` writes this page together with [Performance](performance.md), which has the summary. A sampling is guided: two "
            "branches, 4 rows a step.\n",
            table(["", ""], [["processor", m["cpu"]], ["cores used", f.threads], ["instruction sets", ", ".join(m["flags"]) or "–"],
                             ["memory", f"{m['memory_gb']} GB"], ["system", m["system"]], ["ceilings, measured beside every run of ours", f.ceilings],
                             ["rounds", f.rounds], ["cores that other work kept busy between matches", f"{f.busy[0]:.2f}, {f.busy[1]:.2f} at most"],
                             ["spread of the rounds, of their median", f"{f.spread[0]:.0%}, {f.spread[1]:.0%} at most" if f.spread else "–"],
                             ["versions", f.versions]]),
            *warnings(f),
            "## The bars\n",
            "A ratio is the time of a peer of the same precision (float32, 16 bit, 8 bit) divided by ours, from the match in which both ran in turn; the closest peer has the smallest. Where a peer was timed on one guided step "
            f"only, its sampling is {STEPS} times that. The floor is the time that the arithmetic and the memory reads take at the best readings of the ceilings in the same "
            "run. Where a run's own ceilings make a bar impossible, a share of the floor's speed is the bar instead; the arithmetic is "
            "below the table.\n",
            table(["work", "bar", "ours", "closest peer", "ratio", "floor, and the share of it", "reached"],
                  [[v.work, v.bar, v.ours, v.peer, v.ratio, v.floor, say[v.reached]] for v in f.verdicts])]
    text += [f"- {v.arithmetic}\n" for v in f.verdicts if v.arithmetic]
    text.append("- The floor of a format counts the products that it is made of, at the best reading of the run: float32 multiply-adds, products of "
                "bytes, or tiles of a matrix unit.\n")
    text += [f"- **over the measured ceiling: {line}**\n" for line in f.over]
    if not f.over: text.append("- No peer exceeds the measured ceiling.\n")
    for name, contestants in f.contestants.items():
        text += [f"\n## All contestants: {MODELS[name].title}\n", contestants]
        if name == "karlo":
            text += [f"A peer's sampling is {STEPS} times one guided step of the peer, without the scheduler. Ours, and our algorithm in torch, are whole "
                     "samplings. The peers' steps do not depend on the number of live tokens.\n", "\n## Weight formats\n", f.formats]
    text.append("\n## Settings of the peers\n")
    text += [f"- {TITLES[name]}: {s}\n" for name, s in f.settings.items()]
    return joined(text) + "\n"
