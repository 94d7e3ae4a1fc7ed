# SPDX-License-Identifier: Apache-2.0
"""docs/performance-cuda.md, from the results of scripts/gpu."""


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]) + "\n"


def milliseconds(s):
    return "–" if s is None else f"{1e3 * s:.3g}"


def ceilings(card):
    rows = []
    for b in card["ceilings"]:
        what = {"copy/64": "copies of 64 MiB", "copy/1024": "copies of 1 GiB", "launches/graph:0/early:0": "a small launch behind another",
                "launches/graph:1/early:0": "the same in a CUDA graph", "launches/graph:0/early:1": "a small launch that may begin early",
                "launches/graph:1/early:1": "the same in a CUDA graph"}.get(b["name"], b["name"])
        rows.append((what, f"{b['GB/s']:.0f} GB/s read and written" if "GB/s" in b else f"{b['microseconds']:.2f} µs"))
    return table(("ceiling", "measured"), rows)


def works(found):
    rows = []
    for name, w in found.items():
        s = w["seconds"]
        early = w.get("dependent_launches", {})
        rows.append((name, *(milliseconds(of.get(k)) for k in ("step", "sample", "forward_1") for of in (s, early))))
    return table(("work", *(f"{what}, ms{how}" for what in ("step", "sampling", "forward of one row") for how in ("", ", dependent launches"))),
                 rows)


def products(found):
    formats, rows = [], {}
    for b in found:
        _, format, shape, n = b["name"].split("/")[:4]
        if format not in formats:
            formats.append(format)
        n = n.removeprefix("rows:")
        rows.setdefault((shape, int(n)), {})[format] = b
    def cell(b, n):
        return "–" if b is None else f"{b['microseconds']:.1f} ({b['GB/s']:.0f} GB/s)" if n <= 64 else f"{b['microseconds']:.1f} ({b['TFLOP/s']:.0f} TFLOP/s)"
    return table(("product", "rows", *(f"{f}, µs" for f in formats)),
                 [(shape, str(n), *(cell(of.get(f), n) for f in formats)) for (shape, n), of in sorted(rows.items())])


def complete(found):
    """Whether the results are enough for a page."""
    return all(found["stages"].get(stage, {}).get("state") == "ok" for stage in ("card", "samplings"))


def text(found):
    s = found["stages"]
    card, built = s["card"]["gpu"], s["card"]["built"]
    parts = [f"""# Performance on a GPU

Written by `scripts/gpu` on {found['date']}: {card['name']}, driver {card['driver_version']}, {built['nvcc']}, commit {built['commit']}.
Times are medians, by the host's clock around a call and a wait for it, and for products by CUDA's events.
""", "## Ceilings\n", ceilings(s["card"]), """## Samplings

A guided step of the default model (a billion parameters) with 12 live tokens of the prompt, 25 of them with everything but the text
encoder, and one forward. Weights are synthetic.
""", works(s["samplings"]["works"])]
    if s.get("peers", {}).get("state") == "ok":
        parts += ["## diffusers on the same GPU\n\nOne guided step, two rows of 81 tokens.\n",
                  table(("peer", "step, ms"), [(k, milliseconds(v)) for k, v in s["peers"]["peers"].items() if k != "torch"])]
    if s.get("products", {}).get("products"):
        parts += ["## Products of a block\n\nWeights out of cache, with bias and gelu.\n", products(s["products"]["products"])]
    parts += ["## Checks\n", table(("stage", "outcome", "date", "commit"),
                                   [(k, v["state"] + (f": {v['reason']}" if "reason" in v else ""), v.get("date", "–"),
                                     v.get("commit", "–")) for k, v in s.items()])]
    return "\n".join(parts)
