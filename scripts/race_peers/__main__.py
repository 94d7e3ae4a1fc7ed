# SPDX-License-Identifier: Apache-2.0
"""The race: every peer and apriori in alternation, round by round. scripts/race calls it."""
import dataclasses, json, pathlib, shutil, signal, subprocess, sys

import machine, picture, program, report
from arguments import arguments
from contestant import Contestant, Gone
from program import LOOSE, Failed, Program, Run
from progress import Progress
from results import NOT_PEERS, Results
from works import FORMATS, IMAGES, INT8, MODELS, PEERS, ROOT, STEPS, works_of

HERE = pathlib.Path(__file__).parent
# our formats that are raced with each class of peers
FAST = {"float32": ["f32"], "16 bit": ["bf16", "bf16a16"], "8 bit": ["w8a8"]}
PRESETS = {"karlo": "karlo_v1_alpha", "shap_e": "shap_e", "digits": "digits"}


class Race:
    def __init__(self, a):
        self.a = a
        self.folders = {name: a.work / "models" / name for name in a.models}
        self.data = {"options": {"threads": a.threads, "rounds": a.rounds, "quick": a.quick}, "machine": machine.machine(),
                     "versions": machine.versions(), "busy": [], "models": {}}
        self.failed = []
        self.file = a.work / ("partial.json" if a.partial else "race.json")

    def say(self, text):
        print(text, flush=True)

    def save(self):
        report.write(self.file, json.dumps(self.data, indent=1) + "\n")

    def lay_out(self):
        """Makes a folder for each model, with its config.json; since it has no weights, ours are synthetic."""
        (self.a.work / "logs").mkdir(parents=True, exist_ok=True)
        for name, folder in self.folders.items():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            config = MODELS[name].config | ({"num_layers": 2} if self.a.quick else {})
            report.write(folder / "config.json", json.dumps({"_class_name": "PriorTransformer", **config}, indent=2) + "\n")

    def build(self):
        if self.a.program: return Program(self.a.program, self.a.threads)
        self.say("building the program")
        log, models = self.a.work / "logs" / "build.log", self.folders
        if self.a.quick:
            path = program.build(self.a.work / "program-quick", ["digits"], [f / "config.json" for f in models.values()],
                                 ["f32", "bf16a16", "w8a8"], log)
        else:
            path = program.build(self.a.work / "program", [PRESETS[m] for m in models], [], FORMATS, log)
        return Program(path, self.a.threads)

    def peers(self, model):
        return [p for p in MODELS[model].peers if not self.a.only or p in self.a.only]

    def runs(self, model, peer):
        """Our runs that alternate with a peer; `None` for the rematch of the fastest."""
        if peer is not None:
            return [Run(f) for f in FAST[PEERS[peer]] if f in self.ours.formats] or [Run()]
        return [Run(tokens=77)] + [Run(f) for f in self.ours.formats if f != "f32"]

    def rematch(self, model):
        return model == "karlo" and any(PEERS[p] == "float32" and p not in NOT_PEERS for p in self.peers(model))

    def ahead(self):
        """The kinds of all work to be done, to estimate the remaining time."""
        kinds = []
        for model in self.a.models:
            kinds += [f"{model}: weights"] + self.exports(model) + [f"{model}: {f} against f32" for f in self.narrow(model)]
            for peer in self.peers(model) + ([None] if self.rematch(model) else []):
                kinds += [f"{model}: {peer or 'rematch'} starts"] + [f"{model}: {peer} agrees"] * bool(peer)
                for r in range(self.a.rounds):
                    kinds += [f"{model}: {peer or 'rematch'}"] + [f"{model}: {run.name}" for run in self.runs(model, peer)]
            kinds += [f"{model}: images"] * len(self.classes(model))
        return kinds

    def classes(self, model):
        """The classes whose fastest peer also computes many images, which takes minutes for each."""
        raced = {PEERS[p] for p in self.peers(model) if p not in NOT_PEERS}
        return [c for c in FAST if c in raced] if "guided_images" in MODELS[model].works else []

    def exports(self, model):
        needs = set(self.peers(model))
        of_onnx = needs & {"onnxruntime", "openvino", "openvino-bf16", *INT8}
        return [f"{model}: onnx"] * bool(of_onnx) + [f"{model}: {p}" for p in INT8 if p in needs]

    def narrow(self, model):
        return [f for f in self.ours.formats if f != "f32"] if model == "karlo" else []

    def prepare(self, model, what):
        log = self.a.work / "logs" / f"{model}-{what}.log"
        self.progress.run(f"{model}: {what}", lambda: program.call([sys.executable, HERE / "prepare.py", self.folders[model], what], log))

    def bench(self, model, run):
        found = self.ours.bench(self.folders[model], run, MODELS[model].masked, STEPS)
        config = json.loads((self.folders[model] / "config.json").read_text())
        return found | {"asked_tokens": run.tokens, "config": {k: v for k, v in config.items() if not k.startswith("_")}}

    def agree(self, model, c):
        """Compares the peer's numbers with ours; prints the result, and remembers peers that do not agree."""
        def compare():
            c.ask("outputs", file=str(self.folders[model] / "cases.safetensors"))
            return self.ours.verify(self.folders[model], loose=LOOSE.get(c.name))
        found = self.progress.run(f"{model}: {c.name} agrees", compare)
        self.say(f"{model}, {c.name}: {'agrees with' if found.ok else 'DIFFERS FROM'} ours: {found.error:.2e} at most, numbers up to "
                 f"{found.largest:.3g} ({', '.join(found.cases) or 'no case'})")
        if not found.ok: self.failed.append(f"{model}: {c.name} does not agree with ours")
        return found

    def match(self, model, peer, runs, kind, again=None, works=None, rounds=None):
        """Runs a peer and apriori in alternation, for the given works, or for all except that of many images. The first
        time, the peer's numbers are compared with ours."""
        works = works or [w for w in works_of(model, peer) if w != "guided_images"]
        log = self.a.work / "logs" / f"{model}-{peer}.log"
        self.data["busy"].append(machine.busy())
        with self.progress.run(f"{model}: {kind} starts", lambda: Contestant(peer, self.folders[model], self.a.threads, log)) as c:
            agreement = again or dataclasses.asdict(self.agree(model, c))
            found = {"peer": peer, "settings": c.settings, "agreement": agreement, "rounds": []}
            self.data["models"][model]["matches"].append(found)
            if not agreement["ok"]: return
            for _ in range(rounds or self.a.rounds):
                theirs = self.progress.run(f"{model}: {kind}", lambda: {w: c.measure(w) for w in works})
                this = {"peer": theirs, "ours": []}
                found["rounds"].append(this)
                for run in runs: this["ours"].append(self.progress.run(f"{model}: {run.name}", lambda: self.bench(model, run)))
                self.save()

    def formats(self, model):
        """Compares our narrow weights with a float32 peer's numbers, which agree with ours."""
        for f in self.narrow(model):
            found = self.progress.run(f"{model}: {f} against f32", lambda: self.ours.verify(self.folders[model], f, LOOSE[f]))
            self.data["models"][model].setdefault("formats", {})[f] = dataclasses.asdict(found)
            self.say(f"{model}, ours in {f}: {found.error:.2e} at most from f32, numbers up to {found.largest:.3g}{'' if found.ok else ': TOO FAR'}")
            if not found.ok: self.failed.append(f"{model}: {f} is too far from f32")

    def missed(self, model, why):
        """The race continues without the part that failed, and fails at its end."""
        self.failed.append(f"{model}: {why}")
        self.say(f"{model}: {why}")

    def extras(self):
        """Measurements of apriori only."""
        try:
            self.data["wide_contraction"] = self.ours.wide_contraction()
            if self.ours.packs and "karlo" in self.folders:  # a quick program has only one preset
                preset = PRESETS["digits" if self.a.quick else "karlo"]
                self.data["start_to_ready"] = self.ours.start(preset, self.a.work / "start.packed")
        except Failed as e:
            self.missed("ours", e)

    def run_model(self, model):
        self.data["models"][model] = {"title": MODELS[model].title, "matches": []}
        self.prepare(model, "weights")
        for what in self.exports(model): self.prepare(model, what.rpartition(" ")[2])
        narrow_done = False
        for peer in self.peers(model):
            try:
                self.match(model, peer, self.runs(model, peer), peer)
                if not narrow_done and PEERS[peer] == "float32":
                    self.formats(model)
                    narrow_done = True
            except (Gone, Failed) as e:
                self.missed(model, e)
        if self.rematch(model):
            self.again(model, "float32", self.runs(model, None), "rematch")
        for c in self.classes(model):
            runs = [Run(f, samples=IMAGES) for f in FAST[c][-1:] if f in self.ours.formats]
            self.again(model, c, runs, "images", works=["guided_images"], rounds=1)
        shutil.rmtree(self.folders[model] / "diffusers", ignore_errors=True)
        for f in ("onnx", *INT8): shutil.rmtree(self.folders[model] / f, ignore_errors=True)

    def again(self, model, kind, runs, name, **how):
        """Another match with the peer of a class that was fastest in sampling."""
        results = Results(self.data)
        times = {p: min((s for _, s in results.peer_seconds(model, p, "sample_12")), default=None) for p in results.peers(model, kind)}
        times = {p: s for p, s in times.items() if s is not None}
        if not times: return
        fastest = min(times, key=times.get)
        first = next(m for m in results.matches(model) if m["peer"] == fastest)
        try:
            self.match(model, fastest, runs, name, again=first["agreement"], **how)
        except (Gone, Failed) as e:
            self.missed(model, e)

    def go(self):
        self.lay_out()
        self.ours = self.build()
        self.progress = Progress(self.ahead())
        try:
            for model in self.a.models: self.run_model(model)
            self.extras()
            self.save()
        finally:
            for folder in self.folders.values(): shutil.rmtree(folder, ignore_errors=True)


def pages(a, data):
    """Writes the page, its appendix and its picture: for a complete race to docs/, for a partial one to the work
    folder."""
    results = Results(data)
    other = results.other_work()[0]
    whole = not a.partial and other <= report.QUIET
    if not whole and not a.partial:
        print(f"scripts/race: other work kept {other:.2f} cores busy, more than {report.QUIET}: docs/ stays as it is", file=sys.stderr)
    folder = ROOT / "docs" if whole else a.work
    image = folder / ("images/performance.svg" if whole else "performance.svg")
    report.write(image, picture.svg(results))
    figures = report.figures(results)
    report.write(folder / "performance.md", report.page(figures, image.relative_to(folder)))
    report.write(folder / "performance-appendix.md", report.appendix(figures))
    print(f"{folder / 'performance.md'}")
    return results


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    race = Race(a)
    if a.report:
        if not race.file.exists():
            print(f"scripts/race: {race.file}: no figures yet", file=sys.stderr)
            return 2
        pages(a, json.loads(race.file.read_text()))
        return 0
    try:
        race.go()
    except (Failed, Gone, subprocess.TimeoutExpired) as e:
        print(f"scripts/race: {e}", file=sys.stderr)
        return 1
    results = pages(a, race.data)
    for line in results.over_ceiling(): race.failed.append(f"over the measured ceiling: {line}")
    for line in race.failed: print(f"scripts/race: {line}", file=sys.stderr)
    return 1 if race.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
