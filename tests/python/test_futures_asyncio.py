"""Futures and pools in coroutines: awaiting, to_thread, to_process, contexts, cancelling, and that the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from typing import Any

import manycore
import pytest
from manycore.futures import Executor, ThreadPoolExecutor
from manycore.futures.asynchronous import stays_here

from tests.python.process_tasks import double, fail, nap, worker_pid

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")
OTHER_NAME: contextvars.ContextVar[Any] = contextvars.ContextVar("other", default="unset")


def seen() -> tuple[str, Any, int]:
    return VARIABLE.get(), OTHER_NAME.get(), os.getpid()


async def longest_pause(until: asyncio.Future[Any] | asyncio.Task[Any]) -> float:
    longest, before = 0.0, time.perf_counter()
    while not until.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


def test_to_thread_runs_on_a_thread_with_the_context() -> None:
    async def program() -> None:
        VARIABLE.set("of the caller")
        assert await manycore.to_thread(seen) == ("of the caller", "unset", os.getpid())
        assert await manycore.to_thread(threading.get_ident) != threading.get_ident()
        assert await manycore.to_thread(int, "ff", base=16) == 255
        with pytest.raises(ValueError, match="why"):
            await manycore.to_thread(fail, "why")

    asyncio.run(program())


def test_to_process_runs_in_a_process_with_what_travels() -> None:
    nowhere: contextvars.ContextVar[int] = contextvars.ContextVar("nowhere")

    async def program() -> None:
        VARIABLE.set("of the caller")
        OTHER_NAME.set("found by its object")
        nowhere.set(1)
        variable, other, pid = await manycore.to_process(seen)
        assert (variable, other) == ("of the caller", "found by its object") and pid != os.getpid()
        OTHER_NAME.set(threading.Lock())
        assert (await manycore.to_process(seen))[1] == "unset"
        assert {nowhere, OTHER_NAME} <= set(stays_here()) and VARIABLE not in stays_here()
        assert await manycore.to_process(double, x=4) == 8
        with pytest.raises(ValueError, match="why"):
            await manycore.to_process(fail, "why")

    asyncio.run(program())
    VARIABLE.set("unset")

    async def without_a_context() -> int:
        return await manycore.to_process(worker_pid)

    assert contextvars.Context().run(asyncio.run, without_a_context()) != os.getpid()


def test_thousands_at_once() -> None:
    async def program() -> None:
        assert await asyncio.gather(*(manycore.to_thread(abs, -i) for i in range(5000))) == list(range(5000))
        assert await asyncio.gather(*(manycore.to_process(double, i) for i in range(5000))) == [2 * i for i in range(5000)]

    asyncio.run(program())


def test_cancelling_the_task_cancels_what_has_not_begun() -> None:
    async def program() -> None:
        ran = []
        with ThreadPoolExecutor(1) as pool:
            loop = asyncio.get_running_loop()
            gate = threading.Event()
            first = loop.run_in_executor(pool, gate.wait, 20)

            async def wait_for(number: int) -> None:
                await pool.submit(ran.append, number)  # type: ignore[misc]

            tasks = [asyncio.create_task(wait_for(number)) for number in range(3)]
            await asyncio.sleep(0.01)
            tasks[1].cancel()
            await asyncio.sleep(0.01)
            gate.set()
            await asyncio.wait([first, *tasks])
            assert tasks[1].cancelled()
        assert ran == [0, 2]

    asyncio.run(program())


def test_cancelled_calls_of_to_thread_never_run() -> None:
    async def program() -> None:
        count, ran = 200, []
        gate = threading.Event()
        tasks = [asyncio.create_task(manycore.to_thread(gate.wait, 20)) for _ in range(count)]
        late = asyncio.create_task(manycore.to_thread(ran.append, 1))
        await asyncio.sleep(0.02)
        late.cancel()
        await asyncio.sleep(0.02)
        gate.set()
        await asyncio.wait(tasks)
        assert late.cancelled() and ran == []

    asyncio.run(program())


def test_synchronous_and_asynchronous_callers_share_an_executor() -> None:
    async def program() -> None:
        with Executor(1) as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            thread = executor.submit(threading.get_ident).result()
            assert await asyncio.to_thread(threading.get_ident) == thread
            assert await executor.submit(threading.get_ident) == thread  # type: ignore[misc]

    asyncio.run(program())


def test_the_loop_goes_on_while_calls_wait_and_processes_start() -> None:
    async def program() -> float:
        work = asyncio.gather(
            *(manycore.to_thread(nap, 0.05) for _ in range(50)), *(manycore.to_process(nap, 0.05) for _ in range(4))
        )
        pause = await longest_pause(work)
        assert await work == [0.05] * 54
        return pause

    assert min(asyncio.run(program()) for _ in range(3)) < 0.05


def test_several_loops_share_the_pool() -> None:
    pids: list[int] = []

    def one_loop() -> None:
        async def program() -> int:
            return await manycore.to_process(worker_pid)

        pids.append(asyncio.run(program()))

    threads = [threading.Thread(target=one_loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 4 and len(set(pids)) <= len(os.sched_getaffinity(0)) and os.getpid() not in pids


@pytest.mark.timed
def test_a_variable_that_is_no_modules_is_looked_for_quickly() -> None:
    from manycore.futures import asynchronous

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("nowhere")
    begin = time.perf_counter()
    assert asynchronous._find_home(variable) is None
    assert time.perf_counter() - begin < 0.05
    globals()["UNDER_ANOTHER_NAME"] = variable
    assert asynchronous._find_home(variable) == (__name__, "UNDER_ANOTHER_NAME")
    del globals()["UNDER_ANOTHER_NAME"]
