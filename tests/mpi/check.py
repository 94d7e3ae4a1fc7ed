#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of runs under mpirun, each a case by its name:

    tests/mpi/check.py CASE MPIRUN RANKS_PROGRAM [MORE...]

Prints what went wrong and exits 1, or exits 0. MPIRUN is the launcher, RANKS_PROGRAM the build of tests/mpi/ranks.cpp.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

# As root, with more ranks than cores, without a shell to other machines or another process's memory, as in a container: for Open MPI 4
# and 5. Other launchers take no notice.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_plm": "isolated", "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "OMPI_MCA_btl": "self,vader",
    "PRTE_ALLOW_RUN_AS_ROOT": "1", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


class wrong(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise wrong(message)


def start(ranks, program, *arguments):
    """A run under the launcher, in a group of its own."""
    return subprocess.Popen([MPIRUN, "-n", str(ranks), program, *map(str, arguments)], env={**os.environ, **ENVIRONMENT},
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True)


def finish(process, timeout=300):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise wrong(f"{process.args} did not end in {timeout} s; it said\n{out}{err}") from None
    return process.returncode, out, err


def run(ranks, *arguments, program=None):
    return finish(start(ranks, program or RANKS, *arguments))


def run_well(ranks, *arguments, program=None):
    code, out, err = run(ranks, *arguments, program=program)
    expect(code == 0, f"{ranks} ranks, {arguments}: exit code {code}\n{out}{err}")
    return out


# ---- a failure ends all ranks, with one message, and leaves nothing under the final name ----

def failures(folder):
    out = folder / "out.npy"
    for how, message in [("result", "rank 2 of 3: prompt 9: refused on purpose"), ("throw", "rank 2 of 3: thrown on purpose"),
                         ("alone", "rank 2 of 3: left alone")]:
        code, _, err = run(3, f"out={out}", "fail=2", f"how={how}", "wait=1", "resume=1")
        expect(code in (2, 3), f"how={how}: exit code {code}")
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        expect(lines == ["error: " + message], f"how={how}: the message is {lines}, not {message!r}, in\n{err}")
        expect(not out.exists(), f"how={how}: there is an output")
    code, _, err = run(3, f"out={out}", "fail=2", "how=crash", "wait=1", "resume=1")
    expect(code != 0 and not out.exists(), f"a crash: exit code {code}, output {out.exists()}")
    # every rank fails in the same way: one message, of the first
    code, _, err = run(3, "out=/nonexistent/out.npy")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    expect(code == 2 and len(lines) == 1 and lines[0].startswith("error: rank 0 of 3: /nonexistent/out.npy"),
           f"a folder that is not there: exit code {code}, {lines}")
    # a disk that is full: the limit on files is one for a process, as a quota is
    code, _, err = run(2, "-c", f"ulimit -f 1; exec {RANKS} out={folder}/full.npy", program="bash")
    expect(code != 0 and not (folder / "full.npy").exists(), f"a full disk: exit code {code}\n{err}")


CASES = {"failures": failures}

if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in CASES:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    MPIRUN, RANKS, MORE = sys.argv[2], sys.argv[3], sys.argv[4:]
    with tempfile.TemporaryDirectory(prefix="apriori-mpi-") as name:
        try:
            CASES[sys.argv[1]](pathlib.Path(name))
        except wrong as e:
            print(f"{sys.argv[1]}: {e}", file=sys.stderr)
            sys.exit(1)
