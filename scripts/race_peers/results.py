# SPDX-License-Identifier: Apache-2.0
"""What the race found: all raw figures, as they are kept in race.json, and the medians that the tables want."""
import statistics

from works import MODELS, SAMPLED, STEPS, UNCONDITIONAL

NARROW_PEERS = ("onnxruntime-int8",)  # not float32
NOT_PEERS = ("incremental",)  # our algorithm: a comparison, no peer


def median(values):
    values = list(values)
    return statistics.median(values) if values else None


def read_by_step(bench):
    """GB of packed weights, rounded, so that runs of the same weights have the same."""
    return round(bench["gbytes_per_second"]["step"] * bench["seconds"]["step"], 6)


class Results:
    """`data` as __main__ writes it: models -> matches -> rounds of a peer's seconds and of our bench objects."""

    def __init__(self, data):
        self.data = data

    def matches(self, model):
        return [m for m in self.data["models"].get(model, {}).get("matches", []) if m["agreement"]["ok"]]

    def peers(self, model, narrow=False):
        """The peers that agree with us."""
        return sorted({m["peer"] for m in self.matches(model)} - set(NOT_PEERS) - (set() if narrow else set(NARROW_PEERS)))

    def peer_seconds(self, model, peer, work):
        """[(match, median)] of a peer's work; a sampling is STEPS times a step where the peer was timed on one step."""
        times, step = 1, work
        if MODELS[model].works[work].sampling and (model, peer) not in SAMPLED:
            times, step = STEPS, {"sample_12": "guided_12", "sample_77": "forward_2"}[work]
        found = [(m, median(s for r in m["rounds"] for s in r["peer"].get(step, []))) for m in self.matches(model) if m["peer"] == peer]
        return [(m, times * s) for m, s in found if s is not None]

    def ours(self, model, weights="f32", tokens=12, samples=1, match=None):
        """Our bench objects of one kind, of one match or of all."""
        return [o for m in self.data["models"].get(model, {}).get("matches", []) if match is None or m is match
                for r in m["rounds"] for o in r["ours"]
                if o["weights"] == weights and o["samples"] == samples and o["asked_tokens"] == tokens]

    def our_seconds(self, model, work, **kind):
        return median(o["seconds"][work] for o in self.ours(model, **kind) if work in o["seconds"])

    def race(self, model, peers, peer_work, our_work, times=1, **kind):
        """(fastest peer, its seconds, ours, ratio). From the match in which both ran, in turn; else from the medians of all."""
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

    def ceilings(self, model="karlo", weights="f32"):
        """The highest that the run saw: {gflops, gbytes_per_second}. `apriori bench` reads as many bytes as a step's weights
        have; the ceiling of some weights is that of all that are as large or larger, for smaller ones may lie in a cache."""
        benches = [o for name in self.data["models"] for o in self.every_bench(name) if o.get("ceilings")]
        least = min((read_by_step(o) for o in self.every_bench(model) if o["weights"] == weights), default=0.0)
        return {"gflops": max((o["ceilings"]["gflops"] for o in benches), default=0.0),
                "gbytes_per_second": max((o["ceilings"]["gbytes_per_second"] for o in benches if read_by_step(o) >= least), default=0.0)}

    def every_bench(self, model):
        return [o for m in self.data["models"][model].get("matches", []) for r in m["rounds"] for o in r["ours"]]

    def floor(self, model, kept=False, weights="f32", tokens=12, samples=1):
        """The issue's formula, and its arithmetic in words: seconds that STEPS guided steps take at the run's ceilings."""
        benches = self.ours(model, weights, tokens, samples)
        limit = self.ceilings(model, weights)
        if not benches or not limit["gflops"]: return None
        o = benches[0]
        read = read_by_step(o)
        config = o["config"]
        row = 24e-9 * (config["num_attention_heads"] * config["attention_head_dim"])**2 * config["num_layers"]  # GFLOP
        rows = o["tokens"] + 1 + STEPS if kept else o["tokens"] + 1 + UNCONDITIONAL + 1 + 2 * STEPS
        step = max(read / limit["gbytes_per_second"], 4 * samples * row / limit["gflops"])
        seconds = rows * row / limit["gflops"] + STEPS * step
        words = (f"{rows} rows × {row:.4g} GFLOP / {limit['gflops']:.1f} + {STEPS} × max({read:.4g} GB / "
                 f"{limit['gbytes_per_second']:.1f}, {4 * samples} rows × {row:.4g} / {limit['gflops']:.1f}) = {seconds:.4g} s")
        return seconds, words

    def over_ceiling(self):
        """Float peers that computed faster than the measured ceiling: then the ceiling, or the peer, is wrong."""
        from works import forward_flops
        limit, found = self.ceilings()["gflops"], []
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
