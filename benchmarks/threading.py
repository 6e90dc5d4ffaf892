"""Locks and queues: manycore.threading beside the standard library's, in turn: without the search for deadlocks, with it (as
it is by default) and with the order of locks watched too (as under `manycore check`).

Run: python -m benchmarks.threading [--rounds N]
"""

from __future__ import annotations

import argparse
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import manycore.threading as ours
from manycore.threading import queues

from benchmarks.harness import markdown, save, seconds_text

NAMES = ("Lock", "RLock", "Condition", "Semaphore", "Event")
STANDARD = SimpleNamespace(Queue=queue.Queue, **{name: getattr(threading, name) for name in NAMES})
OURS = SimpleNamespace(Queue=queues.Queue, **{name: getattr(ours, name) for name in NAMES})
# Which classes, with which settings.
SIDES: dict[str, tuple[Any, dict[str, Any]]] = {
    "threading": (STANDARD, {"policy": "raise", "order": False}),
    "manycore, off": (OURS, {"policy": "off", "order": False}),
    "manycore": (OURS, {"policy": "raise", "order": False}),
    "manycore, order watched": (OURS, {"policy": "raise", "order": True}),
}
SIDE_OF_REFERENCE = "threading"


def acquire_release(make: Callable[[], Any], rounds: int) -> float:
    lock = make()
    acquire, release = lock.acquire, lock.release
    begin = time.perf_counter()
    for _ in range(rounds):
        acquire()
        release()
    return time.perf_counter() - begin


def with_statement(make: Callable[[], Any], rounds: int) -> float:
    lock = make()
    begin = time.perf_counter()
    for _ in range(rounds):
        with lock:
            pass
    return time.perf_counter() - begin


def nested(make: Callable[[], Any], rounds: int) -> float:
    outer, inner = make(), make()
    begin = time.perf_counter()
    for _ in range(rounds):
        with outer, inner:
            pass
    return time.perf_counter() - begin


def contended(make: Callable[[], Any], rounds: int) -> float:
    lock, total = make(), [0]

    def count() -> None:
        for _ in range(rounds // 2):
            with lock:
                total[0] += 1

    threads = [threading.Thread(target=count) for _ in range(2)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total[0] == rounds
    return time.perf_counter() - begin


def condition_handoff(side: Any, rounds: int) -> float:
    condition, turn = side.Condition(), [0]

    def play(me: int) -> None:
        for _ in range(rounds // 2):
            with condition:
                while turn[0] != me:
                    condition.wait()
                turn[0] = 1 - me
                condition.notify()

    other = threading.Thread(target=play, args=(1,))
    begin = time.perf_counter()
    other.start()
    play(0)
    other.join()
    return time.perf_counter() - begin


def event_handoff(side: Any, rounds: int) -> float:
    here, there = side.Event(), side.Event()

    def answer() -> None:
        for _ in range(rounds // 2):
            there.wait()
            there.clear()
            here.set()

    other = threading.Thread(target=answer)
    begin = time.perf_counter()
    other.start()
    for _ in range(rounds // 2):
        there.set()
        here.wait()
        here.clear()
    other.join()
    return time.perf_counter() - begin


def queue_alone(side: Any, rounds: int) -> float:
    items = side.Queue()
    begin = time.perf_counter()
    for i in range(rounds):
        items.put(i)
        items.get()
    return time.perf_counter() - begin


def queue_between_threads(side: Any, rounds: int) -> float:
    items = side.Queue(100)

    def produce() -> None:
        for i in range(rounds):
            items.put(i)

    other = threading.Thread(target=produce)
    begin = time.perf_counter()
    other.start()
    assert sum(items.get() for _ in range(rounds)) == rounds * (rounds - 1) // 2
    other.join()
    return time.perf_counter() - begin


# Name, how often, what.
CASES: list[tuple[str, int, Callable[[Any, int], float]]] = [
    ("Lock: acquire, release", 200_000, lambda side, rounds: acquire_release(side.Lock, rounds)),
    ("Lock: with", 200_000, lambda side, rounds: with_statement(side.Lock, rounds)),
    ("RLock: acquire, release", 200_000, lambda side, rounds: acquire_release(side.RLock, rounds)),
    ("RLock: with", 200_000, lambda side, rounds: with_statement(side.RLock, rounds)),
    ("two Locks: with", 100_000, lambda side, rounds: nested(side.Lock, rounds)),
    ("Lock: with, two threads", 100_000, lambda side, rounds: contended(side.Lock, rounds)),
    ("Semaphore: acquire, release", 50_000, lambda side, rounds: acquire_release(side.Semaphore, rounds)),
    ("Condition: hand-over", 4_000, condition_handoff),
    ("Event: hand-over", 4_000, event_handoff),
    ("Queue: put, get, one thread", 20_000, queue_alone),
    ("Queue: put, get, two threads", 10_000, queue_between_threads),
]


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    rows, results = [], []
    for name, count, measure in CASES:
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, (classes, settings) in SIDES.items():
                ours.deadlocks(**settings)
                seconds[side].append(measure(classes, count) / count)
        medians = {side: statistics.median(found) for side, found in seconds.items()}
        reference = medians[SIDE_OF_REFERENCE]
        cells = [seconds_text(reference)]
        cells += [f"{seconds_text(medians[side])} ({medians[side] / reference:.2f}x)" for side in list(SIDES)[1:]]
        rows.append((name, *cells))
        results.append({"name": name, "seconds": medians, "all": seconds})
    ours.deadlocks(policy="raise", order=False)
    table = markdown(("each", *SIDES), rows)
    print(table)
    save("threading", {"summary": table, "rounds": rounds, "cases": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
