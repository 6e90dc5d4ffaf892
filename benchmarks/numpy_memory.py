"""What it costs and gains that NumPy's own arrays take their memory from the engine: plain NumPy calls, both ways.

    python benchmarks/numpy_memory.py [rounds]

Each way is a process of its own (the option numpy_memory is read at import), by turns; the best time of each row counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def seconds(call: Callable[[], Any], calls: int, repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, time.perf_counter() - begin)
    return best / calls


def rows() -> dict[str, float]:
    import manycore.numpy  # noqa: F401

    rng = np.random.default_rng(0)
    a, medium, three = rng.random(10**7), rng.random(100_000), np.arange(3.0)
    wave, matrix, vector = a[: 2**20].copy(), rng.random((1500, 1500)), rng.random(1500)
    large: dict[str, Callable[[], Any]] = {
        "np.sort(a), 1e7": lambda: np.sort(a),
        "np.fft.fft(a), 2**20": lambda: np.fft.fft(wave),
        "np.random.rand(1e7)": lambda: np.random.rand(10**7),
        "np.linalg.solve, 1500": lambda: np.linalg.solve(matrix, vector),
        "a + a, 1e7": lambda: a + a,
        "a.copy(), 1e7": lambda: a.copy(),
        "np.zeros(3e6).fill(1)": lambda: np.zeros(3 * 10**6).fill(1),
        "np.fromiter, 2e6": lambda: np.fromiter(range(2 * 10**6), float),
    }
    small: dict[str, Callable[[], Any]] = {
        "a + a, 3": lambda: three + three,
        "a + a, 1e5": lambda: medium + medium,
        **{f"np.empty({size})": lambda size=size: np.empty(size) for size in (1, 300, 5000, 20_000)},  # type: ignore[misc]
        **{f"np.zeros({size})": lambda size=size: np.zeros(size) for size in (4, 5000, 100_000)},  # type: ignore[misc]
    }
    found = {name: seconds(call, 1, 5) for name, call in large.items()}
    return found | {name: seconds(call, 2000, 15) for name, call in small.items()}


def main() -> None:
    if sys.argv[1:] == ["--child"]:
        print(json.dumps(rows()))
        return
    best: dict[str, dict[str, float]] = {"0": {}, "1": {}}
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        for way, found in best.items():
            environment = dict(os.environ, MANYCORE_NUMPY_MEMORY=way)
            child = subprocess.run([sys.executable, __file__, "--child"], env=environment, capture_output=True, check=True)
            for name, took in json.loads(child.stdout).items():
                found[name] = min(took, found.get(name, took))
    print(f"{'':24}{'its own':>12}{'engine':>12}  ratio")
    for name, plain in best["0"].items():
        print(f"{name:24}{plain * 1e6:9.2f} us{best['1'][name] * 1e6:9.2f} us{plain / best['1'][name]:7.2f}")


if __name__ == "__main__":
    main()
