# SPDX-License-Identifier: Apache-2.0
"""The rows of the race in NumPy, for comparison: in_numpy.py FOLDER ROWS.json [--quick]

FOLDER has the operands and results that `expression_race --dump` writes, ROWS.json its lines about rows. Prints a line
of JSON for each time, as expression_race does. A row whose result differs from that of the plain loops is reported on
stderr and left out."""
import json
import pathlib
import statistics
import sys
import time

import numpy as np

FILTER = np.array([[0.05, 0.1, 0.15], [0.2, -0.3, 0.25], [0.35, 0.12, 0.08]], np.float32)
POLYNOMIAL = [np.float32(c) for c in (0.5, -1.0, 0.25, 0.75, -0.5, 0.125, 0.3, -0.2, 0.1)]
HALF, TWO = np.float32(0.5), np.float32(2)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pairwise(a, b):
    return (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - TWO * (a @ b.T)


def mlp(x, A, a, B, b, C, c):
    h = np.maximum(x @ A.T + a, 0)
    return np.maximum(h @ B.T + b, 0) @ C.T + c


def lstm(x, h, c, W, b):
    i, f, g, o = np.split(np.concatenate([x, h], 1) @ W.T + b, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def convolution(x):
    n = x.shape[0] - 2
    return sum(FILTER[i, j] * x[i:i + n, j:j + n] for i in range(3) for j in range(3))


def average(x):
    n = x.shape[0] - 7
    return sum(x[i:i + n] for i in range(8)) * np.float32(1 / 8)


def log_sum_exp(x):
    top = x.max(1, keepdims=True)
    return np.log(np.exp(x - top).sum(1, keepdims=True)) + top


def polynomial(x):
    y = POLYNOMIAL[8]
    for c in POLYNOMIAL[7::-1]: y = y * x + c
    return y


def complex_product(a, b):
    return (a.view(np.complex64) * b.view(np.complex64)).view(np.float32)


def where(x, a, b, c):
    return np.where(x > HALF, a, np.where(x > 0, b, np.where(x > -HALF, c, x)))


def pixels(n):
    return min(n, 1 << 18)


# row: (the shapes of its operands, the expression). The last operand of `gather` is its indices.
ROWS = {
    "saxpy": (lambda n: [(n,)] * 3, lambda x, y, z: HALF * (TWO * x + y) + z),
    "nhwc": (lambda n: [(n, 3), (3,), (3,)], lambda x, m, d: (x - m) / d),
    "nchw": (lambda n: [(n // pixels(n), 3, pixels(n)), (3, 1), (3, 1)], lambda x, m, d: (x - m) / d),
    "softmax": (lambda n: [(n, 256)], lambda x: softmax(x, 1)),
    "pairwise": (lambda n: [(n, 8)] * 2, pairwise),
    "mlp": (lambda n: [(n, 32), (64, 32), (64,), (64, 64), (64,), (8, 64), (8,)], mlp),
    "attention": (lambda n: [(n, 64, 32)] * 3, lambda q, k, v: softmax(q @ k.transpose(0, 2, 1) * np.float32(32 ** -0.5), 2) @ v),
    "lstm": (lambda n: [(n, 32)] * 3 + [(128, 64), (128,)], lstm),
    "kalman": (lambda n: [(n, 6, 6), (6, 6), (6, 6)], lambda P, F, Q: F @ P @ F.T + Q),
    "products3": (lambda n: [(n, 3, 3)] * 2, lambda a, b: a @ b),
    "products4": (lambda n: [(n, 4, 4)] * 2, lambda a, b: a @ b),
    "convolution": (lambda n: [(n + 2, n + 2)], convolution),
    "outer_sum": (lambda n: [(n, 256)], lambda x: x.sum(0, keepdims=True)),
    "average": (lambda n: [(n + 7,)], average),
    "masked_mean": (lambda n: [(n, 256)] * 2, lambda x, m: np.where(m > 0, x, 0).sum(1, keepdims=True) / m.sum(1, keepdims=True)),
    "log_sum_exp": (lambda n: [(n, 256)], log_sum_exp),
    "polynomial": (lambda n: [(n,)], polynomial),
    "complex": (lambda n: [(n, 2)] * 2, complex_product),
    "gather": (lambda n: [(2 * n, 64), (64,)], lambda table, s, rows: table[rows] * s),
    "outer": (lambda n: [(n,)] * 2, lambda u, v: u[:, None] * v[None]),
    "dot": (lambda n: [(n,)] * 2, lambda x, y: np.dot(x, y)),
    "where": (lambda n: [(n,)] * 4, where),
}


def agrees(folder, name, n, number):
    shapes, f = ROWS[name]
    operands = [np.fromfile(folder / f"{name}.in{i}", number).reshape(s) for i, s in enumerate(shapes(n))]
    if (folder / f"{name}.indices0").exists(): operands.append(np.fromfile(folder / f"{name}.indices0", np.int32))
    found = f(*operands)
    for i, part in enumerate(found if isinstance(found, tuple) else (found,)):
        expected = np.fromfile(folder / f"{name}.out{i}", number)
        if not np.allclose(np.ravel(part), expected, rtol=2e-4, atol=2e-4): return False
    return True


def random(name, n, number):
    generator = np.random.default_rng(1)
    operands = [generator.random(s, number) * number(2) - number(1) for s in ROWS[name][0](n)]
    if name == "gather": operands.append(generator.integers(0, 2 * n, n, np.int32))
    if name == "masked_mean": operands[1] = (operands[1] > -HALF).astype(np.float32)
    return operands


def time_of(f, operands, rounds, least):
    def once(repeats):
        start = time.perf_counter()
        for _ in range(repeats): f(*operands)
        return (time.perf_counter() - start) / repeats
    first = once(1)
    repeats = max(1, int(least / (once(1) + 1e-9)))
    return first if first > 3 else statistics.median(once(repeats) for _ in range(rounds))


def main():
    folder, quick = pathlib.Path(sys.argv[1]), "--quick" in sys.argv
    for row in map(json.loads, pathlib.Path(sys.argv[2]).read_text().splitlines()):
        if row["kind"] != "row": continue
        name, number = row["row"], {"float": np.float32, "double": np.float64}[row["type"]]
        if not agrees(folder, name, row["sizes"][0], number):
            print(f"{name}, NumPy: another result than the plain loops'", file=sys.stderr)
            continue
        for size, n in zip(("L1", "L2", "memory"), row["sizes"]):
            if size == "memory" and quick: continue
            seconds = time_of(ROWS[name][1], random(name, n, number), 3 if size == "memory" else 5 if quick else 15, 2e-4 if quick else 1e-3)
            print(json.dumps({"kind": "time", "row": name, "size": size, "threads": 1, "library": "NumPy", "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
