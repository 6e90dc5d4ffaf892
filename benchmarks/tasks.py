"""Tasks on threads: manycore.futures beside concurrent.futures, in one process, in turn.

Every task returns the identity of the thread that it ran on, which has to be one of the pool's. A
round trip is a submit and its result; hot ones follow each other, idle ones come 2 ms after the one
before; bulk is many submits and then their results; map takes a million ints (the standard's pool
fewer, since it needs many microseconds for each). What a pool of 8 idle threads takes of a core, and what
the import takes beyond concurrent.futures and multiprocessing, is measured alone.
Run: python -m benchmarks.tasks [--rounds N]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import manycore.futures

from benchmarks.harness import interleaved, markdown, median_ratio, save, seconds_text

WORKERS = 2
IDLE = 0.002
MAP_ITEMS = {"ours": 1_000_000, "standard": 20_000}
POOLS: dict[str, Callable[..., Any]] = {
    "ours": manycore.futures.ThreadPoolExecutor,
    "standard": concurrent.futures.ThreadPoolExecutor,
}
# Seconds, or a share of the standard's time.
GOALS = {"round trip, hot": 5e-6, "round trip after 2 ms idle": 0.5, "bulk": 1e-6, "map of ints": 0.3e-6}

IMPORT = """
import time
import concurrent.futures.process, concurrent.futures.thread, multiprocessing
start = time.perf_counter()
from manycore.futures import ThreadPoolExecutor
print(time.perf_counter() - start)
"""


class Bench:
    """The cases of one pool; each answers seconds for so many tasks."""

    def __init__(self, side: str) -> None:
        self.items = MAP_ITEMS[side]
        self.pool = POOLS[side](WORKERS)
        list(self.pool.map(time.sleep, [0.01] * WORKERS))  # all threads are there

    def check(self, idents: set[int]) -> None:
        assert idents <= {thread.ident for thread in self.pool._threads} and idents, "a task ran elsewhere"

    def hot(self, count: int) -> float:
        submit, task = self.pool.submit, threading.get_ident
        begin = time.perf_counter()
        idents = {submit(task).result() for _ in range(count)}
        seconds = time.perf_counter() - begin
        self.check(idents)
        return seconds

    def idle(self, count: int) -> float:
        total, idents = 0.0, set()
        for _ in range(count):
            time.sleep(IDLE)
            begin = time.perf_counter()
            idents.add(self.pool.submit(threading.get_ident).result())
            total += time.perf_counter() - begin
        self.check(idents)
        return total

    def bulk(self, count: int) -> float:
        submit, task = self.pool.submit, threading.get_ident
        begin = time.perf_counter()
        futures = [submit(task) for _ in range(count)]
        idents = {future.result() for future in futures}
        seconds = time.perf_counter() - begin
        self.check(idents)
        return seconds

    def map(self, count: int) -> float:
        """Seconds for `count` items, from a run over as many as this side takes."""
        begin = time.perf_counter()
        total = sum(self.pool.map(abs, range(self.items)))
        seconds = time.perf_counter() - begin
        assert total == self.items * (self.items - 1) // 2
        self.check(set(itertools.islice(self.pool.map(lambda _: threading.get_ident(), range(100)), 100)))
        return seconds / self.items * count


def idle_share(seconds: float = 1.0) -> float:
    """Processor time of a pool that has nothing to do, as a share of one core."""
    with manycore.futures.ThreadPoolExecutor(8) as pool:
        barrier = threading.Barrier(8)
        list(pool.map(lambda _: barrier.wait(), range(8)))
        time.sleep(0.01)
        begin = time.process_time()
        time.sleep(seconds)
        return (time.process_time() - begin) / seconds


def import_seconds(rounds: int) -> float:
    command = [sys.executable, "-c", IMPORT]
    return statistics.median(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(rounds)
    )


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    sides = {side: Bench(side) for side in POOLS}
    cases = [
        ("round trip, hot", "hot", 1000),
        ("round trip after 2 ms idle", "idle", 50),
        ("bulk", "bulk", 5000),
        ("map of ints", "map", 1),
    ]
    rows, results = [], {}
    for name, method, loops in cases:
        samples = interleaved({side: getattr(bench, method) for side, bench in sides.items()}, loops, rounds)
        ours, standard = (statistics.median(samples[side]) for side in ("ours", "standard"))
        ratio = median_ratio(samples["ours"], samples["standard"])
        goal = GOALS[name]
        goal_text = f"{goal:.0%} of the standard's" if goal > 0.01 else seconds_text(goal)
        results[name] = {"ours": ours, "standard": standard, "ratio": ratio, "goal": goal}
        rows.append((name, seconds_text(standard), seconds_text(ours), f"{1 / ratio:.1f}", goal_text))
    results["idle share of a core"] = {"ours": idle_share(), "goal": 0.01}
    results["import"] = {"ours": import_seconds(rounds), "goal": 0.015}
    rows.append(("8 idle threads, share of a core", "", f"{results['idle share of a core']['ours']:.2%}", "", "1%"))
    rows.append(("import beyond the standard's", "", seconds_text(results["import"]["ours"]), "", seconds_text(0.015)))
    table = markdown(("Tasks on threads", "concurrent.futures", "manycore.futures", "times faster", "goal"), rows)
    print(table)
    save("tasks", {"summary": table, "rounds": rounds, "workers": WORKERS, "results": results})
    for bench in sides.values():
        bench.pool.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
