#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of runs under mpirun, each a case by its name:

    tests/mpi/check.py CASE MPIRUN RANKS_PROGRAM [MORE...]

Prints what went wrong and exits 1, or exits 0. MPIRUN is the launcher, RANKS_PROGRAM the build of tests/mpi/ranks.cpp.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

# Runs as root, with more ranks than cores, without a shell on other machines or access to another process's memory, as
# in a container: for Open MPI 4 and 5. Other launchers ignore these variables.
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
    """A run under the launcher, in its own process group."""
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


def descendants(process):
    """The ids of a process's descendants. Open MPI's ranks have their own process groups."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue # has ended
            parents.setdefault(int(stat[stat.rindex(")") + 1:].split()[1]), []).append(int(entry.name))
    found = [process]
    for parent in found:
        found += parents.get(parent, [])
    return found[1:]


def kill(process):
    """Kills the launcher and all its ranks at once, as if a machine went down."""
    for pid in [process.pid, *descendants(process.pid)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass # has ended


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def files_in(folder):
    return sorted(p.name for p in folder.iterdir())


# ---- a failure ends all ranks, with one message, and leaves no file with the final name ----

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
    # every rank fails in the same way: one message, from the first
    code, _, err = run(3, "out=/nonexistent/out.npy")
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    expect(code == 2 and len(lines) == 1 and lines[0].startswith("error: rank 0 of 3: /nonexistent/out.npy"),
           f"a folder that is not there: exit code {code}, {lines}")
    code, _, err = run(3, f"out={folder}/unlike.npy", "unlike=1")
    expect(code == 2 and "error: rank 1 of 3: " in err and "'seed' is '8' here, and '7' in the first process" in err,
           f"ranks of another seed: exit code {code}\n{err}")
    # a full disk: the limit on files applies to each process, like a quota
    code, _, err = run(2, "-c", f"ulimit -f 1; exec {RANKS} out={folder}/full.npy", program="bash")
    expect(code != 0 and not (folder / "full.npy").exists(), f"a full disk: exit code {code}\n{err}")


# ---- a stopped run is resumed, with another number of ranks ----

def resumed(folder):
    whole, out = folder / "whole.npy", folder / "out.npy"
    part, manifest = folder / "out.npy.part", folder / "out.npy.manifest.json"
    how = ["prompts=40", "checkpoint=2", "batch=2"]
    run_well(2, f"out={whole}", *how)
    seed = int(os.environ.get("APRIORI_TEST_SEED", time.time_ns() % 100000))
    chance = random.Random(seed)
    print(f"APRIORI_TEST_SEED={seed}")
    stopped = 0
    for attempt in range(30):
        ranks = chance.choice([1, 2, 3, 4])
        process = start(ranks, RANKS, f"out={out}", *how, "wait=60", "resume=1")
        time.sleep(chance.uniform(0.3, 0.9))
        if chance.random() < 0.5: # the launcher, which ends the ranks
            process.send_signal(signal.SIGTERM)
        else:
            kill(process)
        code, _, err = finish(process)
        if code == 0:
            break
        stopped += 1
        if out.exists(): # it was stopped after its last step
            expect(sha(out) == sha(whole), f"after {stopped} stops there is an output before all is done")
            break
        if manifest.exists():
            done = json.loads(manifest.read_text())["done"]
            expect(0 <= done <= 40, f"the manifest says that {done} are done")
            print(f"{ranks} ranks stopped at {done} of 40")
    expect(stopped > 0, "no run was stopped")
    run_well(3, f"out={out}", *how, "resume=1")
    expect(sha(out) == sha(whole), f"the output differs from that of a run that was not stopped, after {stopped} stops")
    expect(not part.exists(), "a .part is left")
    expect(json.loads(manifest.read_text())["done"] == 40, "the manifest does not say that all is done")
    print(f"{stopped} stops")

    # nothing remains to be done, and nothing is done again
    before = out.stat().st_mtime_ns
    run_well(2, f"out={out}", *how, "resume=1")
    expect(out.stat().st_mtime_ns == before, "a finished run was made again")
    # another run's manifest
    code, _, err = run(2, f"out={out}", *how, "resume=1", "seed=8")
    expect(code == 2 and "rank 0 of 2: " in err and "is of another run: its 'seed' is '7', that of this run '8'" in err,
           f"another seed: exit code {code}\n{err}")
    # files of a stopped run are not overwritten
    finish(start(2, RANKS, f"out={folder}/left.npy", *how, "fail=1"))
    code, _, err = run(2, f"out={folder}/left.npy", *how)
    expect(code == 2 and "left.npy.part: was left by a run that was stopped after 0 of 40 items; go on with it (resume)" in err,
           f"a .part: exit code {code}\n{err}")


# ---- the same bytes for any number of ranks, batch and number of threads ----

def matrix(folder, few):
    """For each format, batch and number of threads: the checksums of all are the same."""
    sums = {}
    for ranks in [1, 3] if few else [1, 2, 3, 4, 7]:
        into = folder / str(ranks)
        into.mkdir()
        run_well(ranks, f"matrix={into}", "prompts=70" if not few else "prompts=12", *(["few=1"] if few else []))
        for file in into.glob("*.npy"):
            sums.setdefault(file.name.split(".")[0], {}).setdefault(sha(file), []).append(f"{ranks} ranks, {file.name}")
    expect(sorted(sums) == ["bf16", "f32", "w8a8"], f"formats: {sorted(sums)}")
    for name, kinds in sums.items():
        expect(len(kinds) == 1, f"{name} has {len(kinds)} different outputs: {json.dumps(kinds, indent=1)}")
        count = len(next(iter(kinds.values())))
        print(f"{name}: {next(iter(kinds))} {count} times")
        expect(count == (2 * 3 if few else 5 * 6), f"{name}: {count} outputs")
    expect(len({next(iter(k)) for k in sums.values()}) == 3, "formats of different precision gave the same numbers")


# ---- one packed file for all ranks of a machine ----

def packed(folder):
    image, plain, mapped, copied = (folder / n for n in ["image", "plain.npy", "mapped.npy", "copied.npy"])
    run_well(1, f"pack={image}")
    run_well(1, f"out={plain}")
    for ranks in [1, 2, 4]:
        out = run_well(ranks, f"out={mapped}", f"packed={image}", "pss=1")
        expect(sha(mapped) == sha(plain), f"{ranks} ranks with a packed file give other numbers")
        shares = [(int(p), int(r)) for p, r in re.findall(r"pss (\d+) rss (\d+)", out)]
        expect(len(shares) == ranks, f"no share of {ranks}: {out}")
        kilobytes = image.stat().st_size / 1024
        for pss, rss in shares:
            expect(rss > 0.5 * kilobytes, f"a rank has mapped {rss} of {kilobytes:.0f} KiB")
            expect(pss <= kilobytes / ranks * 1.05, f"a rank of {ranks} holds {pss} KiB of {kilobytes:.0f}")
        print(f"{ranks} ranks: Pss {[p for p, _ in shares]} KiB of {kilobytes:.0f}")
    out = run_well(2, f"out={copied}", f"packed={image}", "replica=1", "pss=1", "threads=2")
    expect(sha(copied) == sha(plain), "a copy of a packed file gives other numbers")


# ---- the program ----

def program(folder):
    """MORE: the program without MPI, and with it; the folder of the digits model."""
    alone, ours, model = MORE
    prompts = folder / "prompts.jsonl"
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    prompts.write_text("\n".join(json.dumps({"prompt": f"a handwritten {d}", "seed": i, "num_images_per_prompt": 2})
                                 for i, d in enumerate(digits)) + "\n\n")
    how = ["sample", "--model", model, "--mask-text-encoder", "--threads", "1", "--batch", prompts]
    short, long = ["--steps", "4"], ["--steps", "900"]

    def serial(*arguments):
        done = subprocess.run([alone, *map(str, arguments)], capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"{arguments}: exit code {done.returncode}\n{done.stdout}{done.stderr}")

    serial(*how, *short, "--out", folder / "alone.npy")
    serial(*how, *short, "--out", folder / "alone")
    files = {name: sha(folder / "alone" / name) for name in files_in(folder / "alone")}
    expect(len(files) == len(digits), f"a folder of {len(files)} files")
    for ranks in [1, 3]:
        out = run_well(ranks, *how, *short, "--out", folder / f"{ranks}.npy", program=ours)
        expect(sha(folder / f"{ranks}.npy") == sha(folder / "alone.npy"), f"{ranks} ranks give another .npy")
        expect(out.count("2 samples of 10 prompts in ") == 1, f"{ranks} ranks say\n{out}")
        run_well(ranks, *how, *short, "--out", folder / str(ranks), program=ours)
        ours_now = {name: sha(folder / str(ranks) / name) for name in files_in(folder / str(ranks))}
        expect(ours_now == files, f"{ranks} ranks give other files: {ours_now}, not {files}")

    # killed, and resumed by the program without MPI
    process = start(2, ours, *how, *long, "--out", folder / "stopped.npy")
    until = time.monotonic() + 60
    while not (folder / "stopped.npy.part").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    kill(process)
    code, _, err = finish(process)
    expect(code != 0 and not (folder / "stopped.npy").exists(), f"killed: exit code {code}, {files_in(folder)}\n{err}")
    expect((folder / "stopped.npy.part").exists(), f"nothing is left to go on with\n{err}")
    serial(*how, *long, "--out", folder / "stopped.npy", "--resume")
    serial(*how, *long, "--out", folder / "not_stopped.npy")
    expect(sha(folder / "stopped.npy") == sha(folder / "not_stopped.npy"), "a stopped run gives another .npy")

    def refused(message, *arguments):
        code, _, err = run(3, *arguments, *short, program=ours)
        lines = [line for line in err.splitlines() if line.startswith("apriori: ")]
        expect(code == 2 and len(lines) == 1 and message in lines[0], f"{arguments}: exit code {code}, not {message!r} but\n{err}")

    refused("--resumee", *how, "--out", folder / "3.npy", "--resumee")
    refused("is of another run: its 'guidance' is '4', that of this run '3'", *how, "--out", folder / "3.npy", "--resume",
            "--guidance", "3")
    refused("need a file, which can be read again", *how[:-1], "-", "--out", folder / "x.npy")
    with prompts.open("a") as file:
        file.write('{"prompt": "a handwritten one", "num_images_per_prompt": 3}\n')
    refused("prompts.jsonl:12: num_images_per_prompt 3: all lines of one .npy have as many rows, that of the first 2", *how,
            "--out", folder / "3.npy", "--resume")


# ---- the files of examples/hpc for clusters ----

def rows_of(path):
    """The numbers of a .npy of version 1 as bytes."""
    data = pathlib.Path(path).read_bytes()
    return data[10 + int.from_bytes(data[8:10], "little"):]


def scripts(folder):
    """MORE: the program without MPI, and with it; the folder of the digits model; examples/hpc."""
    alone, ours, model, hpc = MORE
    hpc = pathlib.Path(hpc)
    # Bash reads the shell parts of the image's definition, and all files that it copies exist.
    sections = re.split(r"^%(\w+)\n", (hpc / "apriori.def").read_text(), flags=re.MULTILINE)
    shell = dict(zip(sections[1::2], sections[2::2]))
    expect(sorted(shell) == ["files", "post", "runscript", "test"], f"apriori.def has the sections {sorted(shell)}")
    expect(re.search(r"^Bootstrap: docker\nFrom: debian:", sections[0], re.MULTILINE), "apriori.def names no system to start from")
    for line in shell.pop("files").split("\n"):
        if line.strip():
            expect((hpc.parent.parent / line.split()[0]).exists(), f"apriori.def copies {line.split()[0]}, which is not there")
    for name, text in [*shell.items(), *((p.name, p.read_text()) for p in hpc.glob("*.sbatch"))]:
        read = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        expect(read.returncode == 0 and not read.stderr, f"{name}: {read.stderr}")

    prompts = folder / "prompts.jsonl"
    prompts.write_text("".join(f'{{"prompt": "a handwritten {d}", "seed": {i}}}\n'
                               for i, d in enumerate(["one", "two", "three", "four", "five", "six", "seven"])))
    more = ["--mask-text-encoder", "--steps", "3"]

    def submit(script, program, out, **variables):
        tools = folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "apriori").unlink(missing_ok=True)
        (tools / "apriori").symlink_to(program)
        environment = {**os.environ, **ENVIRONMENT, "PATH": f"{tools}:{os.environ['PATH']}", "SLURM_CPUS_PER_TASK": "1", **variables}
        done = subprocess.run([hpc / script, model, prompts, out, *more], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=120)
        expect(done.returncode == 0, f"{script}: exit code {done.returncode}\n{done.stdout}{done.stderr}")

    whole = folder / "whole.npy"
    submit("mpi.sbatch", ours, whole, APRIORI_LAUNCHER=f"{MPIRUN} -n 2")
    for again in range(2): # the second time nothing remains to be done
        for task in range(3):
            submit("array.sbatch", alone, folder / "parts", SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT="3")
        parts = sorted((folder / "parts").glob("*.npy"))
        expect(len(parts) == 3, f"three tasks made {parts}")
        expect(b"".join(map(rows_of, parts)) == rows_of(whole), "the tasks of an array give other numbers than ranks")


CASES = {"failures": failures, "resumed": resumed, "packed": packed, "few": lambda folder: matrix(folder, True),
         "matrix": lambda folder: matrix(folder, False), "program": program, "scripts": scripts}

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
