"""Tasks in processes: manycore.futures beside concurrent.futures and multiprocessing, in one run.

Every task returns the process that it ran in, which has to be a worker. A round trip is a submit and its
result; hot ones follow each other, idle ones come 2 ms after the one before, beside the bare futex
ping-pong of crew_benchmark (configured with MANYCORE_BUILD_BENCHMARKS=ON), run just before; bulk is many
submits and then their results; map takes a million ints beside Pool.map. An array of 64 MiB is summed by a
worker: sent for the first time by a new pool, sent changed (its first element, which the sum shows), and
sent again as it is, where the goal depends on whether the system tells which memory was written. The first result
is that of a new pool; with 1 GiB in the program, of an Executor whose fork server is up, beside a fork.
Run: python -m benchmarks.tasks_process [--rounds N]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import ctypes
import mmap
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import manycore.futures
import numpy

from benchmarks.harness import markdown, save, seconds_text

WORKERS = 2
IDLE = 0.002
ELEMENTS = 8 << 20
MAP_ITEMS = 1_000_000
HELD = 1 << 30


def worker_pid(*_: object) -> int:
    """What every task of the round trips answers."""
    return os.getpid()


def same(x: int) -> int:
    """What map() runs on each int."""
    return x


def total(array: Any) -> tuple[int, float, float]:
    """The worker, the sum of the array as it sees it, and the seconds that the sum alone took it."""
    begin = time.perf_counter()
    answer = float(array.sum())
    return os.getpid(), answer, time.perf_counter() - begin


def ping_pong() -> float | None:
    """Seconds of a bare futex round trip between two processes after 2 ms of idleness; None where its program is not built."""
    programs = sorted(Path(__file__).parents[1].glob("build/*/crew_benchmark"))
    if not programs:
        return None
    text = subprocess.run([programs[0]], check=True, capture_output=True, text=True).stdout
    match = re.search(r"futex ping-pong after +2000 us +([0-9.]+) us", text)
    return float(match.group(1)) * 1e-6 if match else None


def round_trips(pool: Any, count: int, pause: float) -> list[float]:
    """Seconds of each."""
    times, pids = [], set()
    for _ in range(count):
        if pause:
            time.sleep(pause)
        begin = time.perf_counter()
        pids.add(pool.submit(worker_pid).result())
        times.append(time.perf_counter() - begin)
    assert os.getpid() not in pids
    return times


def bulk(pool: Any, count: int) -> float:
    """Seconds a task."""
    begin = time.perf_counter()
    futures = [pool.submit(worker_pid, i) for i in range(count)]
    pids = {future.result() for future in futures}
    seconds = time.perf_counter() - begin
    assert os.getpid() not in pids
    return seconds / count


def mapped(run: Callable[[], Any]) -> float:
    """Seconds an item."""
    begin = time.perf_counter()
    total = sum(run())
    seconds = time.perf_counter() - begin
    assert total == MAP_ITEMS * (MAP_ITEMS - 1) // 2
    return seconds / MAP_ITEMS


def first_result(make: Callable[..., Any]) -> float:
    """Seconds from nothing to a new pool's first answer."""
    begin = time.perf_counter()
    pool = make(WORKERS)
    assert pool.submit(worker_pid).result() != os.getpid()
    seconds = time.perf_counter() - begin
    pool.shutdown()
    return seconds


class Served:
    """The processes of an Executor, which its maps would start when they see fit."""

    def __init__(self, workers: int) -> None:
        self.executor = manycore.futures.Executor(workers, processes="allowed")
        self.shutdown = self.executor.shutdown

    def submit(self, function: Callable[..., Any]) -> Any:
        """As the executor's maps do it."""
        with self.executor._shared.lock:
            return self.executor._shared.processes(function).submit(function)


def first_results_of_a_large_program(standard: Callable[..., Any], rounds: int) -> tuple[float, float]:
    """Medians of ours and the standard's with 1 GiB of small pages in this process, which a fork has to map."""
    with mmap.mmap(-1, HELD, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(0, HELD, mmap.PAGESIZE):
            held[page] = 1
        first_result(Served)  # from here on the server is up
        ours = statistics.median(first_result(Served) for _ in range(rounds))
        return ours, statistics.median(first_result(standard) for _ in range(rounds))


def sent(pool: Any, array: Any) -> tuple[float, float]:
    """Seconds to have the array summed by a worker, and of them those of the sum; the sum is checked."""
    begin = time.perf_counter()
    pid, answer, summing = pool.submit(total, array).result()
    seconds = time.perf_counter() - begin
    assert pid != os.getpid() and answer == float(array.sum())
    return seconds, summing


def arrays(rounds: int) -> dict[str, float]:
    """Medians for an array of 64 MiB, with what the machine itself takes for it."""
    array = numpy.random.default_rng(1).random(ELEMENTS)
    copy = array.copy()
    memcmp = ctypes.CDLL(None).memcmp
    memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    cold, warm, again, copies, compares, sums = ([] for _ in range(6))
    for _ in range(rounds):
        with manycore.futures.ProcessPoolExecutor(1) as pool:
            pool.submit(worker_pid).result()
            cold.append(sent(pool, array)[0])
            for _ in range(4):
                array[0] += 1
                sent(pool, array)
            array[0] += 1
            warm.append(sent(pool, array)[0])
            for _ in range(3):
                sent(pool, array)
            seconds, summing = sent(pool, array)
            again.append(seconds)
            sums.append(summing)
            watches = pool._core.sent_bytes[2] > 0
        for times, work in (
            (copies, lambda: numpy.copyto(copy, array)),
            (compares, lambda: memcmp(copy.ctypes.data, array.ctypes.data, array.nbytes)),
        ):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    names = ("cold", "into a used block", "again", "memcpy", "compare", "sum")
    times = dict(zip(names, map(statistics.median, (cold, warm, again, copies, compares, sums)), strict=True))
    return {**times, "watched": watches}


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    bare = ping_pong()
    makes = {"ours": manycore.futures.ProcessPoolExecutor, "standard": concurrent.futures.ProcessPoolExecutor}
    pools = {side: make(WORKERS) for side, make in makes.items()}
    results: dict[str, dict[str, float]] = {}
    for side, pool in pools.items():
        round_trips(pool, 20, 0)
        results[side] = {
            "round trip, hot": statistics.median(round_trips(pool, 3000 if side == "ours" else 300, 0)),
            "round trip after 2 ms idle": statistics.median(round_trips(pool, 300, IDLE)),
            "bulk": statistics.median(bulk(pool, 5000 if side == "ours" else 500) for _ in range(rounds)),
            "first result": statistics.median(first_result(makes[side]) for _ in range(rounds)),
        }
    with multiprocessing.Pool(WORKERS) as standard:
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(mapped(lambda: pools["ours"].map(same, range(MAP_ITEMS))))
            theirs.append(mapped(lambda: standard.map(same, range(MAP_ITEMS))))
            assert ours[-1] <= theirs[-1], "a map that is slower than Pool.map"
    results["ours"]["map of ints"], results["standard"]["map of ints"] = statistics.median(ours), statistics.median(theirs)
    for pool in pools.values():
        pool.shutdown()
    firsts = first_results_of_a_large_program(makes["standard"], rounds)
    results["ours"]["first result, 1 GiB held"], results["standard"]["first result, 1 GiB held"] = firsts
    large = arrays(rounds)
    goals = {
        "round trip, hot": 8e-6,
        "round trip after 2 ms idle": None if bare is None else bare + 12e-6,
        "bulk": 5e-6,
        "first result": 12e-3,
        "first result, 1 GiB held": 12e-3,
        "map of ints": min(0.12e-6, results["standard"]["map of ints"]),
    }
    rows = [
        (
            name,
            seconds_text(results["standard"][name]),
            seconds_text(results["ours"][name]),
            "-" if goal is None else seconds_text(goal),
        )
        for name, goal in goals.items()
    ]
    large_goals = {
        "cold": 40e-3,
        "into a used block": 2 * large["memcpy"] + 6e-3,
        "again": (100e-6 if large["watched"] else 1.3 * large["compare"]) + large["sum"],
    }
    rows += [(f"64 MiB, {name}", "", seconds_text(large[name]), seconds_text(goal)) for name, goal in large_goals.items()]
    table = markdown(("Tasks in processes", "standard (map: Pool.map)", "manycore.futures", "goal"), rows)
    print(table)
    print(f"bare futex ping-pong after 2 ms idle: {bare}; 64 MiB: {large}")
    save(
        "tasks_process",
        {"summary": table, "rounds": rounds, "workers": WORKERS, "ping_pong": bare, "large": large, **results},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
