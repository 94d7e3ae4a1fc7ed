# SPDX-License-Identifier: Apache-2.0
"""A bar chart: the seconds of the 25 guided steps of every contestant."""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
import bar_chart

from bars import seconds
from report import TITLES, bars_formats
from results import median
from works import STEPS

OURS, PEER, TORCH = "#1f6f5c", "#9aa3ab", "#c98a2b"


def rows(results):
    """[(label, seconds, colour)], the slowest first."""
    found = []
    for name, title in TITLES.items():
        s = median(s for _, s in results.peer_seconds("karlo", name, "sample_12"))
        if s is not None: found.append((title, s, TORCH if name == "incremental" else PEER))
    for f in bars_formats(results, "karlo"):
        for work, note in (("sample", ""), ("sample_kept", ", unconditional kept")):
            s = results.our_seconds("karlo", work, weights=f)
            if s is not None and (work == "sample" or f == "f32"): found.append((f"apriori, {f}{note}", s, OURS))
    return sorted(found, key=lambda r: -r[1])


def svg(results):
    title = f'{STEPS} guided steps of the default model, 12-token prompt, {results.data["options"]["threads"]} cores'
    return bar_chart.svg(title, [(label, s, seconds(s), colour) for label, s, colour in rows(results)])
