"""How pools of processes end: by terminate_workers and kill_workers, at the program's end, and by errors in their own thread."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import process_tasks as tasks
import pytest
from manycore.futures import Executor
from manycore.futures.process import ProcessPoolExecutor, WorkerDied

HERE = Path(__file__).resolve().parent


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.002)


def run(program: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )


def running(pool: ProcessPoolExecutor, seconds: float = 60) -> Any:
    future = pool.submit(tasks.nap, seconds)
    until(future.running)
    return future


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("on_worker_death", ["continue", "break"])
def test_ending_the_workers_ends_running_calls_and_cancels_the_others(how: str, retries: int, on_worker_death: str) -> None:
    pool = ProcessPoolExecutor(1, retries=retries, on_worker_death=on_worker_death)
    runs = running(pool)
    waits = [pool.submit(tasks.double, i) for i in range(3)]
    process = next(iter(pool._processes.values()))  # type: ignore[union-attr]
    getattr(pool, how)()
    error = runs.exception(30)
    assert isinstance(error, BrokenProcessPool)
    if on_worker_death == "continue":
        assert isinstance(error, WorkerDied)
        assert error.exit_code == (-signal.SIGKILL if how == "kill_workers" else -signal.SIGTERM)
        assert how in str(error) and "other calls are not concerned" not in str(error)
    assert all(future.cancelled() for future in waits)
    until(lambda: not Path(f"/proc/{process.pid}").exists())
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(tasks.double, 1)
    pool.shutdown()


def test_a_call_with_retries_of_its_own_is_not_run_again_when_the_workers_are_killed() -> None:
    pool = ProcessPoolExecutor(1)
    future = pool.options(retries=3).submit(tasks.nap, 60)
    until(future.running)
    pool.kill_workers()
    assert isinstance(future.exception(30), WorkerDied)
    pool.shutdown()


def test_killing_the_workers_cancels_what_a_map_has_not_begun() -> None:
    pool = ProcessPoolExecutor(1)
    results = pool.map(tasks.nap, [60] * 1000)
    until(lambda: pool._core.outstanding() and pool._processes)
    started = running_soon(pool)
    pool.kill_workers()
    with pytest.raises(BrokenProcessPool if started else concurrent.futures.CancelledError):
        next(results)
    later = pool._team.maps
    until(lambda: not later)
    pool.shutdown()


def running_soon(pool: ProcessPoolExecutor) -> bool:
    """Whether the first call of the pool has begun."""
    maps = list(pool._team.maps)
    until(lambda: maps[0].chunks[0].running())
    return True


@pytest.mark.slow
def test_a_worker_that_ignores_sigterm_is_not_waited_for() -> None:
    with ProcessPoolExecutor(1) as pool:
        worker = pool.submit(tasks.ignore_signals).result(30)
        future = pool.submit(tasks.nap, 1)
        until(future.running)
        waits = pool.submit(tasks.nap, 1)
        pool.terminate_workers()  # returns while the call runs on
        assert future.running() and waits.cancelled()
        assert future.result(30) == 1
    until(lambda: not Path(f"/proc/{worker}").exists())


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
def test_workers_can_be_ended_from_a_callback(how: str) -> None:
    pool = ProcessPoolExecutor(2)
    runs = running(pool)
    raised: list[BaseException] = []
    done = threading.Event()

    def end(_: object) -> None:
        try:
            getattr(pool, how)()
        except BaseException as error:
            raised.append(error)
        done.set()

    pool.submit(tasks.nap, 0.05).add_done_callback(end)
    assert done.wait(30)
    assert raised == []
    assert isinstance(runs.exception(30), BrokenProcessPool)
    pool.shutdown()


def test_ending_the_workers_of_a_pool_without_any() -> None:
    pool = ProcessPoolExecutor(1)
    pool.terminate_workers()
    pool.kill_workers()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(tasks.double, 1)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["pool.submit(pow, 2, 3)", "pool.map(abs, [1, 2])"])
@pytest.mark.parametrize("made", ["before", "in the handler", "used before"])
@pytest.mark.parametrize("kind", ["ProcessPoolExecutor", "ThreadPoolExecutor", "Executor"])
def test_pools_in_an_atexit_handler_refuse_and_let_the_program_end(kind: str, made: str, what: str) -> None:
    program = f"""
import atexit
from manycore.futures import {kind}
pool = {kind}(1)
if {made!r} == "used before":
    assert pool.submit(pow, 2, 3).result() == 8
def handler():
    global pool
    if {made!r} == "in the handler":
        pool = {kind}(1)
    try:
        {what}
    except RuntimeError as error:
        print(error)
atexit.register(handler)
"""
    ended = run(program)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "cannot schedule new futures after interpreter shutdown\n"


class ExitsWhenPickled:
    """As many items as there are at first go well."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        if self.number >= 40:
            raise SystemExit("no")
        return int, (self.number,)


def test_what_an_item_raises_on_the_pools_thread_is_that_items_error() -> None:
    with ProcessPoolExecutor(1) as pool:
        results = pool.map(tasks.nap_and_double, [ExitsWhenPickled(i) for i in range(60)])
        thread = pool._executor_manager_thread
        read = []
        # Nobody reads meanwhile, so that the pool's own thread sends the items.
        (sending,) = pool._team.maps
        until(lambda: sending.sent > 40)
        with pytest.raises(SystemExit, match="no"):
            for value in results:
                read.append(value)
        assert read == [2 * i for i in range(40)]
        assert thread is not None and thread.is_alive()
        assert pool.submit(tasks.double, 1).result(30) == 2


def test_an_error_in_the_pools_thread_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(tasks.double, 1).result(30) == 2
        core, told = pool._team.core, []

        class Failing:
            def __getattr__(self, name: str) -> Any:
                return getattr(core, name)

            def serve(self) -> Any:
                if not told:
                    told.append(1)
                    raise MemoryError("planted")
                return core.serve()

        pool._team.core = Failing()  # type: ignore[assignment]
        os.kill(next(iter(pool._processes)), signal.SIGKILL)  # type: ignore[arg-type]
        until(lambda: told)
        assert pool.submit(tasks.double, 2).result(30) == 4
    assert "planted" in caplog.text


def test_a_callback_that_raises_the_hardest_does_not_end_the_pools_thread() -> None:
    with ProcessPoolExecutor(1) as pool:
        future = pool.submit(tasks.nap, 0.05)

        def leave(_: object) -> None:
            raise SystemExit(3)

        future.add_done_callback(leave)
        told = threading.Event()
        assert future.result(30) == 0.05
        other = pool.submit(tasks.nap, 0.05)
        other.add_done_callback(lambda _: told.set())
        assert told.wait(30)


@pytest.mark.parametrize("buffersize", [None, 2])
def test_a_process_map_after_shutdown_raises_at_the_call(buffersize: int | None) -> None:
    pool = ProcessPoolExecutor(1)
    pool.submit(tasks.double, 1).result(30)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.map(tasks.double, [1, 2], buffersize=buffersize)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.options(priority=1).map(tasks.double, [1, 2], buffersize=buffersize)
    assert list(pool.map(tasks.double, [])) == []  # as the standard, which submits nothing


def test_a_map_of_a_broken_pool_raises_at_the_call() -> None:
    pool = ProcessPoolExecutor(1, on_worker_death="break")
    assert isinstance(pool.submit(tasks.die, "kill").exception(30), BrokenProcessPool)
    with pytest.raises(BrokenProcessPool):
        pool.map(tasks.double, [1])
    pool.shutdown()


def test_shutdown_with_cancel_cancels_what_a_map_has_not_sent() -> None:
    pool = ProcessPoolExecutor(1)
    results = pool.map(tasks.nap, [0.2] * 1000)
    running_soon(pool)
    pool.shutdown(cancel_futures=True)
    assert next(results) == 0.2
    with pytest.raises(concurrent.futures.CancelledError):
        list(results)


class ExitsOnceMoved:
    def __call__(self, item: int) -> int:
        sum(range(50_000))
        return item

    def __reduce__(self) -> Any:
        raise SystemExit("not to be moved")


@pytest.mark.slow
def test_an_executors_map_whose_move_fails_goes_on_and_shuts_down() -> None:
    with Executor(2, processes="allowed") as executor:
        assert list(executor.map(ExitsOnceMoved(), range(2000))) == list(range(2000))
        assert executor.explain().where != "processes"


def test_a_watch_that_raises_the_hardest_does_not_end_the_keeper(capsys: pytest.CaptureFixture[str]) -> None:
    from manycore.futures.keeper import keeper

    rounds = []

    def exits(_late: float) -> float | None:
        raise SystemExit(4)

    def counts(_late: float) -> float | None:
        rounds.append(1)
        return 0.001 if len(rounds) < 3 else None

    keeper.add(exits)
    keeper.add(counts)
    until(lambda: len(rounds) == 3)


def test_a_shutdown_comes_to_its_end_whatever_the_items_of_a_map_raise() -> None:
    pool = ProcessPoolExecutor(1)
    maps = [pool.map(tasks.nap_and_double, [ExitsWhenPickled(i) for i in range(60)]) for _ in range(2)]
    pool.shutdown()
    for results in maps:
        read = []
        with pytest.raises(SystemExit):
            for value in results:
                read.append(value)
        assert read == [2 * i for i in range(40)]


def test_pools_work_on_after_multiprocessings_finalizers() -> None:
    program = """
from multiprocessing import util
from manycore.futures import ProcessPoolExecutor
pool = ProcessPoolExecutor(1)
assert pool.submit(pow, 2, 3).result() == 8
for _ in range(2):
    util._run_finalizers()
    with ProcessPoolExecutor(1) as other:
        print(other.submit(pow, 2, 3).result(), list(other.map(abs, [-1])))
"""
    ended = run(program)
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "8 [1]\n8 [1]\n")
