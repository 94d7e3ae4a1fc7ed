# SPDX-License-Identifier: Apache-2.0
"""Lines that say what is running and how long it will take."""
import sys, time


class Progress:
    """`ahead`: the kinds of all work to be done, one entry each. The remaining time is estimated from the times of each
    kind so far."""

    def __init__(self, ahead):
        self.ahead, self.took, self.total, self.done = list(ahead), {}, len(ahead), 0

    def run(self, kind, work):
        """Does one of the works ahead."""
        start = time.monotonic()
        print(f"[{self.done + 1}/{self.total}] {kind}{self._left()}", file=sys.stderr, flush=True)
        try:
            return work()
        finally:
            self.took.setdefault(kind, []).append(time.monotonic() - start)
            self.skip(kind)

    def skip(self, kind):
        if kind in self.ahead:
            self.ahead.remove(kind)
            self.done += 1

    def _left(self):
        if not self.took: return ""
        mean = {k: sum(v) / len(v) for k, v in self.took.items()}
        usual = sum(mean.values()) / len(mean)
        minutes = sum(mean.get(k, usual) for k in self.ahead) / 60
        return f", about {minutes:.0f} min left" if minutes >= 1.5 else f", about {60 * minutes:.0f} s left"
