#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds examples/web, opens the page in Chromium, and checks the claims of docs/web.md: its size, and that its
embeddings are those of the program.

    web.py CHROMIUM PROGRAM SOURCE BUILD_DIR

Writes digits.png and digits-dark.png, pictures of the page, to BUILD_DIR.
"""
import json
import pathlib
import struct
import subprocess
import sys

import devtools

MOST_BYTES = 5_000_000
TOLERANCE = 1e-5  # of the largest number: 25 steps in float32, each with a guidance of 4
IMAGES = 8
PROMPTS = ["a handwritten three", "bold wide eight", "thin narrow one leaning left", "ZERO, été Σ٣½ 五!", ""]

failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def floats(npy):
    """The numbers of a .npy of float32."""
    content = npy.read_bytes()
    data = content[10 + struct.unpack_from("<H", content, 8)[0]:]
    return struct.unpack(f"<{len(data) // 4}f", data)


def of_program(program, model, prompt, seed, out):
    subprocess.run([program, "sample", prompt, "--model", model, "--weights", "w8", "--mask-text-encoder", "--samples",
                    str(IMAGES), "--seed", str(seed), "--out", out], check=True, stdout=subprocess.DEVNULL)
    return floats(out)


def of_page(page, first, second, seed, mix):
    return page.value(f"""(() => {{
        digits.setPrompt(1, {json.dumps(first)});
        digits.setPrompt(2, {json.dumps(second)});
        digits.start({IMAGES}, {seed}, {mix});
        for (let i = 0; i < digits.steps; ++i) digits.step();
        return digits.embeddings().flatMap((row) => [...row]);
    }})()""")


def compare(made, expected, what):
    error = max(abs(a - b) for a, b in zip(made, expected, strict=True))
    largest = max(map(abs, expected))
    print(f"{what}: largest difference {error:.2g}, of numbers up to {largest:.3g}")
    expect(error <= TOLERANCE * largest, f"{what}: differs by {error:.2g}")


def check_numbers(page, program, source, build):
    model = source / "examples/digits/digits-unclip"
    for seed, prompt in enumerate(PROMPTS):
        expected = of_program(program, model, prompt, seed, build / "program.npy")
        compare(of_page(page, prompt, "a handwritten nine", seed, 0), expected, f"“{prompt}”")
        if seed == 0:
            compare(of_page(page, "a handwritten nine", prompt, seed, 1), expected, "the same at the other end")
            compare(of_page(page, prompt, prompt, seed, 0.5), expected, "the same between itself and itself")
    between = of_page(page, "a handwritten three", "a handwritten eight", 0, 0.5)
    ends = [of_page(page, "a handwritten three", "a handwritten eight", 0, mix) for mix in (0, 1)]
    distance = [max(abs(a - b) for a, b in zip(between, end, strict=True)) for end in ends]
    expect(min(distance) > 0.1, "half way is where an end is")


def check_page(page):
    expect(page.value("ready.then(() => at('status').textContent)") == "“a handwritten three”", "the page does not say what it shows")
    expect(page.value("at('step').textContent") == "25 of 25", "the first run is not whole")
    expect("three" in page.value("at('pictures').ariaLabel"), "the pictures are not described")
    print("one step of one image:", page.value("at('time').textContent"))
    seen = page.value("""(async () => {
        const seen = new Set();
        new MutationObserver(() => seen.add(at('step').textContent)).observe(at('step'), {childList: true});
        await run(true);
        return seen.size;
    })()""")
    expect(seen == 26, f"{seen} of the noise and 25 steps are shown")
    before = page.value("canvases[0].toDataURL()")
    page.value("at('mix').value = 50; at('mix').dispatchEvent(new Event('input'))")
    expect(page.value("finished.then(() => at('pictures').ariaLabel)").startswith("8 pictures: 50 % of the way"),
           "a drag draws nothing")
    expect(page.value("canvases[0].toDataURL()") != before, "a drag changes no picture")
    page.value("at('mix').value = 0; at('mix').dispatchEvent(new Event('input'))")
    expect(page.value("finished.then(() => canvases[0].toDataURL())") == before, "the way back draws something else")
    page.value("at('again').click()")
    expect(page.value("finished.then(() => at('noise').textContent)") == "seed 1", "other noise is none")
    expect(page.value("canvases[0].toDataURL()") != before, "other noise draws the same")
    expect(page.value("[...document.querySelectorAll('input, progress')].every((e) => e.ariaLabel || e.labels.length > 0)"),
           "an element has no label")


def check_widths(page, build):
    page.media(prefers_color_scheme="dark")
    page.value("run(false)")
    (build / "digits-dark.png").write_bytes(page.picture())
    page.size(320, 640)
    expect(page.value("document.documentElement.scrollWidth <= 320"), "the page is wider than a small phone")


def main():
    chromium, program = sys.argv[1:3]
    source, build = map(pathlib.Path, sys.argv[3:])
    build.mkdir(parents=True, exist_ok=True)
    subprocess.run([source / "examples/web/build", "--build", build], check=True)
    html = build / "digits.html"
    expect(html.stat().st_size < MOST_BYTES, f"the page has {html.stat().st_size} bytes")
    with devtools.browser(chromium) as page:
        page.media(prefers_color_scheme="light")
        page.open(html, 800, 900)
        page.value("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))")
        check_page(page)
        page.value("seed = 0; run(false)")
        (build / "digits.png").write_bytes(page.picture())
        check_widths(page, build)
        check_numbers(page, program, source, build)
        for error in page.errors:
            expect(False, f"the console says: {error}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
