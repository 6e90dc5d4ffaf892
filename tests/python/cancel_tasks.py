"""Calls that the tests of cancel() stop: importable, so that worker processes find them."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import CancelledError
from pathlib import Path


def multiply_for_long(mark: str) -> str:
    """One native loop, of half a minute on one core: a product of integers, which goes by no library."""
    import manycore.numpy as np

    long = np.ones((3000, 3000), dtype=np.int64)
    Path(mark).touch()
    np.matmul(long, long)
    return "finished"


def loop_for_ever(mark: str, again: str) -> str:
    """Many native loops; the first CancelledError is caught."""
    import manycore.numpy as np

    a = np.ones(1_000_000)
    Path(mark).touch()
    try:
        while True:
            float((a * 2 + 1).sum())
    except CancelledError:
        Path(again).touch()
    return str(float((a * 2 + 1).sum()))


def catch_and_return(mark: str) -> str:
    import manycore.numpy as np

    a = np.ones(1_000_000)
    Path(mark).touch()
    try:
        while True:
            float((a * 2 + 1).sum())
    except CancelledError as error:
        return f"caught: {error}"


def raise_another(mark: str) -> None:
    try:
        catch_for_ever(mark)
    except CancelledError:
        raise KeyError("instead") from None


def catch_for_ever(mark: str, count: int = 1_000_000) -> None:
    import manycore.numpy as np

    a = np.ones(count)
    Path(mark).touch()
    while True:
        float((a * 2 + 1).sum())


def sleep_python(mark: str, seconds: float) -> str:
    Path(mark).touch()
    time.sleep(seconds)
    return "slept"


def write_in_place(mark: str) -> str:
    """Nothing but updates of an array that was there before, which are finished."""
    import manycore.numpy as np

    a = np.zeros(1_000_000)
    float(a.sum())
    Path(mark).touch()
    end = time.monotonic() + 0.5
    rounds = 0
    while time.monotonic() < end:
        np.add(a, 1, out=a)
        rounds += 1
    same = bool((np.asarray(a).__array__() == rounds).all())
    return f"whole: {same}"


def with_child(mark: str) -> None:
    child = os.fork()
    while child == 0:
        signal.pause()
    Path(mark + ".new").write_text(str(child))
    os.rename(mark + ".new", mark)
    time.sleep(60)


def sums_still() -> float:
    """What a thread or process computes that ran a stopped call before."""
    import manycore.numpy as np

    return float((np.ones(1_000_000) * 2 + 1).sum())
