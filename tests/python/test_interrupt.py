"""A signal stops a long operation of the engine in the middle; what existed before keeps its values."""

from __future__ import annotations

import signal
import time
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest


class Stop(Exception):
    pass


def stop(*_: Any) -> None:
    raise Stop


def test_a_signal_stops_a_long_product_in_the_middle() -> None:
    small = mnp.ones((400, 400), dtype=numpy.int64)
    mnp.matmul(small, small)
    begin = time.perf_counter()
    mnp.matmul(small, small)
    # As many rows as take some four seconds here, whatever the machine.
    size = int(400 * (4 / (time.perf_counter() - begin)) ** (1 / 3))
    long = mnp.ones((size, size), dtype=numpy.int64)
    old = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        begin = time.perf_counter()
        with pytest.raises(Stop):
            mnp.matmul(long, long)
        assert time.perf_counter() - begin < 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert mnp.matmul(small, small)[0, 0] == 400


def test_an_update_in_place_is_finished_before_the_signal_is_seen() -> None:
    a = mnp.zeros(40_000_000)
    old = signal.signal(signal.SIGALRM, stop)
    rounds = 0
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Stop):
            while True:
                numpy_like_add(a)
                rounds += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    values = set(mnp.unique(a).tolist())
    assert values in ({float(rounds)}, {float(rounds + 1)})


def numpy_like_add(a: Any) -> None:
    a += 1
