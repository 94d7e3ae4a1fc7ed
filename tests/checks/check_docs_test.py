#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_docs extracts all marked blocks and nothing else, and rejects documents that would silently not be tested."""
import pathlib
import subprocess
import sys
import tempfile

DOCUMENT = """# Title
```cpp compile
#include <vector>
int main() { return 0; }
```
```cpp
not marked, not taken
```
````md
```cpp compile
inside of a longer fence, not taken
```
````
    text
```cpp compile
struct a {};
```
"""

with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder) / "out"
    document = pathlib.Path(folder) / "guide.md"

    def run(text):
        document.write_text(text)
        return subprocess.run([sys.executable, sys.argv[1], out, document], capture_output=True, text=True)

    done = run(DOCUMENT)
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == [f"guide.1 {out}/guide.1.cpp run", f"guide.2 {out}/guide.2.cpp compile"], done
    assert (out / "guide.1.cpp").read_text() == f'#line 3 "{document}"\n#include <vector>\nint main() {{ return 0; }}\n'
    assert (out / "guide.2.cpp").read_text() == f'#line 16 "{document}"\nstruct a {{}};\n'

    done = run("text\n```cpp compile\nint a;\n")
    assert done.returncode == 1 and "guide.md:2: this ``` block is not closed" in done.stderr, done

    done = run("text\n```\nint a;\n```\n")
    assert done.returncode == 1 and "guide.md:2: this ``` block does not say its language" in done.stderr, done
    done = run("```text\nno code\n```\n\n````\n```cpp compile\n```\n````\n")
    assert done.returncode == 1 and "guide.md:5: this ```` block does not say its language" in done.stderr, done

    def run_on(*patterns):
        return subprocess.run([sys.executable, sys.argv[1], out, *patterns], capture_output=True, text=True)

    document.write_text(DOCUMENT)
    (pathlib.Path(folder) / "more.md").write_text("```sh run\ntrue\n```\n")
    done = run_on(f"{folder}/*.md")
    assert done.returncode == 0, done
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["guide.1", "guide.2", "more.1"], done
    done = run_on(document, f"{folder}/pipelines/*.md")
    assert done.returncode == 1 and "pipelines/*.md names no file" in done.stderr, done
    done = run_on()
    assert done.returncode == 1 and "no document is given" in done.stderr, done
