"""A signal stops a long operation of the engine in the middle; what existed before keeps its values."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core


class Stop(Exception):
    pass


def stop(*_: Any) -> None:
    raise Stop


@pytest.mark.timed
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


@pytest.mark.slow
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


LONG: dict[str, Callable[[int], Any]] = {
    "sin": lambda n: mnp.sin(mnp.zeros(n)),
    "sum": lambda n: mnp.broadcast_to(mnp.ones(1000), (n // 100, 1000)).sum(),
    "cumsum": lambda n: mnp.cumsum(mnp.broadcast_to(mnp.ones(1), (n,))),
    "cumsum with a cast": lambda n: mnp.cumsum(mnp.broadcast_to(mnp.ones(1, dtype="int8"), (n,))),
    "random": lambda n: mnp.random.default_rng(1).random(n),
    "normal": lambda n: mnp.random.default_rng(1).normal(size=n // 4),
    "integers": lambda n: mnp.random.default_rng(1).integers(0, 10, n // 2),
    "take": lambda n: mnp.ones(1000)[mnp.zeros(n, dtype=int)],
    "select": lambda n: mnp.ones(n)[mnp.ones(n, dtype=bool)],
    "full": lambda n: mnp.full(n, 1.5),
    "full of one byte": lambda n: mnp.full(n, 0),
    "full in rows": lambda n: mnp.full((n // 1000, 1000), 1.5, order="F"),
    "ones_like": lambda n: mnp.ones_like(mnp.empty(n)),
    "full_like": lambda n: mnp.full_like(mnp.empty(n), 2),
    "where": lambda n: mnp.where(mnp.ones(n, dtype=bool), 1.0, 2.0),
}


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_signals_are_seen_while_a_long_operation_runs(name: str) -> None:
    """A handler that goes on runs while the call does; NumPy runs it once, when the call is over."""
    seen: list[float] = []

    def count(*_: Any) -> None:
        seen.append(time.perf_counter())

    old = signal.signal(signal.SIGALRM, count)
    try:
        # As many elements as this machine needs to work on for several intervals of the timer.
        for size in (1 << 22, 1 << 24, 1 << 26, 1 << 27, 1 << 28, 1 << 29):
            seen.clear()
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            array = manycore.evaluate(LONG[name](size))
            end = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, 0)
            del array
            if seen and end - seen[0] > 0.01:
                return
        pytest.fail(f"the handler ran {[end - at for at in seen]} seconds before the end")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.timed
def test_a_signal_stops_the_filling_of_a_new_array_in_the_middle() -> None:
    # Nobody has seen the array; what it took goes back.
    size = 1 << 22
    begin = time.perf_counter()
    mnp.full(size, 1.5)
    # As many elements as take some two seconds here, within 3 GB.
    size = min(int(size * 2 / (time.perf_counter() - begin)), 400_000_000)
    old = signal.signal(signal.SIGALRM, stop)
    before = _core.machine()["memory_held"]
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        begin = time.perf_counter()
        with pytest.raises(Stop):
            for _ in range(100):
                mnp.full(size, 1.5)
        assert time.perf_counter() - begin < 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert _core.machine()["memory_held"] - _core.machine()["memory_kept"] <= before


def test_a_generator_that_was_stopped_draws_on() -> None:
    generator = mnp.random.default_rng(3)
    old = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Stop):
            while True:
                generator.normal(size=30_000_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert generator.normal(size=10).shape == (10,)


def test_a_handler_may_draw_from_the_generator_that_it_interrupts() -> None:
    generator = mnp.random.default_rng(3)
    drawn: list[float] = []
    old = signal.signal(signal.SIGALRM, lambda *_: drawn.append(generator.random()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        while len(drawn) < 3:
            generator.random(20_000_000)
            generator.normal(size=20_000_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert all(0 <= number < 1 for number in drawn)


RULE_INTERRUPTED = """
import signal, manycore.numpy as np
from manycore import _core
class Stop(Exception): pass
def stop(*_): raise Stop
signal.signal(signal.SIGALRM, stop)
def rule(name):
    signal.raise_signal(signal.SIGALRM)  # the handler runs here, inside the operation
    return True
a = np.ones(8)
_core.trace_user_rule(rule)
try:
    for _ in range(1000):
        np.fft.fft(a)  # a fallback: its line is looked up
except Stop:
    print("stopped")
"""


def test_what_a_signal_handler_raises_inside_an_operation_is_raised_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", RULE_INTERRUPTED], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("stopped\n", "", 0)


def test_recording_asks_for_the_error_state_without_running_python() -> None:
    # A signal handler could run there, and what it raises would be lost.
    a = mnp.ones(100_000)
    called: list[str] = []
    with numpy.errstate(divide="ignore"):
        sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
        try:
            b = mnp.sin(a)
        finally:
            sys.setprofile(None)
    assert called == []
    assert (numpy.asarray(b) == numpy.sin(1.0)).all()
