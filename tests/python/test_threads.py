"""Many threads compute at once, large enough that the GIL is released; script/sanitize tsan runs these under ThreadSanitizer."""

from __future__ import annotations

import threading
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
