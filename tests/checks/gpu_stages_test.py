#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu: its page shows the results, every stage says why it did not run, and a failure of one program affects
nothing else. Shell scripts take the place of the programs.

    gpu_stages_test.py PROJECT"""
import contextlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root / "scripts/gpu_stages"))
sys.dont_write_bytecode = True
import page
import stages

FOUND = {"date": "2026-01-02", "stages": {
    "card": {"state": "ok", "gpu": {"name": "A GPU", "driver_version": "1.2"}, "built": {"nvcc": "nvcc 13", "commit": "abc"},
             "ceilings": [{"name": "copy/1024", "microseconds": 5.0, "GB/s": 3000.4}, {"name": "launches/graph:1/early:0", "microseconds": 0.7}]},
    "samplings": {"state": "ok", "works": {"default model, w4": {"seconds": {"step": 0.00028, "sample": 0.0071},
                                                                    "dependent_launches": {"step": 0.0002}}},
                  "date": "2026-01-01", "commit": "abc"},
    "products": {"state": "failed", "reason": "failed: a | b", "products": [
        {"name": "product/f32/2048->8192/rows:4/min_time:0.050", "microseconds": 20.0, "GB/s": 3300.0, "TFLOP/s": 1.0},
        {"name": "product/bf16/2048->8192/rows:4/min_time:0.050", "microseconds": 10.0, "GB/s": 3200.0, "TFLOP/s": 2.0},
        {"name": "product/bf16/2048->8192/rows:512/min_time:0.050", "microseconds": 50.0, "GB/s": 300.0, "TFLOP/s": 340.0}]},
    "peers": {"state": "skipped", "reason": "No module named 'torch'"}}}
WANTED = ("A GPU, driver 1.2", "| copies of 1 GiB | 3000 GB/s read and written |", "| the same in a CUDA graph | 0.70 µs |",
          "| default model, w4 | 0.28 | 0.2 | 7.1 | – | – | – |", "| 2048->8192 | 4 | 20.0 (3300 GB/s) | 10.0 (3200 GB/s) |",
          "| 2048->8192 | 512 | – | 50.0 (340 TFLOP/s) |", "| peers | skipped: No module named 'torch' | – | – |",
          "| samplings | ok | 2026-01-01 | abc |", "| products | failed: failed: a \\| b | – | – |")

written = page.text(FOUND)
wrong = [f"the page lacks: {line}" for line in WANTED if line not in written]


def check(what, right, found):
    if not right:
        wrong.append(f"{what}: {found}")


def script(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")), encoding="utf-8")
    path.chmod(0o755)


def quietly(stage):
    with contextlib.redirect_stdout(io.StringIO()):
        return stage()


def ended(file):
    """Whether the process whose number a file contains ends soon."""
    for _ in range(50):
        try:  # it may be a zombie
            if pathlib.Path(f"/proc/{file.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def test_without_gpu(folder):
    if stages.Run(root, root).gpu() is None:
        print("there is a GPU; that its absence is reported is not tested")
        return
    out = folder / "gpu.json"

    def run(names):
        ran = subprocess.run([root / "scripts/gpu", "--out", out, "--page", folder / "page.md", "--stages", names], stdout=subprocess.DEVNULL)
        check("exit code without a GPU", ran.returncode == 3, ran.returncode)
        return json.loads(out.read_text(encoding="utf-8"))["stages"]

    found = run("card,tests,sanitizer,products,samplings,peers")
    check("stages without a GPU", len(found) == 6 and all(s["state"] == "skipped" and s["reason"] for s in found.values()), found)
    check("a page without a GPU", not (folder / "page.md").exists(), "written")

    # Earlier results are kept, even failed ones, until the stage runs again; the exit code is that of this call.
    out.write_text(json.dumps({"stages": {"tests": {"state": "failed", "reason": "before"}, "peers": {"state": "skipped", "reason": "before"},
                                          "samplings": {"state": "ok", "works": {}}}}))
    found = run("tests,peers")
    check("stages of two calls", list(found) == ["tests", "samplings", "peers"] and found["tests"]["reason"] == "before"
          and found["peers"]["reason"] != "before", found)
    check("a page without a card", not (folder / "page.md").exists(), "written")
    out.write_text('{"stages": {"card": ')
    check("a file that is not whole", list(run("peers")) == ["peers"], "not begun anew")


def gpu_here(programs):
    script(programs / "nvidia-smi", 'case "$1" in -L) echo GPU 0;; *) echo "A GPU, 1.2, 9.0, 80 GiB, 1 MHz, 2 MHz";; esac')


def built_in(folder):
    folder.mkdir()
    (folder / "built.json").write_text(json.dumps({"source": str(root), "nvcc": "nvcc 13", "commit": "abc"}))
    return stages.Run(root, folder)


def test_build(folder, programs):
    script(programs / "nvcc", "echo nvcc 13")
    script(programs / "strip", "exit 0")
    script(programs / "ldd", "exit 0")
    arguments = folder / "arguments"
    script(programs / "cmake", f'echo "$@" >>{arguments}')
    targets = [*(f"tests/{t}" for t in stages.TESTS), "bench/cuda_bench", "apriori"]
    for target in targets:
        script(folder / "build/gpu" / target)
    found = quietly(stages.Run(folder, folder / "bin").build)["built"]  # no git on PATH
    check("a build without git", found == json.loads((folder / "bin/built.json").read_text()) and found["commit"] == "unknown", found)
    check("binaries", all((folder / "bin" / pathlib.Path(t).name).exists() for t in targets), "some are not there")
    check("the instruction set of binaries", "-DAPRIORI_NATIVE=OFF" in arguments.read_text(), arguments.read_text())

    script(programs / "cmake", "echo -- looking around", "echo 'CMake Error at x.cmake:3 (message):' >&2", "echo '  apriori: fmt is missing' >&2",
           "for i in 1 2 3 4 5 6 7 8; do echo \"  called by $i\" >&2; done", "echo -- incomplete; exit 1")
    try:
        quietly(stages.Run(folder, folder / "bin").build)
    except stages.Failed as error:
        check("why a build failed", "fmt is missing" in str(error) and "looking" not in str(error) and "by 8" not in str(error), error)
    else:
        wrong.append("a build that failed passed")


def test_benchmarks(folder):
    run = built_in(folder)
    good = '{"name": "copy/64/manual_time", "real_time": 5, "time_unit": "ns", "GB/s": 3}'
    bad = '{"name": "copy/1024", "error_occurred": true, "error_message": "no memory"}'
    wanted = [{"name": "copy/64", "microseconds": 0.005, "GB/s": 3}]
    begun = f"echo '{{\"context\": {{}}, \"benchmarks\": ["
    for name, lines, reason in (("an error", (f"{begun}{good}, {bad}]}}'",), "no memory"),
                                ("an end before the end", (f"{begun}{good}'", "exit 7"), "exit code 7"),
                                ("an end behind the end", (f"{begun}{good}]}}'", "exit 7"), "exit code 7"),
                                ("a benchmark that hangs", (f"{begun}{good}'", "/bin/sleep 60"), "not through in 2 s")):
        script(folder / "cuda_bench", *lines)
        found = run.card()
        check(f"card, {name}", found["state"] == "failed" and found["ceilings"] == wanted and len(found["errors"]) == 1 and
              reason in found["reason"] and found["gpu"]["name"] == "A GPU" and found["built"]["commit"] == "abc", found)
        check(f"a page after {name}", not page.complete({"stages": {"card": found, "samplings": {"state": "ok"}}}), "complete")
    script(folder / "cuda_bench", "echo nothing")
    found = run.products()
    check("products, no JSON", found["state"] == "failed" and found["products"] == [], found)
    script(folder / "cuda_bench", f"{begun}{good}]}}'")
    check("products", run.products() == {"products": wanted}, run.products())


def test_samplings(folder):
    run = built_in(folder)
    script(folder / "apriori", 'case "$*" in *"weights w8") echo out of memory >&2; exit 1;; *"weights bf16") /bin/sleep 60;; esac',
           """echo '{"seconds": {"step": 1}}'""")
    found = quietly(run.samplings)
    check("works that fail and hang", len(found["works"]) == len(stages.WORKS) - 2 and found["state"] == "failed" and len(found["errors"]) == 2 and
          "w8: apriori: exit code 1: out of memory" in found["reason"] and "bf16: apriori: not through in 2 s" in found["reason"], found)


def test_tests(folder):
    run = built_in(folder)
    good, hanging, bad = stages.TESTS
    order = folder / "order"
    script(folder / good, "echo '[       OK ] a.b'", f'echo "$CUDA_DEVICE_ORDER" >{order}')
    script(folder / bad, "echo '[       OK ] a.b'", "echo '[  FAILED  ] a.c'", "exit 1")
    script(folder / hanging, "echo '[       OK ] a.b'", "echo '[ RUN      ] a.hangs'", "/bin/sleep 60 & echo $! >" + str(folder / "child"), "wait")
    found = quietly(run.tests)
    check("tests that fail and hang", found["errors"] == [f"{hanging}: not through in 2 s", f"{hanging}, dependent launches: not through in 2 s",
                                                         f"{bad}: exit code 1", f"{bad}, dependent launches: exit code 1"], found)
    check("a test that hangs", found["tests"][hanging]["passed"] == 1 and found["tests"][hanging]["end"][-1] == "[ RUN      ] a.hangs", found)
    check("what a test that hangs started", ended(folder / "child"), "runs on")
    check("the order of GPUs", order.read_text().strip() == "PCI_BUS_ID", order.read_text())


def test_sanitizer(folder, programs):
    run = built_in(folder)
    script(folder / "apriori", 'case "$*" in *--out*) echo no regular file >&2; exit 2;; esac', "echo 1 sample")
    script(programs / "compute-sanitizer", "echo ========= SANITIZER", 'tool=$2; shift 4', '"$@" || exit', "case $tool in",
           "racecheck) /bin/sleep 60;;", "initcheck) echo ========= Uninitialized; /bin/sleep 60;;", "synccheck) echo ========= Barrier; exit 9;;",
           "esac", "echo ========= 0 errors")
    found = quietly(run.sanitizer)
    check("sanitizer", found["sanitizer"]["memcheck"] == "========= 0 errors" and
          found["errors"] == ["initcheck: not through in 2 s", "synccheck: exit code 9"], found)
    script(programs / "compute-sanitizer", "echo ========= SANITIZER", 'test "$2" = memcheck && /bin/sleep 60', "echo ========= 0 errors")
    found = quietly(run.sanitizer)
    check("sanitizer, too slow", "state" not in found and found["reason"] == "memcheck: not through in 2 s", found)


def test_interrupt(folder):
    """A signal to scripts/gpu ends the processes that its program started."""
    built_in(folder)
    child = folder / "child"
    script(folder / "cuda_bench", f"/bin/sleep 60 & echo $! >{child}.part; /bin/mv {child}.part {child}", "wait")
    for number in (signal.SIGINT, signal.SIGTERM):
        child.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-B", root / "scripts/gpu_stages", "--binaries", folder, "--out", folder / "gpu.json", "--page",
                                    folder / "page.md", "--stages", "products"], stdout=subprocess.DEVNULL)
        for _ in range(100):
            if child.exists():
                break
            time.sleep(0.1)
        process.send_signal(number)
        code = process.wait(20)
        check(f"signal {number}", code == 128 + number and child.exists() and ended(child), f"exit code {code}")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name).resolve()
    test_without_gpu(folder)
    programs = folder / "programs"
    gpu_here(programs)
    os.environ["PATH"] = str(programs)  # only these
    stages.LIMITS = dict.fromkeys(stages.LIMITS, 2)
    test_build(folder / "build", programs)
    test_benchmarks(folder / "benchmarks")
    test_samplings(folder / "samplings")
    test_tests(folder / "tests")
    test_sanitizer(folder / "sanitizer", programs)
    test_interrupt(folder / "interrupt")

print("\n".join(wrong))
sys.exit(1 if wrong else 0)
