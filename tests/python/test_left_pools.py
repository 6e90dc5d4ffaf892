"""A process of multiprocessing that leaves a pool as it is ends all the same."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from typing import Any

import manycore
import pytest
from manycore.futures import ProcessPoolExecutor

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
