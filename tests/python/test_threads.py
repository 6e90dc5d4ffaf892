"""Many threads compute at once, large enough that the GIL is released; script/sanitize tsan runs these under ThreadSanitizer."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import manycore.numpy as mnp
import numpy as np
from manycore import _core

THREADS = 4
ROUNDS = 6
LARGE = 300_000  # above the size at which the engine goes parallel and the GIL is released


def programs(np_: Any, source: Any) -> list[Any]:
    """One of each kind of work: elementwise with temporaries, reductions, products, copies through views, indexing."""
    square = source[:90_000].reshape(300, 300)
    mask = source > 0.5
    column = np_.zeros((300, 300))
    column[:, ::2] = square[::-1, 1::2] * 2.0
    return [
        (source * 2.0 + 1.0) / (source + 3.0),
        np_.sqrt(source).sum(),
        square.sum(axis=0),
        square @ square.T,
        column,
        source[mask],
        np_.where(mask, source, -source),
        source.astype(np.float32).cumsum(),
    ]


def run_together(work: Any) -> list[Any]:
    """All threads start the same work at once; what each gave."""
    barrier = threading.Barrier(THREADS)

    def one(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def test_threads_that_read_one_array_all_get_numpys_results() -> None:
    real = np.random.default_rng(5).random(LARGE)
    ours = mnp.array(real)
    expected = programs(np, real)
    before = _core.trace_snapshot()["native_calls"]
    for results in run_together(lambda _: [programs(mnp, ours) for _ in range(ROUNDS)]):
        for result in results:
            for got, wanted in zip(result, expected, strict=True):
                np.testing.assert_array_equal(np.asarray(got), wanted)
    assert _core.trace_snapshot()["native_calls"] - before >= THREADS * ROUNDS * len(expected)


def test_threads_write_their_own_parts_of_one_array() -> None:
    shared = mnp.zeros((THREADS, LARGE))

    def fill(number: int) -> None:
        for step in range(ROUNDS):
            shared[number] += number + step
            shared[number, ::3] *= 2.0

    run_together(fill)
    wanted = np.zeros((THREADS, LARGE))
    for number in range(THREADS):
        for step in range(ROUNDS):
            wanted[number] += number + step
            wanted[number, ::3] *= 2.0
    np.testing.assert_array_equal(np.asarray(shared), wanted)


def test_arrays_made_on_one_thread_are_freed_on_another() -> None:
    made: list[Any] = [None] * THREADS

    def trade(number: int) -> float:
        total = 0.0
        for step in range(200):
            made[number] = mnp.full((step % 7 + 1) * 5000, float(number))
            taken = made[(number + 1) % THREADS]
            if taken is not None:
                total += float(taken[0])
        return total

    totals = run_together(trade)
    assert all(total % ((number + 1) % THREADS or 1) == 0 for number, total in enumerate(totals))


def test_options_and_counters_may_be_read_while_others_compute() -> None:
    ours = mnp.arange(float(LARGE))

    def work(number: int) -> bool:
        for _ in range(20):
            if number == 0:
                _core.trace_snapshot()
                _core.option_rows()
            else:
                assert float((ours + number).sum()) == float(LARGE * (LARGE - 1) // 2 + number * LARGE)
        return True

    assert run_together(work) == [True] * THREADS


def test_threads_record_read_and_drop_each_others_arrays() -> None:
    real = np.random.default_rng(6).random(LARGE // 6)
    source = mnp.array(real)
    made: list[Any] = [None] * THREADS
    steps = 30

    def trade(number: int) -> None:
        for step in range(steps):
            mine = source * (number + 1.0) + step
            assert _core.is_pending(mine)
            made[number] = (mine, number, step)
            taken = made[(number + step) % THREADS]
            if taken is None:
                continue
            theirs, other, then = taken
            wanted = real * (other + 1.0) + then
            if step % 3 == 0:
                np.testing.assert_array_equal(np.asarray(theirs * 2.0), wanted * 2.0)
            elif step % 3 == 1:
                assert float((theirs + real[0]).max()) == (wanted + real[0]).max()
            else:
                np.testing.assert_array_equal(np.asarray(theirs[::7]), wanted[::7])
            made[other] = None

    run_together(trade)


def test_threads_record_over_one_array() -> None:
    shared = mnp.zeros((THREADS, LARGE // 6))

    def add(number: int) -> int:
        row, recorded = shared[number], 0
        for step in range(ROUNDS * 5):
            row += step
            row *= 1.0 + number
            recorded += _core.is_pending(row)
            if step % 5 == number:
                _core.evaluate()
        return recorded

    assert sum(run_together(add)) > 0
    wanted = np.zeros((THREADS, LARGE // 6))
    for number in range(THREADS):
        for step in range(ROUNDS * 5):
            wanted[number] += step
            wanted[number] *= 1.0 + number
    np.testing.assert_array_equal(np.asarray(shared), wanted)


def test_what_a_thread_left_recorded_warns_when_another_records_over_it() -> None:
    zeros = mnp.zeros(LARGE)
    _core.evaluate(zeros + 1.0)  # now this thread has a program of its own, and does not inherit the other's
    left = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        thread = threading.Thread(target=lambda: left.append(1.0 / zeros))
        thread.start()
        thread.join()
        assert _core.is_pending(left[0])
        more = left[0] + 1.0
        assert [str(warning.message) for warning in caught] == ["divide by zero encountered in divide"]
        assert caught[0].filename == __file__
        np.testing.assert_array_equal(np.asarray(more), np.full(LARGE, np.inf))
