# SPDX-License-Identifier: Apache-2.0
"""The stages of scripts/gpu: each returns its results, raises Skipped if it cannot run, or another error if it
fails."""
import contextlib
import functools
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TESTS = ("device_cuda_test", "models_cuda_test", "models_clip_cuda_test")
FORMATS = "f32;bf16;bf16a16;w8;w4"
# The time limits of a stage's programs, in seconds.
LIMITS = {"card": 180, "tests": 600, "sanitizer": 60, "products": 300, "samplings": 240, "peers": 300}
# The works of the samplings stage: arguments of apriori bench.
WORKS = {
    "default model, f32": "--preset karlo_v1_alpha --tokens 12 --weights f32",
    "default model, bf16": "--preset karlo_v1_alpha --tokens 12 --weights bf16",
    "default model, w8": "--preset karlo_v1_alpha --tokens 12 --weights w8",
    "default model, w4": "--preset karlo_v1_alpha --tokens 12 --weights w4",
    "32 images, bf16a16": "--preset karlo_v1_alpha --tokens 12 --weights bf16a16 --samples 32",
    "256 images, bf16a16": "--preset karlo_v1_alpha --tokens 12 --weights bf16a16 --samples 256",
    "Shap-E, bf16a16": "--preset shap_e --weights bf16a16 --steps 2",
}
# Libraries that every machine with a GPU has; others are copied along with the binaries.
SYSTEM_LIBRARIES = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|cuda)\.so.*)$")


class Skipped(Exception):
    pass


class Failed(Exception):
    """A command that failed: why, its standard output, and that together with its error output."""

    def __init__(self, command, why, out, errors=""):
        self.why, self.out, self.text = why, out, out + errors
        super().__init__(f"{pathlib.Path(command[0]).name}: {why}: {' | '.join(telling(self.text))}")


class TimedOut(Failed):
    pass


def telling(text):
    """The lines of a command's output that explain a failure: from the first error of cmake, a compiler or a linker, or
    the last."""
    lines = [line.strip()[:200] for line in text.splitlines() if line.strip()]
    sign = re.compile(r"\berror( at| in| #|:)|\bfatal\b|undefined reference|cannot find", re.I)
    first = next((i for i, line in enumerate(lines) if sign.search(line)), None)
    return lines[-5:] if first is None else lines[first:first + 8]


@contextlib.contextmanager
def started(command, **more):
    """Starts a command in its own session, which ends with the block, together with everything that it started."""
    # Otherwise CUDA's first GPU is the fastest one, which need not be nvidia-smi's first.
    env = dict(more.pop("env", os.environ), CUDA_DEVICE_ORDER="PCI_BUS_ID")
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, start_new_session=True, env=env, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):  # a process that hangs in the driver may not end
                process.wait(10)


def output(command, timeout=None, **more):
    """The standard output of a command; an error with all of its output if it fails or takes too long."""
    with tempfile.TemporaryFile("w+", errors="replace") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        kind, why = Failed, None
        try:
            with started(command, stdout=out, stderr=err, **more) as process:
                code = process.wait(timeout)
                why = f"exit code {code}" if code != 0 else None
        except subprocess.TimeoutExpired:
            kind, why = TimedOut, f"not through in {timeout} s"
        out.seek(0)
        err.seek(0)
        if why:
            raise kind(command, why, out.read(), err.read())
        return out.read()


def show(command):
    """Prints the output of a command while it runs; an error if it fails."""
    lines = []
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        code = process.wait()
    if code != 0:
        raise Failed(command, f"exit code {code}", "".join(lines))


def failure(errors):
    """The fields that a stage adds to its results if a part of it failed."""
    return {"state": "failed", "reason": "failed: " + "; ".join(errors), "errors": errors} if errors else {}


class Run:
    def __init__(self, root, binaries, architectures=None):
        self.root, self.bin, self.architectures = root, binaries.resolve(), architectures

    @functools.lru_cache
    def gpu(self):
        """None if a GPU can be used, otherwise why not."""
        if not shutil.which("nvidia-smi"):
            return "there is no nvidia-smi, and so no driver"
        try:
            output(["nvidia-smi", "-L"], timeout=60)
        except Failed as error:
            return str(error)
        return None

    def needs(self, *programs):
        if why := self.gpu():
            raise Skipped(why)
        for program in programs:
            if not (self.bin / program).exists():
                raise Skipped(f"{self.bin / program} is not there; the stage build makes it")

    def program(self, name, *rest, wrapper=(), timeout=None, dependent_launches=False):
        env = dict(os.environ, **({"APRIORI_CUDA_DEPENDENT_LAUNCHES": "1"} if dependent_launches else {}))
        env["LD_LIBRARY_PATH"] = f"{self.bin / 'lib'}:{env.get('LD_LIBRARY_PATH', '')}"
        return output([*wrapper, self.bin / name, *rest], cwd=self.root, env=env, timeout=timeout)

    def built(self):
        """The description of the binaries that the build stage wrote; empty if there are none."""
        file = self.bin / "built.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def commit(self):
        try:
            return output(["git", "-C", self.root, "rev-parse", "--short", "HEAD"]).strip()
        except (Failed, OSError):  # an archive of the sources, or no git
            return "unknown"

    # ---- the stages ----

    def build(self):
        nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
        if not nvcc:
            raise Skipped("there is no nvcc; build elsewhere by scripts/gpu --build-only and name the folder with --binaries")
        folder = self.root / "build/gpu"
        architectures = self.architectures or ("native" if self.gpu() is None else "80;90")
        # Not for this machine's instruction set: the machine with the GPU may have an older one.
        show(["cmake", "-G", "Ninja", "-S", self.root, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CUDA_COMPILER={nvcc}",
              f"-DCMAKE_CUDA_ARCHITECTURES={architectures}", "-DAPRIORI_NATIVE=OFF", "-DAPRIORI_CUDA=ON", "-DAPRIORI_TEST_SCOPE=cuda",
              "-DAPRIORI_BUILD_BENCH=ON", "-DAPRIORI_BUILD_EXAMPLES=OFF", "-DAPRIORI_BUILD_PROGRAM=ON", "-DAPRIORI_DEVICES=cuda",
              "-DAPRIORI_PRESETS=karlo_v1_alpha;shap_e;digits", f"-DAPRIORI_WEIGHTS={FORMATS}"])
        show(["cmake", "--build", folder, "--target", *TESTS, "cuda_bench", "apriori_program"])
        shutil.rmtree(self.bin, ignore_errors=True)
        (self.bin / "lib").mkdir(parents=True)
        for program in [*(folder / "tests" / t for t in TESTS), folder / "bench/cuda_bench", folder / "apriori"]:
            shutil.copy2(program, self.bin)
            output(["strip", self.bin / program.name])
            for name, path in re.findall(r"(\S+) => (/\S+)", output(["ldd", program])):
                if not SYSTEM_LIBRARIES.match(name):
                    shutil.copy2(path, self.bin / "lib" / name)
        built = {"source": str(self.root), "architectures": architectures, "nvcc": output([nvcc, "--version"]).strip().splitlines()[-1],
                 "commit": self.commit()}
        (self.bin / "built.json").write_text(json.dumps(built, indent=2) + "\n", encoding="utf-8")
        return {"built": built}

    def card(self):
        self.needs("cuda_bench", "built.json")
        fields = ("name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm", "clocks.max.memory")
        query = output(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"], timeout=60)
        return {"gpu": dict(zip(fields, query.splitlines()[0].split(", "))), "built": self.built(),
                **self.benchmarks("copy|launches", "ceilings", LIMITS["card"])}

    def benchmarks(self, pattern, name, timeout):
        """Runs the benchmarks that a regular expression matches, as `name`; keeps the good results if others fail or
        time runs out."""
        errors, ran = [], []
        try:
            text = self.program("cuda_bench", f"--benchmark_filter={pattern}", "--benchmark_format=json", timeout=timeout)
        except Failed as error:
            errors.append(str(error))
            text = error.out
        # each benchmark is written when it ends, and "]}" after the last; text after a "]}" is not read
        try:
            ran = json.JSONDecoder().raw_decode(text.lstrip() + "]}")[0]["benchmarks"]
        except ValueError as error:
            errors = errors or [f"cuda_bench: {error}"]
        errors += [f"{b['name']}: {b['error_message']}" for b in ran if b.get("error_occurred")]
        return {name: [{"name": b["name"].replace("/manual_time", ""),
                        "microseconds": b["real_time"] * {"ns": 1e-3, "us": 1, "ms": 1e3}[b["time_unit"]],
                        **{k: b[k] for k in ("GB/s", "TFLOP/s") if k in b}} for b in ran if not b.get("error_occurred")], **failure(errors)}

    def tests(self):
        self.needs(*TESTS, "built.json")
        source = pathlib.Path(self.built()["source"])
        if not source.exists():  # the tests look for their data there
            source.parent.mkdir(parents=True, exist_ok=True)
            source.symlink_to(self.root)
        found, failed = {}, []
        for test, early in itertools.product(TESTS, (False, True)):
            name, why = test + (", dependent launches" if early else ""), None
            try:
                text = self.program(test, timeout=LIMITS["tests"], dependent_launches=early)
            except Failed as error:
                text, why = error.text, error.why
                failed.append(f"{name}: {why}")
            found[name] = {"passed": len(re.findall(r"^\[       OK \]", text, re.M)), "skipped": len(re.findall(r"^\[  SKIPPED \]", text, re.M)),
                           "end": text.strip().splitlines()[-30:]}
            print(f"{name}: {found[name]['passed']} passed" + (f", FAILED: {why}" if why else ""), flush=True)
        return {"tests": found, **failure(failed)}

    def sanitizer(self):
        self.needs("apriori")
        tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
        if not tool:
            raise Skipped("there is no compute-sanitizer")
        found, failed, unfinished = {}, [], []
        for check in ("memcheck", "racecheck", "initcheck", "synccheck"):
            try:
                # Of all formats, only w4 has lanes that read data that other lanes copied.
                text = self.program("apriori", "sample", "--model", "examples/digits/digits-unclip", "--device", "cuda", "--steps", "2",
                                    "--weights", "w4", "a handwritten seven", timeout=LIMITS["sanitizer"],
                                    wrapper=[tool, "--tool", check, "--error-exitcode", "9"])
                found[check] = text.strip().splitlines()[-1]
            except Failed as error:
                found[check] = [error.why, *error.text.strip().splitlines()[-10:]]
                # Taking too long is not a failure, unless the tool has printed more than its own name.
                late = isinstance(error, TimedOut) and len(re.findall("^=========", error.text, re.M)) < 2
                (unfinished if late else failed).append(f"{check}: {error.why}")
            print(f"{check}: {found[check]}", flush=True)
        return {"sanitizer": found, **({"reason": "; ".join(unfinished)} if unfinished else {}), **failure(failed)}

    def products(self):
        self.needs("cuda_bench")
        return self.benchmarks("product", "products", LIMITS["products"])

    def samplings(self):
        self.needs("apriori")
        works, errors = {}, []
        for name, rest in WORKS.items():
            begin = time.monotonic()
            try:
                found, early = (json.loads(self.program("apriori", "bench", "--device", "cuda", "--repeats", "3", "--json", *rest.split(),
                                                        timeout=LIMITS["samplings"], dependent_launches=dependent))
                                for dependent in (False, True))
            except (Failed, ValueError) as error:
                errors.append(f"{name}: {error}")
                print(f"{errors[-1]} ({time.monotonic() - begin:.0f} s)", flush=True)
                continue
            works[name] = {k: found[k] for k in ("weights", "samples", "steps", "seconds") if k in found} | {"dependent_launches": early["seconds"]}
            milliseconds = {k: f"{1e3 * v:.3g} ms" for k, v in found["seconds"].items() if k in ("step", "sample", "forward_1")}
            print(f"{name}: {milliseconds} ({time.monotonic() - begin:.0f} s)", flush=True)
        return {"works": works, **failure(errors)}

    def peers(self):
        self.needs()
        script = pathlib.Path(__file__).with_name("peers.py")
        text = output([sys.executable, script], timeout=LIMITS["peers"])
        if text.startswith("skipped: "):
            raise Skipped(text.removeprefix("skipped: ").strip())
        return {"peers": json.loads(text[text.index("{"):])}
