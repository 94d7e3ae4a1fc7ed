# SPDX-License-Identifier: Apache-2.0
"""Checks and times the device cuda on this machine's GPU, and writes what it found to a file and a page.

usage: scripts/gpu [--out FILE] [--page FILE] [--stages NAME,...] [--binaries DIR] [--build-only] [--architectures LIST]

Stages, in order; one that fails does not stop the others:
  build       the tests, the benchmarks and the program, by nvcc, into build/gpu; with --binaries DIR what another machine built
  card        the GPU, its driver, copy bandwidth, what a launch takes
  tests       all tests of the device, and the models against what diffusers recorded
  sanitizer   compute-sanitizer's memcheck, racecheck, initcheck and synccheck, a minute each at most
  products    a block's products: rows and formats
  samplings   steps, samplings and forwards of the default model and Shap-E
  peers       diffusers in torch on the same GPU: eager, compiled, and as a CUDA graph

  --out FILE        what was found, JSON, whole after every stage: build/gpu/gpu.json
  --page FILE       a page of it: docs/performance-cuda.md; only where the samplings ran
  --stages LIST     these alone
  --binaries DIR    as --build-only left them in build/gpu/bin: the machine needs no nvcc
  --build-only      builds and gathers all of it in build/gpu/bin, with the shared libraries that it needs; it needs no GPU
  --architectures LIST  compute capabilities to build for, in tenths, with semicolons: that of the GPU, or without one 80;90

The stage `peers` runs where this python has torch and diffusers (PYTHON=python names another). A stage that cannot run says why and
is skipped. Exits 1 when a stage failed, 3 when there is no GPU that can be used, and 2 for wrong arguments.
"""
import argparse
import json
import os
import pathlib
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


def main():
    options = arguments()
    found = {"date": time.strftime("%Y-%m-%d"), "stages": {}}
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
        except Exception as error:  # whatever a stage runs into, the next ones are worth their time
            outcome = {"state": "failed", "reason": f"{type(error).__name__}: {error}"}
        outcome["seconds"] = round(time.monotonic() - begin, 1)
        found["stages"][name] = outcome
        write_whole(options.out, json.dumps(found, indent=2) + "\n")
        print(f"==== {name}: {outcome['state']} in {outcome['seconds']} s" + (f": {outcome['reason']}" if "reason" in outcome else ""),
              flush=True)
    print(f"written: {options.out}")
    if found["stages"].get("samplings", {}).get("state") == "ok":
        write_whole(options.page, page.text(found))
        print(f"written: {options.page}")
    if any(s["state"] == "failed" for s in found["stages"].values()):
        return 1
    return 0 if options.build_only or run.gpu() is None else 3


if __name__ == "__main__":
    sys.exit(main())
