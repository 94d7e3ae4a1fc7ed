# SPDX-License-Identifier: Apache-2.0
"""The stages of scripts/gpu: each returns what it found, raises Skipped where it cannot run, or another error where it failed."""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

TESTS = ("device_cuda_test", "models_cuda_test", "models_clip_cuda_test")
FORMATS = "f32;bf16;bf16a16;w8;w4"
# What the samplings stage times: arguments of apriori bench.
WORKS = {
    "default model, f32": "--preset karlo_v1_alpha --tokens 12 --weights f32",
    "default model, bf16": "--preset karlo_v1_alpha --tokens 12 --weights bf16",
    "default model, w8": "--preset karlo_v1_alpha --tokens 12 --weights w8",
    "default model, w4": "--preset karlo_v1_alpha --tokens 12 --weights w4",
    "32 images, bf16a16": "--preset karlo_v1_alpha --tokens 12 --weights bf16a16 --samples 32",
    "256 images, bf16a16": "--preset karlo_v1_alpha --tokens 12 --weights bf16a16 --samples 256",
    "Shap-E, bf16a16": "--preset shap_e --weights bf16a16 --steps 2",
}
# What a machine with a GPU has of its own; other libraries are brought along.
SYSTEM_LIBRARIES = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|cuda)\.so.*)$")


class Skipped(Exception):
    pass


class Failed(Exception):
    """A command that ended badly, and what it printed."""

    def __init__(self, command, code, text):
        super().__init__(f"{command}: exit code {code}: " + " | ".join(text.strip().splitlines()[-5:]))
        self.text = text


def output(command, **more):
    """What a command prints on its standard output; an error with the end of all that it printed where it fails."""
    ran = subprocess.run([str(c) for c in command], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if ran.returncode != 0:
        raise Failed(command[0], ran.returncode, ran.stdout + ran.stderr)
    return ran.stdout


class Run:
    def __init__(self, root, binaries, architectures=None):
        self.root, self.bin, self.architectures = root, binaries.resolve(), architectures

    @functools.lru_cache
    def gpu(self):
        """None where a GPU can be used, and otherwise why not."""
        if not shutil.which("nvidia-smi"):
            return "there is no nvidia-smi, and so no driver"
        try:
            output(["nvidia-smi", "-L"])
        except Failed as error:
            return str(error)
        return None

    def needs(self, *programs):
        if why := self.gpu():
            raise Skipped(why)
        for program in programs:
            if not (self.bin / program).exists():
                raise Skipped(f"{self.bin / program} is not there; the stage build makes it")

    def program(self, name, *rest, wrapper=(), timeout=None):
        env = dict(os.environ)
        env["LD_LIBRARY_PATH"] = f"{self.bin / 'lib'}:{env.get('LD_LIBRARY_PATH', '')}"
        return output([*wrapper, self.bin / name, *rest], cwd=self.root, env=env, timeout=timeout)

    # ---- the stages ----

    def build(self):
        nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
        if not nvcc:
            raise Skipped("there is no nvcc; build elsewhere by scripts/gpu --build-only and name the folder with --binaries")
        folder = self.root / "build/gpu"
        architectures = self.architectures or ("native" if self.gpu() is None else "80;90")
        output(["cmake", "-G", "Ninja", "-S", self.root, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CUDA_COMPILER={nvcc}",
                f"-DCMAKE_CUDA_ARCHITECTURES={architectures}", "-DAPRIORI_CUDA=ON", "-DAPRIORI_TEST_SCOPE=cuda",
                "-DAPRIORI_BUILD_BENCH=ON", "-DAPRIORI_BUILD_EXAMPLES=OFF", "-DAPRIORI_BUILD_PROGRAM=ON", "-DAPRIORI_DEVICES=cuda",
                "-DAPRIORI_PRESETS=karlo_v1_alpha;shap_e;digits", f"-DAPRIORI_WEIGHTS={FORMATS}"])
        subprocess.run(["cmake", "--build", folder, "--target", *TESTS, "cuda_bench", "apriori_program"], check=True,
                       stdin=subprocess.DEVNULL)
        shutil.rmtree(self.bin, ignore_errors=True)
        (self.bin / "lib").mkdir(parents=True)
        for program in [*(folder / "tests" / t for t in TESTS), folder / "bench/cuda_bench", folder / "apriori"]:
            shutil.copy2(program, self.bin)
            output(["strip", self.bin / program.name])
            for name, path in re.findall(r"(\S+) => (/\S+)", output(["ldd", program])):
                if not SYSTEM_LIBRARIES.match(name):
                    shutil.copy2(path, self.bin / "lib" / name)
        built = {"source": str(self.root), "architectures": architectures, "nvcc": output([nvcc, "--version"]).strip().splitlines()[-1],
                 "commit": output(["git", "-C", self.root, "rev-parse", "--short", "HEAD"]).strip()}
        (self.bin / "built.json").write_text(json.dumps(built, indent=2) + "\n", encoding="utf-8")
        return {"built": built}

    def card(self):
        self.needs("cuda_bench")
        fields = ("name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm", "clocks.max.memory")
        values = output(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]).splitlines()[0].split(", ")
        return {"gpu": dict(zip(fields, values)), "built": json.loads((self.bin / "built.json").read_text(encoding="utf-8")),
                "ceilings": self.benchmarks("copy|launches")}

    def benchmarks(self, pattern):
        found = json.loads(self.program("cuda_bench", f"--benchmark_filter={pattern}", "--benchmark_format=json"))
        wrong = [f"{b['name']}: {b['error_message']}" for b in found["benchmarks"] if b.get("error_occurred")]
        if wrong:
            raise RuntimeError("; ".join(wrong))
        return [{"name": b["name"].replace("/manual_time", ""), "microseconds": b["real_time"] * {"ns": 1e-3, "us": 1, "ms": 1e3}[b["time_unit"]],
                 **{k: b[k] for k in ("GB/s", "TFLOP/s") if k in b}} for b in found["benchmarks"]]

    def tests(self):
        self.needs(*TESTS)
        source = pathlib.Path(json.loads((self.bin / "built.json").read_text(encoding="utf-8"))["source"])
        if not source.exists():  # where the tests look for their data
            source.parent.mkdir(parents=True, exist_ok=True)
            source.symlink_to(self.root)
        found, failed = {}, []
        for test in TESTS:
            try:
                text = self.program(test, timeout=300)
            except Failed as error:
                text = error.text
                failed.append(test)
            except subprocess.TimeoutExpired as error:
                text = str(error)
                failed.append(test)
            found[test] = {"passed": len(re.findall(r"^\[       OK \]", text, re.M)), "skipped": len(re.findall(r"^\[  SKIPPED \]", text, re.M)),
                           "end": text.strip().splitlines()[-30:]}
            print(f"{test}: {found[test]['passed']} passed" + (", FAILED" if test in failed else ""), flush=True)
        return {"tests": found, **({"state": "failed", "reason": "failed: " + ", ".join(failed)} if failed else {})}

    def sanitizer(self):
        self.needs("apriori")
        tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
        if not tool:
            raise Skipped("there is no compute-sanitizer")
        found, failed = {}, []
        for check in ("memcheck", "racecheck", "initcheck", "synccheck"):
            try:
                text = self.program("apriori", "sample", "--model", "examples/digits/digits-unclip", "--device", "cuda", "--steps", "2",
                                    "--weights", "bf16", "a handwritten seven", "--out", "/dev/null", timeout=60,
                                    wrapper=[tool, "--tool", check, "--error-exitcode", "9"])
                found[check] = text.strip().splitlines()[-1]
            except subprocess.TimeoutExpired:
                found[check] = "nothing in a minute, and not through"
            except Failed as error:
                found[check] = error.text.strip().splitlines()[-10:]
                failed.append(check)
            print(f"{check}: {found[check]}", flush=True)
        return {"sanitizer": found, **({"state": "failed", "reason": "failed: " + ", ".join(failed)} if failed else {})}

    def products(self):
        self.needs("cuda_bench")
        return {"products": self.benchmarks("product")}

    def samplings(self):
        self.needs("apriori")
        works = {}
        for name, rest in WORKS.items():
            begin = time.monotonic()
            found = json.loads(self.program("apriori", "bench", "--device", "cuda", "--repeats", "3", "--json", *rest.split(), timeout=240))
            works[name] = {k: found[k] for k in ("weights", "samples", "steps", "seconds") if k in found}
            milliseconds = {k: f"{1e3 * v:.3g} ms" for k, v in found["seconds"].items() if k in ("step", "sample", "forward_1")}
            print(f"{name}: {milliseconds} ({time.monotonic() - begin:.0f} s)", flush=True)
        return {"works": works}

    def peers(self):
        self.needs()
        script = pathlib.Path(__file__).with_name("peers.py")
        text = output([sys.executable, script], timeout=300)
        if text.startswith("skipped: "):
            raise Skipped(text.removeprefix("skipped: ").strip())
        return {"peers": json.loads(text[text.index("{"):])}
