# SPDX-License-Identifier: Apache-2.0
"""The results of the race: all raw figures, as stored in race.json, and the medians for the tables."""
import statistics

from works import MODELS, PEERS, SAMPLED, STEPS, UNCONDITIONAL

NOT_PEERS = ("incremental",)  # our algorithm: a comparison, not a peer


def median(values):
    values = list(values)
    return statistics.median(values) if values else None


def read_by_step(bench):
    """GB of packed weights, rounded, so that runs with the same weights have the same number."""
    return round(bench["gbytes_per_second"]["step"] * bench["seconds"]["step"], 6)


def middle(runs, share):
    """The run whose share is the median; with an even number of runs, the lower one of the two in the middle."""
    return sorted(runs, key=share)[(len(runs) - 1) // 2]


class Results:
    """`data` as __main__ writes it: models -> matches -> rounds with a peer's seconds and our bench objects."""

    def __init__(self, data):
        self.data = data

    def matches(self, model):
        return [m for m in self.data["models"].get(model, {}).get("matches", []) if m["agreement"]["ok"]]

    def peers(self, model, kind="float32"):
        """The peers of a class that agree with us."""
        return sorted({m["peer"] for m in self.matches(model) if PEERS.get(m["peer"]) == kind} - set(NOT_PEERS))

    def peer_seconds(self, model, peer, work):
        """[(match, median)] of a peer's work; a sampling is STEPS times a step where the peer was timed on one step."""
        times, step = 1, work
        if MODELS[model].works[work].sampling and (model, peer) not in SAMPLED:
            times, step = STEPS, {"sample_12": "guided_12", "sample_77": "forward_2"}[work]
        found = [(m, median(s for r in m["rounds"] for s in r["peer"].get(step, []))) for m in self.matches(model) if m["peer"] == peer]
        return [(m, times * s) for m, s in found if s is not None]

    def ours(self, model, weights="f32", tokens=12, samples=1, match=None):
        """Our bench objects of one kind, from one match or from all."""
        return [o for m in self.data["models"].get(model, {}).get("matches", []) if match is None or m is match
                for r in m["rounds"] for o in r["ours"]
                if o["weights"] == weights and o["samples"] == samples and o["asked_tokens"] == tokens]

    def our_seconds(self, model, work, **kind):
        return median(o["seconds"][work] for o in self.ours(model, **kind) if work in o["seconds"])

    def race(self, model, peers, peer_work, our_work, times=1, **kind):
        """(closest peer, its seconds, ours, ratio), from the match in which both ran in alternation, otherwise from the
        medians of all. The closest peer has the smallest ratio."""
        best = None
        overall = self.our_seconds(model, our_work, **kind)
        if overall is None: return None
        for peer in peers:
            of_peer = self.peer_seconds(model, peer, peer_work)
            together = [(s * times, self.our_seconds(model, our_work, match=m, **kind)) for m, s in of_peer]
            together = [pair for pair in together if pair[1] is not None]
            if not of_peer: continue
            theirs, mine = min(together, key=lambda p: p[0] / p[1]) if together else (median(s for _, s in of_peer) * times, overall)
            if best is None or theirs / mine < best[3]: best = (peer, theirs, mine, theirs / mine)
        return best

    def spread(self):
        """The spread of the rounds of a match, for each work of ours and of the peers: (largest - smallest) / median,
        as (median, largest) of all."""
        found = []
        for model in self.data["models"]:
            for m in self.matches(model):
                by_work = {}
                for r in m["rounds"]:
                    for w, s in r["peer"].items(): by_work.setdefault(w, []).append(median(s))
                    for o in r["ours"]:
                        kind = (o["weights"], o["asked_tokens"], o["samples"])
                        for w in ("step", "sample", "forward_1"):
                            if w in o["seconds"]: by_work.setdefault((*kind, w), []).append(o["seconds"][w])
                found += [(max(s) - min(s)) / median(s) for s in by_work.values() if len(s) > 1]
        return (median(found), max(found)) if found else None

    def other_work(self):
        """(median, largest) number of cores that other work kept busy between the matches."""
        seen = self.data.get("busy", [])
        return (median(seen), max(seen)) if seen else (0.0, 0.0)

    def ceilings(self):
        """(median, highest) ceilings that our float32 runs measured, each the best next to its own works: {gflops,
        gbytes_per_second}. The bytes are those that a step of the default model reads."""
        benches = [o for name in self.data["models"] for o in self.every_bench(name) if o.get("ceilings") and o["weights"] == "f32"]
        largest = max((read_by_step(o) for o in benches), default=0.0)
        seen = {"gflops": [o["ceilings"]["gflops"] for o in benches],
                "gbytes_per_second": [o["ceilings"]["gbytes_per_second"] for o in benches if read_by_step(o) == largest]}
        return {k: median(v) or 0.0 for k, v in seen.items()}, {k: max(v, default=0.0) for k, v in seen.items()}

    def every_bench(self, model):
        return [o for m in self.data["models"][model].get("matches", []) for r in m["rounds"] for o in r["ours"]]

    def floor(self, model, work, **kind):
        """(seconds, share, words) of the run whose share of its floor's speed is the median: the time of STEPS guided
        steps at the ceilings that this run measured, and how it is computed."""
        runs = [o for o in self.ours(model, **kind) if work in o["of_floor"]]
        if not runs: return None
        o = middle(runs, lambda o: o["of_floor"][work])
        read, limit, config, took = read_by_step(o), o["ceilings"], o["config"], o["seconds"][work]
        row = 24e-9 * (config["num_attention_heads"] * config["attention_head_dim"])**2 * config["num_layers"]  # GFLOP
        rows = o["tokens"] + 1 + STEPS if work == "sample_kept" else o["tokens"] + 1 + UNCONDITIONAL + 1 + 2 * STEPS
        computing, reading, of_step = limit["gflops"], limit["gbytes_per_second"], 4 * o["samples"]
        lowest = rows * row / computing + STEPS * max(read / reading, of_step * row / computing)
        speed = f"{limit['gflops']:.1f}"
        words = (f"{rows} rows × {row:.4g} GFLOP / {speed} + {STEPS} × max({read:.4g} GB / {reading:.1f}, {of_step} rows × {row:.4g} / "
                 f"{speed}) = {lowest:.4g} s of {took:.4g} s, the median of {len(runs)} runs")
        return lowest, lowest / took, words

    def forward_floor(self, model, weights="f32"):
        """The same for a forward of one row."""
        runs = self.ours(model, weights)
        o = middle(runs, lambda o: o["gflops"]["forward_1"] / o["ceilings"]["gflops"])
        flops, limit, took = o["gflops"]["forward_1"] * o["seconds"]["forward_1"], o["ceilings"]["gflops"], o["seconds"]["forward_1"]
        words = f"{flops:.5g} GFLOP / {limit:.1f} = {flops / limit:.4g} s of {took:.4g} s, the median of {len(runs)} runs"
        return flops / limit, flops / limit / took, words

    def over_ceiling(self):
        """Float peers that computed faster than the measured ceiling, in which case the ceiling or the peer is
        wrong."""
        from works import forward_flops
        limit, found = self.ceilings()[1]["gflops"], []
        for model in self.data["models"]:
            for peer in self.peers(model):
                for name, work in MODELS[model].works.items():
                    if work.sampling: continue
                    for _, s in self.peer_seconds(model, peer, name):
                        config = self.every_bench(model)[0]["config"] if self.every_bench(model) else None
                        if not config: continue
                        reached = forward_flops(MODELS[model].of(config), work.rows) * 1e-9 / s
                        if reached > limit > 0: found.append(f"{peer}, {model} {name}: {reached:.0f} GFLOP/s over {limit:.0f}")
        return found
