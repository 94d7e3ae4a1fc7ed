# SPDX-License-Identifier: Apache-2.0
"""Checks and times the device cuda on this machine's GPU, and writes what it found to a file and a page.

usage: scripts/gpu [--out FILE] [--page FILE] [--stages NAME,...] [--binaries DIR] [--build-only] [--architectures LIST]

Stages, in order, with their longest times; one that fails does not stop the others:
  build       the tests, the benchmarks and the program, by nvcc, into build/gpu; with --binaries DIR what another machine built; no limit
  card        the GPU, its driver, copy bandwidth, what a launch takes; 3 minutes
  tests       all tests of the device, and the models against what diffusers recorded; 6 runs, 10 minutes each
  sanitizer   compute-sanitizer's memcheck, racecheck, initcheck and synccheck; a minute each
  products    a block's products: rows and formats; 5 minutes
  samplings   steps, samplings and forwards of the default model and Shap-E; 14 runs, 4 minutes each
  peers       diffusers in torch on the same GPU: eager, compiled, and as a CUDA graph; 5 minutes

Several calls can share the stages: those that the file of --out holds from calls before are kept, until they run again.
GTEST_FILTER in the environment names the tests to run.

  --out FILE        what was found, JSON, whole after every stage: build/gpu/gpu.json
  --page FILE       a page of it: docs/performance-cuda.md; only where card and samplings are ok
  --stages LIST     these alone
  --binaries DIR    as --build-only left them in build/gpu/bin: the machine needs no nvcc
  --build-only      builds and gathers all of it in build/gpu/bin, with the shared libraries that it needs; it needs no GPU
  --architectures LIST  compute capabilities to build for, in tenths, with semicolons: that of the GPU, or without one 80;90

The stage `peers` runs where this python has torch and diffusers (PYTHON=python names another). A stage that cannot run says why and
is skipped; what was found of it before stays. Exits 1 when a stage of this call failed, 3 when there is no GPU that can be used, and 2
for wrong arguments.
"""
import argparse
import json
import os
import pathlib
import signal
import sys
import time

import page
import stages

NAMES = ("build", "card", "tests", "sanitizer", "products", "samplings", "peers")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def arguments():
    about, _, rest = __doc__.partition("usage: ")
    parser = argparse.ArgumentParser(prog="scripts/gpu", usage=rest.partition("\n")[0], description=about + rest.partition("\n")[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help=argparse.SUPPRESS, type=pathlib.Path, default=ROOT / "build/gpu/gpu.json")
    parser.add_argument("--page", help=argparse.SUPPRESS, type=pathlib.Path, default=ROOT / "docs/performance-cuda.md")
    parser.add_argument("--stages", help=argparse.SUPPRESS, default=",".join(NAMES))
    parser.add_argument("--binaries", help=argparse.SUPPRESS, type=pathlib.Path)
    parser.add_argument("--build-only", help=argparse.SUPPRESS, action="store_true")
    parser.add_argument("--architectures", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.stages = options.stages.split(",")
    for name in options.stages:
        if name not in NAMES:
            parser.error(f"--stages: there is no stage {name!r}; there are {', '.join(NAMES)}")
    if options.binaries and not (options.binaries / "built.json").exists():
        parser.error(f"--binaries {options.binaries}: no built.json there; scripts/gpu --build-only writes build/gpu/bin")
    return options


def write_whole(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def found_before(path):
    """The stages in the file of an earlier call; empty if the file is missing or incomplete."""
    try:
        stages_before = json.loads(path.read_text(encoding="utf-8"))["stages"]
        return {name: stages_before[name] for name in NAMES if "state" in stages_before.get(name, {})}
    except FileNotFoundError:
        return {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        print(f"{path}: begun anew, for it is not what scripts/gpu writes ({error})")
        return {}


def main():
    options = arguments()
    # Programs run in their own sessions, which signals to this one do not reach: an exception ends them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    kept, now = found_before(options.out), {}
    run = stages.Run(ROOT, options.binaries or ROOT / "build/gpu/bin", options.architectures)
    for name in ("build",) if options.build_only else options.stages:
        if name == "build" and options.binaries:
            continue
        print(f"==== {name}", flush=True)
        begin = time.monotonic()
        try:
            outcome = {"state": "ok", **getattr(run, name)()}
        except stages.Skipped as why:
            outcome = {"state": "skipped", "reason": str(why)}
        except Exception as error:  # whatever goes wrong in a stage, the next ones still run
            outcome = {"state": "failed", "reason": str(error) if isinstance(error, stages.Failed) else f"{type(error).__name__}: {error}"}
        outcome |= {"seconds": round(time.monotonic() - begin, 1), "date": time.strftime("%Y-%m-%d"),
                    "commit": run.built().get("commit", "unknown")}
        now[name] = outcome
        if outcome["state"] != "skipped" or kept.get(name, outcome)["state"] == "skipped":
            kept[name] = outcome
        found = {"date": outcome["date"], "stages": {n: kept[n] for n in NAMES if n in kept}}
        write_whole(options.out, json.dumps(found, indent=2) + "\n")
        print(f"==== {name}: {outcome['state']} in {outcome['seconds']} s" + (f": {outcome['reason']}" if "reason" in outcome else ""),
              flush=True)
    if now:
        print(f"written: {options.out}")
    if any(s["state"] != "skipped" for s in now.values()) and page.complete(found):
        write_whole(options.page, page.text(found))
        print(f"written: {options.page}")
    if any(s["state"] == "failed" for s in now.values()):
        return 1
    return 0 if options.build_only or run.gpu() is None else 3


if __name__ == "__main__":
    sys.exit(main())
