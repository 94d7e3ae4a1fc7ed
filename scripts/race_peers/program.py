# SPDX-License-Identifier: Apache-2.0
"""Our side: builds the program, times it with `apriori bench`, and checks the others' results with `apriori verify`."""
import json, pathlib, re, subprocess
from dataclasses import dataclass, field

from works import FORMATS, ROOT

# How far a narrow format's (or peer's) forward may be from ours in float32, as a share of the largest number: enough to
# show that it is the same model. f32 has the tolerance of `apriori verify`.
LOOSE = {"f16": 0.02, "bf16": 0.1, "bf16a16": 0.1, "w8": 0.1, "w8a8": 0.2, "w4": 0.8, "w4a8": 0.8, "onnxruntime-int8": 0.2, "openvino-int8": 0.2, "openvino-w8": 0.2,
         "eager-bf16": 0.1, "compile-bf16": 0.1, "openvino-bf16": 0.1}


class Failed(Exception):
    """The output of a command that failed."""


def call(command, log=None, patience=3600, codes=(0,)):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=patience)
    if log: pathlib.Path(log).write_text(done.stdout + done.stderr)
    if done.returncode not in codes:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-1:]
        raise Failed(f"{' '.join(str(c) for c in command[:3])}: {(said or ['failed'])[0].strip()}" + (f"; see {log}" if log else ""))
    return done


def build(folder, presets, configs, formats, log):
    """Builds the program for this machine, with these presets, configurations and weight formats; returns its path."""
    options = {"APRIORI_WEIGHTS": ";".join(formats), "CMAKE_BUILD_TYPE": "Release", "APRIORI_DEVICES": "cpu", "APRIORI_CUDA": "OFF", "APRIORI_ARCHS": "native",
               "APRIORI_PRESETS": ";".join(presets), "APRIORI_CONFIGS": ";".join(str(c) for c in configs),
               "APRIORI_BUILD_TESTS": "OFF", "APRIORI_BUILD_EXAMPLES": "OFF", "APRIORI_BUILD_BENCH": "ON"}
    call(["cmake", "-G", "Ninja", "-S", ROOT, "-B", folder] + [f"-D{k}={v}" for k, v in options.items()], log)
    call(["cmake", "--build", folder, "--target", "apriori_program", "primitives_bench"], log)
    return folder / "apriori"


@dataclass(frozen=True)
class Run:
    """One way to call `apriori bench`."""
    weights: str = "f32"
    tokens: int = 12
    samples: int = 1

    @property
    def name(self):
        return f"ours {self.weights}, {self.tokens} tokens" + (f", {self.samples} images" if self.samples > 1 else "")


@dataclass
class Agreement:
    """The largest difference between two contestants' numbers, and whether it is small enough."""
    error: float = 0.0
    largest: float = 0.0
    ok: bool = False
    cases: list = field(default_factory=list)

    @property
    def share(self):
        return self.error / max(self.largest, 1.0)


class Program:
    def __init__(self, path, threads):
        self.path, self.threads = pathlib.Path(path).resolve(), threads
        said = " ".join(call([self.path, "bench", "--help"]).stdout.split())
        self.chooses = "--weights" in said  # otherwise it was built for one format
        listed = re.search(r"Weight format of [a-z, ]+, of ([a-z0-9, ]+);", said)
        if self.chooses and not listed: raise Failed(f"{self.path}: its bench --help does not list the weight formats")
        self.formats = [f for f in FORMATS if f in (listed[1].split(", ") if listed else ["f32"])]
        self.packs = re.search(r"\bpack\b", call([self.path, "--help"]).stdout) is not None

    def _weights(self, name):
        return ["--weights", name] if self.chooses else []

    def bench(self, folder, run, masked, steps):
        tokens = ["--tokens", run.tokens] if masked else []
        return json.loads(call([self.path, "bench", "--model", folder, "--threads", self.threads, "--steps", steps, "--samples",
                                run.samples, "--repeats", 1, "--json", *tokens, *self._weights(run.weights)]).stdout)

    def verify(self, folder, weights="f32", loose=None):
        """Compares our results with folder/cases.safetensors: within verify's own tolerance, or within a share of the
        largest number."""
        done = call([self.path, "verify", folder, "--threads", self.threads, *self._weights(weights)], codes=(0, 1))
        found = Agreement(ok=done.returncode == 0)
        for case, error, largest in re.findall(r"^  (\S+) +(\S+) at .*expected up to ([^,]+),", done.stdout, re.M):
            if loose and case.startswith("sample."): continue  # steps amplify the errors of the formats
            found.cases.append(case)
            found.error, found.largest = max(found.error, float(error)), max(found.largest, float(largest))
        if loose: found.ok = found.share <= loose
        if not found.cases or not found.largest > 0: found.ok = False
        return found

    def start(self, preset, image):
        """Seconds from the start of a process until a preset in a packed file can be used, with the file in the page
        cache."""
        call([self.path, "pack", "--preset", preset, "--out", image])
        try:
            runs = [json.loads(call([self.path, "bench", "--preset", preset, "--packed", image, "--repeats", 1, "--steps", 1,
                                     "--threads", self.threads, "--json"]).stdout) for _ in range(3)]
        finally:
            image.unlink(missing_ok=True)
        return sorted(r["seconds"]["start_to_ready"] for r in runs)[1]

    def wide_contraction(self):
        """GFLOP/s and share of the FMA ceiling of 162 rows through 2048 x 8192, with bench/primitives_bench; None
        without it."""
        found = self.path.parent / "bench" / "primitives_bench"
        if not found.exists(): return None
        said = call([found, "--benchmark_filter=linear_layer<f32, (8192, 2048|2048, 8192)>/162", "--benchmark_format=json",
                     "--benchmark_repetitions=3"]).stdout
        rows = [b for b in json.loads(said)["benchmarks"] if b.get("aggregate_name") == "median"]
        return {b["run_name"]: {"gflops": b["GFLOP/s"], "of_fma": b["of FMA"]} for b in rows if "of FMA" in b} or None
