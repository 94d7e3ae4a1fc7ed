# SPDX-License-Identifier: Apache-2.0
"""A bar chart, as SVG by hand: seconds of the 25 guided steps of every contestant."""
from html import escape

from bars import seconds
from report import TITLES, bars_formats
from results import median
from works import STEPS

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 26, 250, 80, 44
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
    bars = rows(results)
    height, longest = TOP + ROW * len(bars) + 16, max((s for _, s, _ in bars), default=1.0)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
           'font-family="system-ui, sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="16" y="26" font-size="15" font-weight="600" fill="#1b1f23">{STEPS} guided steps of the default model, '
           f'12-token prompt, {results.data["options"]["threads"]} cores</text>']
    for i, (label, s, colour) in enumerate(bars):
        y, length = TOP + i * ROW, max(1.0, s / longest * (WIDTH - LEFT - RIGHT))
        out += [f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end" fill="#1b1f23">{escape(label)}</text>',
                f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>',
                f'<text x="{LEFT + length + 6:.1f}" y="{y + 16}" fill="#1b1f23">{seconds(s)}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"
