"""Uneven work: how near a map comes to greedy list scheduling of its own tasks' times.

The times of the tasks have a heavy tail (Pareto, exponent 1.2, seed 1), and one of them is a quarter of
the work; it comes first, in the middle or last. Every task returns where it ran, when it began and
when it ended. Greedy list scheduling gives each task, in the order of the map, to the worker that is
free first; its end is computed from the times that the tasks of the same run took. The standard's
executors run the same list in turn. Processes hash in Python's own loop, threads in SHA-256, which
lets go of the GIL.
Run: python -m benchmarks.tasks_uneven [--rounds N]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import heapq
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import manycore.futures

from benchmarks.harness import markdown, save, seconds_text

WORKERS = 2
TASKS = 300
SECONDS = 0.5  # of work for each worker
GOAL = 1.1
BUFFER = bytes(64 * 1024)
Ran = tuple[int, float, float]


def in_process(share: float) -> Ran:
    """Pure Python for so many seconds of this machine, about."""
    begin = time.perf_counter()
    value = 0
    for i in range(int(share * STEPS)):
        value = (value * 31 + i) & 0xFFFF
    return os.getpid(), begin, time.perf_counter()


def in_thread(share: float) -> Ran:
    """SHA-256 of 64 KiB again and again, without the GIL."""
    begin = time.perf_counter()
    digest = hashlib.sha256()
    for _ in range(max(1, int(share * BLOCKS))):
        digest.update(BUFFER)
    return threading.get_ident(), begin, time.perf_counter()


def steps_a_second(work: Callable[[float], Ran], share: float) -> float:
    """How much of it fits in a second, with the factor at 1."""
    _, begin, end = min((work(share) for _ in range(5)), key=lambda ran: ran[2] - ran[1])
    return share / (end - begin)


STEPS = BLOCKS = 1.0


def shares(place: str) -> list[float]:
    """Seconds of each task."""
    source = random.Random(1)
    small = [source.paretovariate(1.2) for _ in range(TASKS - 1)]
    total = SECONDS * WORKERS
    scale = 0.75 * total / sum(small)
    times = [scale * each for each in small]
    times.insert({"first": 0, "in the middle": TASKS // 2, "last": TASKS - 1}[place], 0.25 * total)
    return times


def greedy(times: list[float]) -> float:
    """When list scheduling (Graham 1966) of these on the workers ends."""
    free = [0.0] * WORKERS
    for each in times:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def run(pool: Any, work: Callable[[float], Ran], times: list[float]) -> tuple[float, float]:
    """Seconds of the map, and what greedy scheduling of its tasks would take."""
    begin = time.perf_counter()
    ran = list(pool.map(work, times))
    seconds = time.perf_counter() - begin
    workers = {where for where, _, _ in ran}
    assert len(workers) == WORKERS and not workers & {os.getpid(), threading.get_ident()}, "a task ran elsewhere"
    return seconds, greedy([end - start for _, start, end in ran])


def main() -> int:
    """Measure, print, save."""
    global STEPS, BLOCKS
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    STEPS, BLOCKS = steps_a_second(in_process, 3e5), steps_a_second(in_thread, 300)
    kinds = {
        "processes": (manycore.futures.ProcessPoolExecutor, concurrent.futures.ProcessPoolExecutor, in_process),
        "threads": (manycore.futures.ThreadPoolExecutor, concurrent.futures.ThreadPoolExecutor, in_thread),
    }
    rows, results = [], []
    for kind, (ours, standard, work) in kinds.items():
        with ours(WORKERS) as mine, standard(WORKERS) as theirs:
            for pool in (mine, theirs):
                list(pool.map(work, [0.01] * 2 * WORKERS))
            for place in ("first", "in the middle", "last"):
                times = shares(place)
                measured = [(run(mine, work, times), run(theirs, work, times)) for _ in range(rounds)]
                over, their_over = (statistics.median(pair[side][0] / pair[side][1] for pair in measured) for side in (0, 1))
                seconds, their_seconds = (statistics.median(pair[side][0] for pair in measured) for side in (0, 1))
                result = {"kind": kind, "longest": place, "over greedy": over, "seconds": seconds}
                results.append({**result, "standard over greedy": their_over, "standard seconds": their_seconds})
                rows.append(
                    (
                        f"{kind}, longest {place}",
                        seconds_text(their_seconds),
                        seconds_text(seconds),
                        f"{their_over:.3f}",
                        f"{over:.3f}",
                    )
                )
    table = markdown((f"{TASKS} uneven tasks", "standard", "manycore.futures", "standard / greedy", "ours / greedy"), rows)
    print(table)
    save("tasks_uneven", {"summary": table, "rounds": rounds, "workers": WORKERS, "goal": GOAL, "cases": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
