# SPDX-License-Identifier: Apache-2.0
"""The arguments of scripts/race. Needs only Python, so that they are checked before anything is installed."""
import argparse, os, pathlib, sys

from serve import CONTESTANTS
from works import MODELS, ROOT


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"scripts/race: {message}; see scripts/race --help", file=sys.stderr)
        sys.exit(2)


def arguments():
    p = Parser(prog="scripts/race", description="Times apriori against torch, ONNX Runtime and OpenVINO on the same synthetic weights, in turn, "
               "and writes docs/performance.md, docs/performance-appendix.md and the picture. A run of a part (--quick, --only, --models) writes them to the work folder instead.",
               allow_abbrev=False)
    count = lambda text: int(text) if text.isdigit() and 0 < int(text) < 1000 else p.error(f"{text!r} is not a number from 1 to 999")
    p.add_argument("--only", nargs="+", metavar="NAME", default=[], help=f"contestants: {', '.join(CONTESTANTS)}")
    p.add_argument("--models", nargs="+", metavar="NAME", default=[], help=f"models: {', '.join(MODELS)}")
    p.add_argument("--rounds", type=count, metavar="N", default=None, help="rounds of each match; 3")
    p.add_argument("--threads", type=count, metavar="N", default=len(os.sched_getaffinity(0)), help="threads of every contestant; all cores")
    p.add_argument("--quick", action="store_true", help="models of two layers, one round: does the race work?")
    p.add_argument("--program", type=pathlib.Path, metavar="FILE", help="a program that is there, instead of building one")
    p.add_argument("--work", type=pathlib.Path, metavar="DIR", default=ROOT / "build" / "race", help="folder for all that is built; build/race")
    p.add_argument("--venv", metavar="DIR", help="a virtual environment that has the peers; WORK/venv is made otherwise")
    p.add_argument("--report", action="store_true", help="write the pages of the last run's figures again, and time nothing")
    a = p.parse_args()
    for given, known, what in ((a.only, CONTESTANTS, "contestant"), (a.models, MODELS, "model")):
        for name in given:
            if name not in known: p.error(f"no {what} {name!r}; allowed: {', '.join(known)}")
    if a.program and not os.access(a.program, os.X_OK): p.error(f"--program {a.program}: no such program")
    a.rounds = a.rounds or (1 if a.quick else 3)
    a.partial = bool(a.quick or a.only or a.models)
    a.models = a.models or list(MODELS)
    a.work = a.work.resolve()
    return a


if __name__ == "__main__":
    arguments()
