"""Functions that the tests of `Parallel` send to workers."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def square_and_pid(x: int) -> tuple[int, int]:
    return x * x, os.getpid()


def nap_and_pid(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def divide(a: int, b: int) -> float:
    return a / b


def die(really: bool) -> int:
    if really:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def variable(name: str) -> str | None:
    return os.environ.get(name)


def write_and_sum(a: Any) -> float:
    a[0] += 1
    return float(a.sum())


def fill_place(a: Any, place: tuple[int, ...], value: float) -> None:
    a[place] = value


def deep_sum(nested: Any) -> float:
    return float(nested["deep"][0].sum())


def fill_row_and_wait(rows: Any, row: int, count: int) -> float:
    """The sum of all once all rows are there."""
    rows[row] = row + 1
    end = time.monotonic() + 30
    while row == count - 1 and not all(rows[:, 0]) and time.monotonic() < end:
        time.sleep(0.001)
    return float(rows.sum())


def nested(count: int) -> tuple[list[int], list[int]]:
    from manycore.parallel import Parallel, delayed

    found = Parallel(n_jobs=2)(delayed(square_and_pid)(i) for i in range(count))
    return [value for value, _ in found], [pid for _, pid in found]
