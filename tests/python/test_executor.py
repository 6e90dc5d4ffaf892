"""manycore.futures.Executor: where it lets a map run, that it says so, and that it stays a concurrent.futures.Executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import hashlib
import itertools
import multiprocessing
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from manycore.futures import CancelledError, Executor, Future, shelf
from manycore.futures.choice import Measured, choose, permission_gain

from tests.python.process_tasks import fail_at, get_global, set_global
from tests.python.recorded import run_child

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")
DATA = bytes(3_000_000)


def count_up(limit: int) -> tuple[int, int]:
    total = 0
    for number in range(limit):
        total += number
    return os.getpid(), total


def where_it_runs(_: Any = None) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def measured(call_seconds: float, gil_held: float, processor: float = 1.0, left: int = 1000, **more: Any) -> Measured:
    facts = {"workers": 8, "cores": 4, **more}
    return Measured(10, 10 * call_seconds, 10 * call_seconds * processor, gil_held, left, **facts)


@pytest.mark.parametrize(
    ("seen", "allowed", "where"),
    [
        (measured(1e-7, 1.0, left=10**6), False, "inline"),
        (measured(1e-7, 1.0, left=10**6), True, "inline"),
        (measured(20e-6, 1.0), False, "inline"),
        (measured(1e-3, 1.0), False, "threads"),
        (measured(1e-3, 0.05), False, "threads"),
        (measured(1e-3, 0.05), True, "threads"),
        (measured(1e-2, 0.0, processor=0.01), True, "threads"),
        (measured(1e-3, 1.0), True, "processes"),
        (measured(20e-6, 1.0, left=10**5), True, "processes"),
        (measured(1e-3, 1.0, left=10, start_seconds=0.12), True, "threads"),  # over before the first process is there
        (measured(1e-3, 1.0, pickled_bytes=100_000_000, pickle_seconds=0.03), True, "threads"),
        (measured(1e-3, 1.0, cores=1), True, "threads"),
        (measured(1e-3, 0.0, workers=1), False, "inline"),
    ],
)
def test_the_choice_follows_what_was_measured(seen: Measured, allowed: bool, where: str) -> None:
    assert choose(seen, allowed)[0] == where


def test_what_the_permission_would_gain_is_said() -> None:
    assert "would take about 250 ms for the rest instead of 1 s" in permission_gain(measured(1e-3, 1.0))
    assert "would gain nothing" in permission_gain(measured(1e-3, 0.0))


def test_cheap_calls_run_in_a_row_on_one_worker_thread() -> None:
    with Executor(4) as executor:
        places = set(executor.map(where_it_runs, range(200_000)))
        assert len(places) == 1 and threading.get_ident() not in {thread for _, thread in places}
        assert "where_it_runs over 200000 items: inline" in str(executor.explain())


@pytest.mark.timed
def test_calls_that_wait_run_at_once() -> None:
    with Executor(8) as executor:
        begin = time.perf_counter()
        assert list(executor.map(time.sleep, [0.1] * 8)) == [None] * 8
        assert time.perf_counter() - begin < 0.5
        assert executor.explain().where == "threads" and "calls wait" in str(executor.explain())


def test_calls_that_let_go_of_the_gil_run_on_threads() -> None:
    def digest(_: int) -> tuple[str, int]:
        return hashlib.sha256(DATA).hexdigest(), threading.get_ident()

    with Executor(2, processes="allowed") as executor:
        results = list(executor.map(digest, range(60)))
        assert {text for text, _ in results} == {hashlib.sha256(DATA).hexdigest()}
        assert executor.explain().where == "threads" and len({thread for _, thread in results}) == 2, str(executor.explain())


def test_calls_that_wait_for_one_another_do() -> None:
    barrier = threading.Barrier(3)
    with Executor(3) as executor:
        assert sorted(executor.map(lambda _: barrier.wait(20), range(3))) == [0, 1, 2]


def test_one_that_waits_among_many_cheap_ones_does_not_keep_the_others() -> None:
    """Nobody reads the results meanwhile: the executor sees it by itself."""
    gone_by = threading.Event()

    def wait_or_tell(number: int) -> int:
        if number == 60_000:
            assert gone_by.wait(20)
        if number == 60_001:
            gone_by.set()
        return number

    with Executor(2) as executor:
        results = executor.map(wait_or_tell, range(100_000))
        assert gone_by.wait(20)
        assert list(results) == list(range(100_000))


@pytest.mark.timed
def test_at_most_as_many_at_once_as_workers() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.003)
        with lock:
            running -= 1

    for workers in (1, 3):
        most = 0
        with Executor(workers) as executor:
            list(executor.map(work, range(40)))
        assert most == workers


def test_processes_only_with_the_permission() -> None:
    with Executor(2) as executor:
        assert {pid for pid, _ in executor.map(count_up, [30_000] * 40)} == {os.getpid()}
        assert executor.explain().where == "threads"
        assert 'processes="allowed" would' in str(executor.explain())


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="processes gain nothing on one core")
@pytest.mark.slow
def test_calls_that_hold_the_gil_go_to_processes_where_that_is_allowed() -> None:
    with Executor(2, processes="allowed") as executor:
        for _ in range(2):  # the second time they are there
            results = list(executor.map(count_up, [100_000] * 200))
            assert {total for _, total in results} == {sum(range(100_000))}
            assert len({pid for pid, _ in results} - {os.getpid()}) == 2, str(executor.explain())
            assert executor.explain().where == "processes" and "bytes pickled" in str(executor.explain())


def test_what_cannot_be_pickled_stays_on_threads() -> None:
    lock = threading.Lock()

    def hold(_: Any) -> tuple[int, int]:
        return count_up(100_000) if lock else (0, 0)

    with Executor(2, processes="allowed") as executor:
        assert {pid for pid, _ in executor.map(hold, range(60))} == {os.getpid()}
        assert executor.explain().where == "threads" and "cannot be pickled" in str(executor.explain())


def test_submit_never_runs_the_function_before_it_returns_and_runs_it_on_a_thread() -> None:
    lock = threading.Lock()
    with Executor(2, processes="allowed") as executor:
        with lock:
            future = executor.submit(lock.acquire, timeout=20)
            assert type(future) is Future and not future.done()
        assert future.result() is True
        pid, thread = executor.submit(where_it_runs).result()
        assert pid == os.getpid() and thread != threading.get_ident()
        assert executor.explain().where == "threads"


def test_results_and_exceptions_are_those_of_the_standard_map() -> None:
    with Executor(2) as executor:
        assert isinstance(executor, concurrent.futures.Executor)
        assert list(executor.map(pow, [2, 3, 4], itertools.count(1))) == [2, 9, 64]
        assert list(executor.map(abs, [])) == [] and list(executor.map(abs, iter([-1]))) == [1]
        results = executor.map(fail_at, range(10), [3] * 10)
        assert [next(results), next(results), next(results)] == [0, 1, 2]
        with pytest.raises(ValueError, match="item 3"):
            next(results)
        assert list(results) == []
        with pytest.raises(TimeoutError):
            list(executor.map(time.sleep, [0, 0.5], timeout=0.05))
        assert list(executor.map(abs, range(5), buffersize=2)) == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="buffersize must be None or > 0"):
            executor.map(abs, [1], buffersize=0)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="processes gain nothing on one core")
def test_an_exception_in_a_process_comes_at_its_place_and_ends_the_map() -> None:
    with Executor(2, processes="allowed") as executor:
        list(executor.map(count_up, [100_000] * 100))
        results = executor.map(count_up, [*[100_000] * 150, "no number", *[100_000] * 50])
        seen = [next(results)[1] for _ in range(150)]
        assert seen == [sum(range(100_000))] * 150
        with pytest.raises(TypeError):
            next(results)
        assert executor.explain().where == "processes"


def test_closing_the_results_cancels_what_has_not_begun() -> None:
    ran: list[int] = []

    def note(number: int) -> None:
        ran.append(number)
        time.sleep(0.005)

    with Executor(2) as executor:
        results = executor.map(note, range(1000))
        next(results)
        results.close()  # type: ignore[attr-defined]
    assert len(ran) < 50


def test_shutdown_runs_what_is_there_or_cancels_it() -> None:
    executor = Executor(2)
    ran: list[int] = []
    executor.map(lambda number: (time.sleep(0.002), ran.append(number)), range(40))
    executor.shutdown()
    assert sorted(ran) == list(range(40))
    for refused in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            refused()
    executor = Executor(1)
    results = executor.map(time.sleep, [0.05] * 100)
    waiting = executor.submit(time.sleep, 0.01)
    executor.shutdown(cancel_futures=True)
    assert waiting.cancelled()
    with pytest.raises(CancelledError):
        list(results)


def test_each_call_runs_in_a_copy_of_the_callers_context() -> None:
    def change(_: int) -> str:
        before = VARIABLE.get()
        VARIABLE.set("changed")
        return before

    VARIABLE.set("outer")
    with Executor(2) as executor:
        assert set(executor.map(change, range(100))) == {"outer"}
        assert executor.submit(change, 0).result() == "outer"
    VARIABLE.set("unset")


def test_threads_are_reused_by_the_next_executor_but_never_shared() -> None:
    with Executor(7) as executor:
        first = executor.submit(threading.get_ident).result()
    with Executor(7) as executor, Executor(7) as other:
        assert executor.submit(threading.get_ident).result() == first
        assert other.submit(threading.get_ident).result() != first


def test_tasks_of_one_executor_wait_for_those_of_another() -> None:
    with Executor(2) as outer, Executor(2) as inner:
        assert list(outer.map(lambda number: inner.submit(abs, -number).result(20), range(50))) == list(range(50))


def test_idle_threads_end_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "IDLE_SECONDS", 0.2)
    with Executor(9) as executor:
        executor.submit(abs, 1).result()
        threads = list(executor._threads)
    assert threads and within(20, lambda: not any(thread.is_alive() for thread in threads))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="processes gain nothing on one core")
@pytest.mark.slow
@pytest.mark.timed
def test_idle_processes_end_after_a_while_and_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "IDLE_SECONDS", 0.2)
    with Executor(2, processes="allowed") as executor:
        for _ in range(2):
            assert len({pid for pid, _ in executor.map(count_up, [100_000] * 200)} - {os.getpid()}) > 0, str(executor.explain())
            assert within(20, lambda: executor._shared.process_pool is None)


def test_a_dropped_executor_and_its_arguments_are_not_kept() -> None:
    class Argument:
        pass

    argument = Argument()
    gone = weakref.ref(argument)
    executor = Executor(2)
    assert list(executor.map(id, [argument])) == [id(argument)]
    del argument
    assert within(5, lambda: gc.collect() >= 0 and gone() is None)
    executor_gone = weakref.ref(executor)
    del executor
    gc.collect()
    assert executor_gone() is None


def test_it_is_an_event_loops_default_executor() -> None:
    async def program() -> list[int]:
        asyncio.get_running_loop().set_default_executor(executor)
        return [await asyncio.to_thread(abs, -1), await asyncio.get_running_loop().run_in_executor(executor, abs, -2)]

    executor = Executor(2)
    assert asyncio.run(program()) == [1, 2]


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        Executor(0)
    with pytest.raises(ValueError, match="processes: expected 'never' or 'allowed', got 'always'"):
        Executor(processes="always")


def test_globals_change_here_unless_processes_are_allowed() -> None:
    with Executor(2) as executor:
        list(executor.map(set_global, ["by a call"] * 3))
        assert get_global() == "by a call"
        set_global("at import")


def test_a_program_ends_by_itself_whatever_it_leaves() -> None:
    done = run_child(
        "import time\nfrom manycore.futures import Executor\n"
        "executor = Executor(2)\nexecutor.submit(time.sleep, 0.1)\nresults = executor.map(abs, range(100000))\n"
        "print(next(results))\nlate = executor.map(lambda i: (time.sleep(0.01), i)[1], range(20))\nexecutor.submit(print, 'last')\n"
    )
    assert (done.returncode, done.stderr) == (0, "") and sorted(done.stdout.split()) == ["0", "last"]


def test_a_forked_child_has_worker_processes_of_its_own_that_end_when_idle() -> None:
    done = run_child(
        "import os, sys, time\nfrom manycore.futures import Executor, shelf\n"
        "shelf.IDLE_SECONDS = 0.4\n"
        "executor = Executor(2, processes='allowed')\nshared = executor._shared\n"
        "def start():\n    with shared.lock:\n        return shared.processes().submit(os.getppid)\n"
        "first = start()\nprint(first.result() == os.getpid(), flush=True)\npool = shared.process_pool\n"
        "with shared.lock:\n    child = os.fork()\n"  # whoever holds it in the parent does not come here
        "if child:\n    print(os.waitpid(child, 0)[1])\n    executor.shutdown()\n    sys.exit()\n"
        "print(shared.process_pool is None, shared.end_idle_processes(0.0), flush=True)\n"
        "print(start().result() == os.getpid(), shared.process_pool is not pool, flush=True)\n"
        "end = time.monotonic() + 20\n"
        "while shared.process_pool is not None and time.monotonic() < end:\n    time.sleep(0.01)\n"
        "print(shared.process_pool, flush=True)\nexecutor.shutdown()\nos._exit(0)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == ["True", "True None", "True True", "None", "0", ""]


def test_a_forked_child_has_executors_of_its_own() -> None:
    done = run_child(
        "import os\nfrom manycore.futures import Executor\n"
        "with Executor(3) as executor:\n    print(list(executor.map(abs, [-1, -2])), flush=True)\n"
        "child = os.fork()\n"
        # At once: both write.
        "with Executor(3) as executor:\n    os.write(1, b'%a\\n' % list(executor.map(abs, [-3] * 3)))\n"
        "if child:\n    print(os.waitpid(child, 0)[1])\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == ["[1, 2]", "[3, 3, 3]", "[3, 3, 3]", "0", ""]


@pytest.mark.timed
def test_workers_that_are_new_interpreters_are_warm_before_they_are_needed() -> None:
    for start in ("forkserver", "spawn"):
        with Executor(2, processes="allowed", mp_context=multiprocessing.get_context(start)) as executor:
            shared = executor._shared
            end = time.monotonic() + 60
            while shared.warming and time.monotonic() < end:
                time.sleep(0.01)
            assert shared.process_pool is not None and len(shared.process_pool._processes or ()) >= 1
            took = []
            for _ in range(5):
                begin = time.monotonic()
                assert shared.process_pool.submit(os.getpid).result(30) != os.getpid()
                took.append(time.monotonic() - begin)
            assert min(took) < 0.012, took
    with Executor(2, processes="allowed", mp_context=multiprocessing.get_context("fork")) as executor:
        assert executor._shared.process_pool is None
    Executor(2, processes="allowed", mp_context=multiprocessing.get_context("forkserver")).shutdown()
