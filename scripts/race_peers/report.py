# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md from the race's figures."""
import os, pathlib

import bars
from bars import seconds
from program import LOOSE
from results import NOT_PEERS, median
from works import IMAGES, MODELS, STEPS

TITLES = {"eager": "torch eager (diffusers)", "compile": "torch.compile", "onnxruntime": "ONNX Runtime",
          "onnxruntime-int8": "ONNX Runtime, dynamic int8", "openvino": "OpenVINO", "incremental": "our algorithm in torch"}


def write(path, text):
    """The file appears whole or not at all."""
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


def bar_table(verdicts):
    say = {True: "yes", False: "**no**", None: ""}
    return table(["work", "bar", "ours", "fastest peer", "ratio", "floor, and the share of it", "reached"],
                 [[v.work, v.bar, v.ours, v.peer, v.ratio, v.floor, say[v.reached]] for v in verdicts])


def contestant_table(results, model):
    """Seconds of every contestant: what was timed, and samplings run or reckoned from one step."""
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
    return table(["", *(w.title for w in works.values()), "largest difference to ours in f32"], ours + rows)


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


def split_text(results):
    """How much is algorithm and how much is kernel."""
    slow = median(s for _, s in results.peer_seconds("karlo", "eager", "sample_12"))
    torch = median(s for m in NOT_PEERS for _, s in results.peer_seconds("karlo", m, "sample_12"))
    mine = results.our_seconds("karlo", "sample")
    if None in (slow, torch, mine): return ""
    return (f"torch takes {seconds(slow)} for {STEPS} guided steps of a 12-token prompt as diffusers runs the model, and {seconds(torch)} by our "
            f"algorithm: the algorithm is a factor of {slow / torch:.1f}, our kernels one of {torch / mine:.1f} more.\n")


def page(results, picture):
    d = results.data
    m, (limit, highest) = d["machine"], results.ceilings()
    verdicts = bars.verdicts(results)
    over = results.over_ceiling()
    text = ["# Performance\n",
            "Written by `scripts/race`, which times the program against its peers on the same synthetic weights. A sampling is guided: two "
            "branches, 4 rows a step.\n",
            table(["", ""], [["processor", m["cpu"]], ["cores used", d["options"]["threads"]], ["instruction sets", ", ".join(m["flags"]) or "–"],
                             ["memory", f"{m['memory_gb']} GB"], ["system", m["system"]], ["ceilings, measured beside every run of ours",
                              f"{limit['gflops']:.1f} GFLOP/s of float32 multiply-adds, {limit['gbytes_per_second']:.1f} GB/s of reading as much as the "
                              f"default model's float32 weights (medians; of a run at most {highest['gflops']:.1f} and {highest['gbytes_per_second']:.1f})"],
                             ["rounds", d["options"]["rounds"]], ["load average before and after", f"{d['load'][0]:.2f}, {d['load'][1]:.2f}"],
                             ["versions", ", ".join(f"{k} {v}" for k, v in d["versions"].items())]])]
    if d["options"]["quick"]: text.append("**A quick run: models of two layers, one round. Its figures are for trying the race itself.**\n")
    if max(d["load"][0] - 0.5, 0) > 0: text.append("**Other work ran on this machine when the race began.**\n")
    text += ["## The bars\n", f"![seconds of {STEPS} guided steps]({picture})\n",
             "A ratio is the fastest float32 peer's time over ours, from rounds in which both ran in turn; where the peer's row of the table is "
             "no sampling, it is its time of one step, scaled. Where a run's own ceilings forbid a bar, it is the share of the floor's speed, by the "
             "arithmetic below.\n", bar_table(verdicts)]
    text += [f"- {v.arithmetic}\n" for v in verdicts if v.arithmetic]
    text.append("- The floor of w8a8 counts multiply-adds of bytes, of which the instructions do four (VNNI) or four thirds (maddubs) in the time "
                "of one of float32.\n")
    text += [f"- **over the measured ceiling: {line}**\n" for line in over]
    if not over: text.append("- No peer exceeds the measured ceiling.\n")
    for name in d["models"]:
        text += [f"\n## All contestants: {MODELS[name].title}\n", contestant_table(results, name)]
        if name == "karlo":
            text += [f"The peers' samplings are {STEPS} times a guided step of theirs, without the scheduler; ours, and our algorithm in torch, are "
                     "run whole. The peers' steps do not depend on the number of live tokens.\n", split_text(results), "\n## Weight formats\n", format_table(results)]
    text.append("\n## Settings of the peers\n")
    told = {}
    for model in d["models"].values():
        for match in model["matches"]: told.setdefault(match["peer"], match["settings"])
    text += [f"- {TITLES[name]}: {'; '.join(s)}\n" for name, s in told.items()]
    return "\n".join(t.rstrip("\n") + ("" if t.startswith("- ") else "\n") for t in text if t)
