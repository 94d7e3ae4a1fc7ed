# SPDX-License-Identifier: Apache-2.0
"""The race's side of a contestant: a process that serves one measurement at a time."""
import json, os, pathlib, select, subprocess, sys, time

HERE = pathlib.Path(__file__).parent


class Gone(Exception):
    """A contestant that ended, or took too long."""


class Contestant:
    """Starts serve.py for a name and a model's folder; `settings` is its own description of how it runs."""

    def __init__(self, name, folder, threads, log, patience=1800):
        self.name, self.patience, self.log = name, patience, pathlib.Path(log)
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1",
                                    "PYTHONDONTWRITEBYTECODE": "1", "TOKENIZERS_PARALLELISM": "false"}
        with open(self.log, "w") as err:
            self.process = subprocess.Popen([sys.executable, HERE / "serve.py", name, folder, str(threads)], env=environment,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True)
        try:
            self.settings = self._answer()["settings"]
        except BaseException:
            self.close()
            raise

    def _answer(self):
        until = time.monotonic() + self.patience
        while not select.select([self.process.stdout], [], [], 1)[0]:
            if time.monotonic() > until:
                raise Gone(f"{self.name}: no answer in {self.patience} s; see {self.log}")
        line = self.process.stdout.readline()
        if not line:
            last = [text for text in self.log.read_text(errors="replace").splitlines() if text.strip()][-1:]
            raise Gone(f"{self.name}: ended: {(last or ['without a word'])[0].strip()}; see {self.log}")
        return json.loads(line)

    def ask(self, do, **order):
        try:
            self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer contains the reason
        return self._answer()

    def measure(self, work):
        return self.ask("measure", work=work)["seconds"]

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
