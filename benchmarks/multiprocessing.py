"""multiprocessing: manycore's pools, queues and locks beside the standard's, in turn, each result checked.

Both run in forked processes of one program, two workers. Messages and arrays go to another process; the array's receiver answers
with the sum of its ends. A lock is one that nobody else wants.
Run: python -m benchmarks.multiprocessing [--rounds N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import manycore.multiprocessing
import numpy
from manycore import _tasks

from benchmarks.harness import markdown, save, seconds_text

LIBRARIES = {
    "manycore": manycore.multiprocessing.get_context("fork"),
    "multiprocessing": multiprocessing.get_context("fork"),
}
MANY = 100_000
MESSAGES = 20_000


def through_pools(library: str, call: Callable[[Any], Any]) -> float:
    """Of one call on a pool that is warm, the median of five; the calls must have gone where they should."""
    seconds = []
    with LIBRARIES[library].Pool(2) as pool:
        call(pool)
        before = _tasks.calls_answered()
        for _ in range(5):
            begin = time.perf_counter()
            found = call(pool)
            seconds.append(time.perf_counter() - begin)
            assert found == list(range(len(found)))
        assert (_tasks.calls_answered() > before) == (library == "manycore")
    return statistics.median(seconds)


def first_result(library: str) -> float:
    begin = time.perf_counter()
    with LIBRARIES[library].Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
        return time.perf_counter() - begin


def echo(there: Any, back: Any) -> None:
    while (value := there.get()) is not None:
        back.put(value)


def count(there: Any, back: Any) -> None:
    for expected in range(MESSAGES):
        assert there.get() == expected
    back.put(MESSAGES)


def ends(there: Any, back: Any) -> None:
    while (array := there.get()) is not None:
        back.put(float(array[0] + array[-1]))


def with_process(library: str, target: Callable[[Any, Any], None], use: Callable[[Any, Any], float]) -> float:
    context = LIBRARIES[library]
    there, back = context.Queue(), context.Queue()
    process = context.Process(target=target, args=(there, back), daemon=True)
    process.start()
    seconds = use(there, back)
    there.put(None)
    process.join()
    return seconds


def stream(there: Any, back: Any) -> float:
    begin = time.perf_counter()
    for i in range(MESSAGES):
        there.put(i)
    assert back.get() == MESSAGES
    return (time.perf_counter() - begin) / MESSAGES


def round_trips(there: Any, back: Any) -> float:
    for i in range(100):
        there.put(i)
        back.get()
    begin = time.perf_counter()
    for i in range(1000):
        there.put(i)
        assert back.get() == i
    return (time.perf_counter() - begin) / 1000


def arrays(there: Any, back: Any) -> float:
    array = numpy.arange(8 << 20, dtype=float)
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        there.put(array)
        assert back.get() == array[-1]
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[2:])


def lock(library: str, statement: str) -> float:
    made = LIBRARIES[library].Lock()
    names = {"lock": made, "acquire": made.acquire, "release": made.release}
    return min(timeit.repeat(statement, globals=names, number=100_000, repeat=3)) / 100_000


def memcpy() -> float:
    array = numpy.arange(8 << 20, dtype=float)
    copy = numpy.empty_like(array)
    return statistics.median(timeit.repeat(lambda: numpy.copyto(copy, array), number=1, repeat=7)[2:])


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    copy = memcpy()
    cases: list[tuple[str, float | None, int, Callable[[str], float]]] = [
        ("first result of a Pool of two", None, 1, first_result),
        ("Pool.map(abs), an item", None, MANY, lambda name: through_pools(name, lambda pool: pool.map(abs, range(MANY)))),
        ("the same, chunksize 1", 5e-6, 5000, lambda name: through_pools(name, lambda pool: pool.map(abs, range(5000), 1))),
        ("Pool.imap(abs), an item", 5e-6, 5000, lambda name: through_pools(name, lambda pool: list(pool.imap(abs, range(5000))))),
        (
            "the same, chunksize 1000",
            None,
            MANY,
            lambda name: through_pools(name, lambda pool: list(pool.imap(abs, range(MANY), 1000))),
        ),
        ("Queue: put and get a small message", 10e-6, 1, lambda name: with_process(name, count, stream)),
        ("Queue: there and back", None, 1, lambda name: with_process(name, echo, round_trips)),
        ("Queue: an array of 64 MiB", 2 * copy + 0.006, 1, lambda name: with_process(name, ends, arrays)),
        ("Lock: acquire and release", None, 1, lambda name: lock(name, "acquire(); release()")),
        ("Lock: with", None, 1, lambda name: lock(name, "with lock: pass")),
    ]
    rows, results = [], []
    for name, goal, items, measure in cases:
        seconds: dict[str, list[float]] = {library: [] for library in LIBRARIES}
        for _ in range(rounds):
            for library in LIBRARIES:
                seconds[library].append(measure(library) / items)
        medians = {library: statistics.median(found) for library, found in seconds.items()}
        goal = medians["multiprocessing"] if goal is None else goal
        rows.append((name, *(seconds_text(medians[library]) for library in LIBRARIES), seconds_text(goal)))
        results.append({"name": name, "goal": goal, "seconds": medians, "all": seconds})
    table = markdown(("two processes", *LIBRARIES, "goal"), rows)
    print(table)
    print(f"copying 64 MiB: {seconds_text(copy)}")
    save("multiprocessing", {"summary": table, "rounds": rounds, "memcpy": copy, "cases": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
