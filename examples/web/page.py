#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the WebAssembly, the scripts and the style into one page.

    page.py WASM OUT
"""
import base64
import pathlib
import sys


def main(wasm, out):
    here = pathlib.Path(__file__).parent
    page = (here / "page.html").read_text(encoding="utf-8")
    parts = {f"/* {name} */": (here / name).read_text(encoding="utf-8") for name in ("page.css", "digits.js", "page.js")}
    parts[">digits.wasm<"] = f">{base64.b64encode(pathlib.Path(wasm).read_bytes()).decode()}<"
    for mark, part in parts.items():
        if page.count(mark) != 1:
            sys.exit(f"page.py: page.html has {mark} {page.count(mark)} times, not once")
        page = page.replace(mark, part)
    whole = pathlib.Path(out)
    written = whole.with_name(whole.name + ".part")  # so that it appears complete or not at all
    written.write_text(page, encoding="utf-8")
    written.replace(whole)
    print(f"{whole}: {whole.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: page.py WASM OUT")
    main(sys.argv[1], sys.argv[2])
