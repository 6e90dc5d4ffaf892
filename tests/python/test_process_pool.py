"""ProcessPoolExecutor against the standard's: what it takes, what it answers, what it raises."""

from __future__ import annotations

import concurrent.futures
import gc
import math
import multiprocessing
import operator
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import process_tasks as tasks
import pytest
from manycore.futures.process import ProcessPoolExecutor
from manycore.futures.raised import RemoteError

STARTS = ("fork", "spawn", "forkserver")


@pytest.fixture(scope="module", params=["fork", *(pytest.param(start, marks=pytest.mark.slow) for start in STARTS[1:])])
def pool(request: pytest.FixtureRequest) -> Any:
    with ProcessPoolExecutor(2, multiprocessing.get_context(request.param)) as executor:
        yield executor


def test_it_is_a_standard_executor_with_standard_futures(pool: Any) -> None:
    assert isinstance(pool, concurrent.futures.ProcessPoolExecutor)
    future = pool.submit(tasks.double, 21)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(30) == 42
    assert future.done() and not future.running() and not future.cancelled()


def test_calls_run_in_worker_processes(pool: Any) -> None:
    pids = {pool.submit(tasks.worker_pid).result(30) for _ in range(20)}
    assert os.getpid() not in pids
    assert pids <= set(pool._processes)


def test_arguments_of_every_kind_arrive(pool: Any) -> None:
    assert pool.submit(tasks.with_keywords, 1, self=2, fn=3).result(30) == ((1,), {"self": 2, "fn": 3})
    assert pool.submit(tasks.with_keywords).result(30) == ((), {})
    assert pool.submit(math.hypot, 3, 4).result(30) == 5
    assert pool.submit(operator.methodcaller("upper"), "x").result(30) == "X"
    assert pool.submit("a-b".split, "-").result(30) == ["a", "b"]
    with pytest.raises(TypeError):
        pool.submit(fn=tasks.double)
    with pytest.raises(TypeError):
        pool.submit()


def test_an_exception_brings_its_traceback_as_the_cause(pool: Any) -> None:
    with pytest.raises(ValueError, match="why") as caught:
        pool.submit(tasks.fail, "why").result(30)
    assert type(caught.value.__cause__).__name__ == "_RemoteTraceback"
    assert "raise ValueError(text)" in str(caught.value.__cause__)


def test_sys_exit_in_a_call_is_its_future_s_and_the_worker_goes_on(pool: Any) -> None:
    assert pool.submit(tasks.double, 1).result(30) == 2
    before = set(pool._processes)
    with pytest.raises(SystemExit):
        pool.submit(tasks.leave_quietly).result(30)
    assert pool.submit(tasks.double, 1).result(30) == 2
    assert before and before <= set(pool._processes)


def test_what_cannot_be_pickled_fails_alone(pool: Any) -> None:
    with pytest.raises(ArithmeticError, match="not to be pickled"):
        pool.submit(tasks.double, tasks.FailsWhenPickled()).result(30)
    with pytest.raises(ValueError, match="not to be unpickled"):
        pool.submit(tasks.double, tasks.FailsWhenUnpickled()).result(30)
    with pytest.raises(ArithmeticError, match="not to be pickled"):
        pool.submit(tasks.return_unpicklable).result(30)
    with pytest.raises(ValueError, match="not to be unpickled"):
        pool.submit(tasks.return_unreadable).result(30)
    with pytest.raises(RemoteError, match="cannot be pickled: TypeError"):
        pool.submit(tasks.raise_unpicklable).result(30)
    assert pool.submit(tasks.double, 4).result(30) == 8


def test_lambdas_and_closures_work(pool: Any) -> None:
    pytest.importorskip("cloudpickle")
    n = 5
    assert pool.submit(lambda x: x + n, 1).result(30) == 6
    assert list(pool.map(lambda x: x * n, range(4))) == [0, 5, 10, 15]


def test_large_values_travel_both_ways(pool: Any) -> None:
    for count in (50_000, 60_000, 200_000, 5_000_000):
        assert pool.submit(tasks.length, b"y" * count).result(30) == count
        assert pool.submit(tasks.big_bytes, count).result(30) == b"x" * count
    assert pool.submit(tasks.double, list(range(300_000))).result(30) == list(range(300_000)) * 2


def test_more_is_submitted_than_rings_hold(pool: Any) -> None:
    text = "z" * 10_000
    futures = [pool.submit(tasks.double, text) for _ in range(300)]
    assert all(future.result(60) == text * 2 for future in futures)


def test_map_is_map(pool: Any) -> None:
    assert list(pool.map(tasks.double, range(10_000))) == [2 * i for i in range(10_000)]
    assert list(pool.map(pow, [2, 3, 4], [5, 6])) == [32, 729]
    assert list(pool.map(tasks.double, [])) == []
    assert list(pool.map(tasks.double, range(100), chunksize=7)) == [2 * i for i in range(100)]
    with pytest.raises(ValueError, match="chunksize must be >= 1"):
        pool.map(tasks.double, [1], chunksize=0)


@pytest.mark.parametrize("at", [0, 7, 500, 999])
def test_an_item_that_fails_leaves_those_before_it(pool: Any, at: int) -> None:
    results = pool.map(tasks.fail_at, range(1000), [at] * 1000)
    for i in range(at):
        assert next(results) == i
    with pytest.raises(ValueError, match=f"item {at}"):
        next(results)


def test_map_keeps_to_its_timeout(pool: Any) -> None:
    results = []
    with pytest.raises(concurrent.futures.TimeoutError):
        for result in pool.map(tasks.nap, [0, 0, 3], timeout=1):
            results.append(result)
    assert results == [0, 0]


def test_map_with_a_buffer_takes_items_as_results_are_read(pool: Any) -> None:
    taken: list[int] = []

    def items() -> Any:
        for i in range(100):
            taken.append(i)
            yield i

    results = pool.map(tasks.double, items(), buffersize=3)
    assert len(taken) == 3
    assert next(results) == 0
    assert len(taken) == 4
    assert list(results) == [2 * i for i in range(1, 100)]


def test_wait_as_completed_and_callbacks(pool: Any) -> None:
    futures = [pool.submit(tasks.double, i) for i in range(50)]
    done, pending = concurrent.futures.wait(futures, timeout=30)
    assert not pending and {future.result() for future in done} == {2 * i for i in range(50)}
    futures = [pool.submit(tasks.nap, 0.01 * (i % 3)) for i in range(9)]
    assert sorted(future.result() for future in concurrent.futures.as_completed(futures, timeout=30)) == sorted(
        0.01 * (i % 3) for i in range(9)
    )
    called = threading.Event()
    names: list[str] = []

    def callback(future: Any) -> None:
        names.append(threading.current_thread().name)
        called.set()

    pool.submit(tasks.nap, 0.2).add_done_callback(callback)
    assert called.wait(30)
    assert names != [threading.current_thread().name]


def test_a_future_without_anybody_who_waits_gets_done(pool: Any) -> None:
    future = pool.submit(tasks.double, 3)
    end = time.monotonic() + 30
    while not future.done() and time.monotonic() < end:
        time.sleep(0.001)
    assert future.result(0) == 6


def test_many_threads_wait_at_once(pool: Any) -> None:
    results: list[int] = []

    def ask(i: int) -> None:
        for k in range(50):
            results.append(pool.submit(tasks.double, i * 50 + k).result(30))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [2 * i for i in range(300)]


def test_asyncio_awaits_them(pool: Any) -> None:
    import asyncio

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(pool, tasks.double, i) for i in range(20)))

    assert asyncio.run(main()) == [2 * i for i in range(20)]


def test_what_waits_can_be_cancelled_and_what_runs_cannot() -> None:
    with ProcessPoolExecutor(1) as pool:
        running = pool.submit(tasks.nap, 0.5)
        while not running.running():
            time.sleep(0.001)
        waiting = [pool.submit(tasks.double, i) for i in range(10)]
        assert waiting[3].cancel() and waiting[3].cancelled()
        assert not running.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            waiting[3].result()
        assert concurrent.futures.wait([waiting[3]], timeout=5).done == {waiting[3]}
        assert [future.result(30) for i, future in enumerate(waiting) if i != 3] == [2 * i for i in range(10) if i != 3]


def test_shutdown_waits_or_cancels() -> None:
    pool = ProcessPoolExecutor(2)
    futures = [pool.submit(tasks.nap, 0.05) for _ in range(10)]
    pool.shutdown()
    assert all(future.done() for future in futures)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        pool.submit(tasks.double, 1)
    pool = ProcessPoolExecutor(1)
    futures = [pool.submit(tasks.nap, 0.2) for _ in range(10)]
    while not futures[0].running():
        time.sleep(0.001)
    pool.shutdown(cancel_futures=True)
    assert futures[0].result() == 0.2
    assert sum(future.cancelled() for future in futures) >= 8
    ProcessPoolExecutor(1).shutdown()


def test_map_is_whole_when_read_after_shutdown() -> None:
    with ProcessPoolExecutor(2) as pool:
        results = pool.map(tasks.double, range(3000))
    assert list(results) == [2 * i for i in range(3000)]


def test_a_dropped_executor_finishes_its_work_and_its_workers_go() -> None:
    pool = ProcessPoolExecutor(2)
    futures = [pool.submit(tasks.nap, 0.02) for _ in range(10)]
    workers = list(pool._processes)
    reference = weakref.ref(pool)
    del pool
    gc.collect()
    assert reference() is None
    assert [future.result(30) for future in futures] == [0.02] * 10
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)


def test_arguments_and_results_are_not_kept() -> None:
    class Argument:
        pass

    with ProcessPoolExecutor(1) as pool:
        argument = Argument()
        reference = weakref.ref(argument)
        pool.submit(tasks.length, [1]).result(30)
        future = pool.submit(id, argument)
        del argument
        with pytest.raises((AttributeError, TypeError)):
            raise future.exception(30) or TypeError
        del future
        gc.collect()
        assert reference() is None


@pytest.mark.parametrize("start", STARTS)
def test_the_initializer_runs_in_each_worker(start: str) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context(start), tasks.set_global, ("initialized",)) as pool:
        assert {pool.submit(tasks.get_global).result(30) for _ in range(10)} == {"initialized"}


def test_a_failing_initializer_breaks_the_pool() -> None:
    pool = ProcessPoolExecutor(2, initializer=tasks.fail_to_start)
    future = pool.submit(tasks.double, 1)
    with pytest.raises(concurrent.futures.process.BrokenProcessPool):
        future.result(30)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            pool.submit(tasks.double, 1)
        except concurrent.futures.process.BrokenProcessPool:
            break
    else:
        pytest.fail("the pool still takes calls")
    pool.shutdown()


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_are_replaced_after_their_calls(start: str) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context(start), max_tasks_per_child=2) as pool:
        pids = [pool.submit(tasks.worker_pid).result(60) for _ in range(6)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 2]


def test_wrong_arguments_are_refused_as_the_standard_refuses_them() -> None:
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        ProcessPoolExecutor(0)
    with pytest.raises(TypeError, match="initializer must be a callable"):
        ProcessPoolExecutor(1, initializer=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="max_tasks_per_child must be an integer"):
        ProcessPoolExecutor(1, max_tasks_per_child="3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_tasks_per_child must be >= 1"):
        ProcessPoolExecutor(1, max_tasks_per_child=0)
    with pytest.raises(ValueError, match="incompatible with the 'fork'"):
        ProcessPoolExecutor(1, multiprocessing.get_context("fork"), max_tasks_per_child=1)
    with pytest.raises(ValueError, match="on_worker_death"):
        ProcessPoolExecutor(1, on_worker_death="ignore")
    with pytest.raises(ValueError, match="retries"):
        ProcessPoolExecutor(1, retries=4)


def run(program: str, tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(program))
    return subprocess.run([sys.executable, *options, str(script)], capture_output=True, text=True, timeout=60)


def test_functions_of_main_and_globals_set_before_the_pool_are_there(tmp_path: Path) -> None:
    result = run(
        """
        from manycore.futures.process import ProcessPoolExecutor
        import multiprocessing, threading
        unpicklable = threading.Lock()
        def f(x):
            return x + len(repr(unpicklable)) * 0
        with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
            print(list(pool.map(f, range(5))))
        """,
        tmp_path,
    )
    assert (result.stdout, result.stderr) == ("[0, 1, 2, 3, 4]\n", "")


def test_the_interpreter_s_end_waits_for_calls(tmp_path: Path) -> None:
    result = run(
        """
        import time, atexit
        from manycore.futures.process import ProcessPoolExecutor
        def slow():
            time.sleep(0.3)
            print("ran", flush=True)
        if __name__ == "__main__":
            atexit.register(print, "atexit")
            pool = ProcessPoolExecutor(1)
            pool.submit(slow)
        """,
        tmp_path,
    )
    assert (result.stdout, result.stderr) == ("ran\natexit\n", "")


def test_importing_the_pool_loads_no_numpy(tmp_path: Path) -> None:
    result = run("import sys, manycore.futures.process; print('numpy' in sys.modules)", tmp_path)
    assert result.stdout == "False\n"
