"""Recorded work and whoever asks for it: forks, pickles, copies, readers of every kind, other threads."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import manycore.numpy as mnp
import numpy
import pytest
from manycore import _core

from tests.python.recorded import EXPECTED, N, pending

# ---- other processes


def test_a_fork_with_work_pending_leaves_both_sides_with_the_values() -> None:
    array = pending()
    child = os.fork()
    if child == 0:
        os._exit(7 if (numpy.asarray(array) == EXPECTED).all() and (array + 1).sum() == (EXPECTED + 1).sum() else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert (numpy.asarray(array) == EXPECTED).all()


def test_a_fork_while_another_thread_records_and_runs() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            float((pending() * 2).sum())

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for _ in range(20):
            array = pending()
            child = os.fork()
            if child == 0:
                os._exit(7 if float((array * 2).sum()) == float((EXPECTED * 2).sum()) else 8)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        stop.set()
        thread.join()


def total(array: Any) -> float:
    return float((array * 2).sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_of_processes_take_pending_arrays(method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map_async(total, [pending(), pending() + 1]).get(timeout=60) == [total(EXPECTED), total(EXPECTED + 1)]


@pytest.mark.parametrize(
    "take",
    [copy.copy, copy.deepcopy, lambda a: a.copy(), lambda a: pickle.loads(pickle.dumps(a)), lambda a: a.view(), mnp.array],
    ids=["copy.copy", "copy.deepcopy", "copy", "pickle", "view", "array"],
)
def test_copies_of_pending_arrays(take: Callable[[Any], Any]) -> None:
    array = pending()
    taken = take(array)
    array += 1
    expected = EXPECTED + (1 if numpy.shares_memory(numpy.asarray(taken), numpy.asarray(array)) else 0)
    assert (numpy.asarray(taken) == expected).all() and (numpy.asarray(array) == EXPECTED + 1).all()


def test_reading_in_every_way_runs_what_is_pending() -> None:
    readers: dict[str, Callable[[Any], Any]] = {
        "item": lambda a: a[5] == EXPECTED[5],
        "tolist": lambda a: a.tolist() == EXPECTED.tolist(),
        "tobytes": lambda a: a.tobytes() == EXPECTED.tobytes(),
        "memoryview": lambda a: memoryview(a)[5] == EXPECTED[5],
        "asarray": lambda a: (numpy.asarray(a) == EXPECTED).all(),
        "dlpack": lambda a: (numpy.from_dlpack(a) == EXPECTED).all(),
        "interface": lambda a: a.__array_interface__["data"][0] > 0 and a[3] == EXPECTED[3],
        "iteration": lambda a: next(iter(a)) == EXPECTED[0],
        "repr": lambda a: repr(a) == repr(EXPECTED),
        "cumsum": lambda a: a.cumsum()[-1] == EXPECTED.cumsum()[-1],
        "mask": lambda a: (numpy.asarray(a[a > 100]) == EXPECTED[EXPECTED > 100]).all(),
        "take": lambda a: (numpy.asarray(a[mnp.arange(5)]) == EXPECTED[:5]).all(),
        "concatenate": lambda a: (numpy.asarray(mnp.concatenate([a, a])) == numpy.concatenate([EXPECTED, EXPECTED])).all(),
        "fallback": lambda a: mnp.median(a) == numpy.median(EXPECTED),
        "bytes of a view": lambda a: bytes(a[2:5]) == EXPECTED[2:5].tobytes(),
        "sort": lambda a: a.sort() is None and a[0] == 3,
        "fill": lambda a: a.fill(2) is None and (numpy.asarray(a) == 2).all(),
        "flat": lambda a: a.flat[7] == EXPECTED[7],
        "searchsorted": lambda a: mnp.searchsorted(a, 7.0) == 2,
        "data of a transposed copy": lambda a: a.reshape(100, -1).T.ravel()[1] == EXPECTED[1000],
        "another type": lambda a: a.view("i8")[1] == EXPECTED.view("i8")[1],
        "bool": lambda a: bool(a[:1]) is True,
        "equality": lambda a: mnp.array_equal(a, EXPECTED),
    }
    for name, read in readers.items():
        assert read(pending()), name


class Reader:
    """An index that reads the array which it indexes."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __index__(self) -> int:
        return int(self.array[1] > 0) + 1


def test_an_index_that_has_the_array_computed() -> None:
    array = pending()
    assert array[Reader(array)] == EXPECTED[2]
    array = pending()
    assert (numpy.asarray(array[Reader(array) :]) == EXPECTED[2:]).all()
    array = pending()
    array[Reader(array) :] = 1
    assert numpy.asarray(array)[:3].tolist() == [3, 5, 1]
    array = pending().reshape(100, -1)
    other = array.reshape(-1)
    array[Reader(other), 1:] = 0
    assert numpy.asarray(other)[1999:2002].tolist() == [EXPECTED[1999], EXPECTED[2000], 0]


# ---- threads


def test_threads_read_what_others_have_pending() -> None:
    barrier = threading.Barrier(4)
    made: list[Any] = [None] * 4

    def one(number: int) -> bool:
        right = True
        for step in range(20):
            made[number] = pending() + number + step
            barrier.wait()
            for other in range(4):
                right &= bool((numpy.asarray(made[other] - step) == EXPECTED + other).all())
            barrier.wait()
        return right

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [True] * 4


def test_what_another_thread_recorded_may_warn_here() -> None:
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theirs = pool.submit(lambda: mnp.arange(N) / mnp.zeros(N)).result()
        assert _core.is_pending(theirs)
        ours = mnp.isfinite(theirs) * 1.0
        assert float(ours.sum()) == 0
    assert sorted(str(w.message) for w in caught) == [
        "divide by zero encountered in divide",
        "invalid value encountered in divide",
    ]


def test_a_thread_that_ended_leaves_its_work_to_whoever_asks() -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(pending()))
    thread.start()
    thread.join()
    assert (numpy.asarray(made[0] + 1) == EXPECTED + 1).all()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_bits_do_not_depend_on_threads(threads: int) -> None:
    rng = numpy.random.default_rng(3)
    values, matrix = rng.normal(size=300_001), rng.normal(size=(700, 501))
    zs = values[:100_000] + 1j * values[100_000:200_000]

    def results(np: Any) -> list[Any]:
        a, m, z = np.array(values), np.array(matrix), np.array(zs)
        made = [(a * a - 1).sum(), (a + 1).mean(), (m * 3).sum(axis=0), (m * 3).sum(axis=1), (m - 1).mean(axis=1), (z * 2).sum()]
        made += [(a * 2).max(), (m[1:-1] - m[:-2] * m[2:]).sum(), np.sqrt(np.absolute(a)) / 3]
        return [numpy.asarray(one) for one in made]

    try:
        _core.set_option("threads", threads)
        got = results(mnp)
    finally:
        _core.set_option("threads", 0)
    for expected, ours in zip(results(numpy), got, strict=True):
        assert expected.tobytes() == ours.tobytes()
