# SPDX-License-Identifier: Apache-2.0
"""Horizontal bars as SVG, for scripts/race and scripts/bench-variants."""
from html import escape

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 26, 250, 80, 44


def svg(title, bars):
    """bars: [(label, value, the value as text, colour)], drawn from the top, scaled to the largest value."""
    height, largest = TOP + ROW * len(bars) + 16, max((value for _, value, _, _ in bars), default=1.0)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
           'font-family="system-ui, sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="16" y="26" font-size="15" font-weight="600" fill="#1b1f23">{escape(title)}</text>']
    for i, (label, value, text, colour) in enumerate(bars):
        y, length = TOP + i * ROW, max(1.0, value / largest * (WIDTH - LEFT - RIGHT))
        out += [f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end" fill="#1b1f23">{escape(label)}</text>',
                f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" rx="2" fill="{colour}"/>',
                f'<text x="{LEFT + length + 6:.1f}" y="{y + 16}" fill="#1b1f23">{escape(text)}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"
