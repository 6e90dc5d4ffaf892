"""A process of multiprocessing that leaves a pool as it is ends all the same."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from typing import Any

import manycore
import pytest
from manycore.futures import ProcessPoolExecutor, server_context

left: Any = None


def leave_a_pool(kind: str) -> None:
    global left
    if kind == "executor":
        left = ProcessPoolExecutor(1)
        assert left.submit(abs, -1).result() == 1
        left.submit(time.sleep, 0.1)
    elif kind == "coroutine":
        assert asyncio.run(manycore.to_process(abs, -1)) == 1
    else:
        from manycore.parallel import Parallel, delayed

        assert Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(3)) == [0, 1, 2]


def use_loky() -> list[int]:
    import joblib

    results: list[int] = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(abs)(-i) for i in range(3))
    return results


@pytest.mark.parametrize("method", ["fork", "spawn", "server"])
@pytest.mark.slow
def test_a_worker_ends_whose_calls_left_processes_of_loky(method: str) -> None:
    """They wait for a thread that ends with the program, for which multiprocessing, which waits for them, never comes."""
    pytest.importorskip("joblib")
    context = server_context.started() if method == "server" else multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(1, context)
    assert pool.submit(use_loky).result(60) == [0, 1, 2]
    worker = next(iter(pool._processes.values()))
    pool.shutdown(wait=False)
    worker.join(30)
    ended = worker.exitcode
    worker.kill()
    assert ended == 0


@pytest.mark.parametrize("kind", ["executor", "coroutine", "parallel"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.slow
def test_it_ends(method: str, kind: str) -> None:
    process = multiprocessing.get_context(method).Process(target=leave_a_pool, args=(kind,))
    process.start()
    process.join(60)
    ended = process.exitcode
    process.kill()
    assert ended == 0
