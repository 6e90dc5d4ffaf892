"""A call that raises StopIteration: its error must end neither the results of a map nor who awaits it, as if nothing more came."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import failing_tasks as failing
import manycore
import process_tasks as tasks
import pytest
from manycore.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor


@pytest.fixture(scope="module", params=["threads", "processes", "automatic"])
def pool(request: Any) -> Iterator[Any]:
    kinds = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor, "automatic": Executor}
    with kinds[request.param](2) as one:
        yield one


def expect_end(results: Iterator[Any], before: int) -> None:
    read = []
    with pytest.raises(RuntimeError, match="generator raised StopIteration") as caught:
        for value in results:
            read.append(value)
    assert read == list(range(before))
    assert isinstance(caught.value.__cause__, StopIteration)
    assert list(results) == []


@pytest.mark.parametrize(
    "options", [{}, {"buffersize": 3}, {"chunksize": 5}, {"progress": str}], ids=lambda options: "".join(options)
)
@pytest.mark.parametrize("at", [0, 7])
def test_a_map_raises_runtime_error_at_that_place(pool: Any, options: dict[str, Any], at: int) -> None:
    expect_end(pool.map(failing.stop_at, range(50), [at] * 50, **options), at)
    expect_end(pool.options(priority=1).map(failing.stop_at, range(50), [at] * 50, **options), at)


def test_so_does_one_item_after_the_other(pool: Any) -> None:
    results = pool.map(failing.stop_at_two, range(5))
    assert next(results) == 0 and next(results) == 1
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_a_rest_in_processes_does_too() -> None:
    with Executor(2, processes="allowed", mp_context=None) as executor:
        expect_end(executor.map(failing.compute_or_stop, range(3000)), 2900)


def test_a_subclass_of_stop_iteration_counts_and_others_do_not(pool: Any) -> None:
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        list(pool.map(failing.stop_with_more, range(3)))
    with pytest.raises(StopAsyncIteration):
        list(pool.map(failing.stop_asynchronously, range(3)))


def test_submit_gives_it_as_it_is(pool: Any) -> None:
    error = pool.submit(failing.stop_at, 1, 1).exception(30)
    assert type(error) is StopIteration and error.value == "at 1"


def test_who_awaits_gets_a_runtime_error(pool: Any) -> None:
    async def program() -> None:
        for call in (
            manycore.to_thread(failing.stop_at, 1, 1),
            manycore.to_process(failing.stop_at, 1, 1),
            _awaited(pool.submit(failing.stop_at, 1, 1)),
        ):
            with pytest.raises(RuntimeError, match="StopIteration interacts badly"):
                await asyncio.wait_for(call, 30)

    asyncio.run(program())


async def _awaited(future: Any) -> Any:
    return await future


def test_awaiting_else_is_as_asyncios(pool: Any) -> None:
    async def program() -> None:
        assert await _awaited(pool.submit(tasks.double, 4)) == 8
        with pytest.raises(ValueError, match="why"):
            await _awaited(pool.submit(tasks.fail, "why"))
        future = pool.submit(time.sleep, 0.05)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_awaited(future), 0.001)
        cancelled = asyncio.ensure_future(_awaited(pool.submit(os.getpid)))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        busy = [pool.submit(time.sleep, 0.2) for _ in range(2)]
        waits = pool.submit(os.getpid)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await _awaited(waits)
        for one in busy:
            await one

    asyncio.run(program())
