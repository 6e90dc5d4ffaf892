"""joblib's Parallel: manycore's backend beside loky's and joblib's threads, in turn, each call's results checked.

A first call is a fresh process that has imported what it needs: from the call to its results. Every task
returns where it ran. The calls that are warm have run once before.
Run: python -m benchmarks.parallel [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import joblib
import manycore.parallel  # noqa: F401  (makes the backend's name known)
import numpy

from benchmarks.harness import markdown, save, seconds_text
from benchmarks.parallel_tasks import doubled, total

BACKENDS = ("manycore", "loky", "threading")
FIRST = """
import sys, time
import joblib
from benchmarks.parallel_tasks import doubled
if sys.argv[1] == "manycore":
    import manycore.parallel
begin = time.perf_counter()
found = joblib.Parallel(n_jobs=2, backend=sys.argv[1])(joblib.delayed(doubled)(i) for i in range(2))
assert [value for value, _ in found] == [0, 2]
print(time.perf_counter() - begin)
"""


def parallel(backend: str, function: Callable[[Any], tuple[Any, int]], items: list[Any]) -> list[Any]:
    found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(function)(item) for item in items)
    here = {pid for _, pid in found} == {os.getpid()}
    assert here == (backend == "threading"), f"{backend}: the tasks ran in {found[0][1]}"
    return [value for value, _ in found]


def first_call(backend: str) -> float:
    done = subprocess.run([sys.executable, "-c", FIRST, backend], capture_output=True, text=True, check=True)
    return float(done.stdout)


def timed(backend: str, function: Callable[[Any], tuple[Any, int]], items: list[Any], values: list[Any]) -> float:
    begin = time.perf_counter()
    found = parallel(backend, function, items)
    seconds = time.perf_counter() - begin
    assert found == values
    return seconds


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    array = numpy.arange(8 << 20, dtype=float)
    many = list(range(20_000))
    cases: list[tuple[str, float | None, int, Callable[[str], float]]] = [
        ("first call of a process, two tasks", 0.02, 1, first_call),
        ("a warm call, two tasks", 0.0005, 1, lambda backend: timed(backend, doubled, [1, 2], [2, 4])),
        ("20,000 small tasks, each", 5e-6, len(many), lambda backend: timed(backend, doubled, many, [2 * i for i in many])),
        (
            "one array of 64 MiB to two tasks that sum it",
            0.012,
            1,
            lambda backend: timed(backend, total, [array] * 2, [array.sum()] * 2),
        ),
    ]
    rows, results = [], []
    for name, goal, tasks, measure in cases:
        seconds: dict[str, list[float]] = {backend: [] for backend in BACKENDS}
        for backend in BACKENDS:
            measure(backend)
        for _ in range(rounds):
            for backend in BACKENDS:
                seconds[backend].append(measure(backend) / tasks)
        medians = {backend: statistics.median(found) for backend, found in seconds.items()}
        rows.append((name, *(seconds_text(medians[backend]) for backend in BACKENDS), seconds_text(goal) if goal else ""))
        results.append({"name": name, "goal": goal, "seconds": medians, "all": seconds})
    table = markdown(("joblib.Parallel, n_jobs=2", *BACKENDS, "goal"), rows)
    print(table)
    save("parallel", {"summary": table, "rounds": rounds, "cases": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
