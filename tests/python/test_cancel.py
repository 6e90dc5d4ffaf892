"""manycore.cancel(): queued calls are cancelled, native loops stop, processes end by force; no other call notices."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, as_completed, wait
from pathlib import Path
from typing import Any

import cancel_tasks as calls
import manycore
import process_tasks as tasks
import pytest
from manycore import _tasks
from manycore.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, cancel

Pool = Any


@pytest.fixture(params=[ThreadPoolExecutor, ProcessPoolExecutor], ids=["threads", "processes"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with request.param(1) as pool:
        yield pool


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return str(tmp_path / "begun")


def appear(path: str) -> None:
    end = time.monotonic() + 60
    while not Path(path).exists():
        assert time.monotonic() < end, "the call did not begin"
        time.sleep(0.001)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] == "Z"
    except FileNotFoundError:
        return True


def test_a_native_loop_stops_in_the_middle(pool: Pool, mark: str) -> None:
    future = pool.submit(calls.multiply_for_long, mark)
    behind = pool.submit(calls.sums_still)
    appear(mark)
    assert not future.cancel()
    assert manycore.cancel(future) is True
    # Nothing comes after the loop that could stop the call, which would return then.
    with pytest.raises(CancelledError):
        future.result(60)
    assert future.cancelled() and future.done() and not future.running()
    assert behind.result(60) == 3_000_000.0


@pytest.mark.timed
def test_a_long_native_loop_stops_soon(pool: Pool, mark: str) -> None:
    future = pool.submit(calls.multiply_for_long, mark)
    appear(mark)
    time.sleep(0.2)  # the first steps are short in any case
    begin = time.monotonic()
    assert cancel(future)
    with pytest.raises(CancelledError):
        future.result(60)
    assert time.monotonic() - begin < 0.5


def test_every_later_loop_of_the_call_stops_too(pool: Pool, mark: str, tmp_path: Path) -> None:
    caught = str(tmp_path / "caught")
    future = pool.submit(calls.loop_for_ever, mark, caught)
    appear(mark)
    assert cancel(future)
    with pytest.raises(CancelledError):
        future.result(60)
    assert Path(caught).exists()
    assert pool.submit(calls.sums_still).result(60) == 3_000_000.0


def test_a_call_that_catches_the_error_decides_what_its_future_says(pool: Pool, mark: str, tmp_path: Path) -> None:
    future = pool.submit(calls.catch_and_return, mark)
    appear(mark)
    assert cancel(future)
    assert future.result(60) == "caught: the call was told to stop"
    assert not future.cancelled()
    other = str(tmp_path / "other")
    future = pool.submit(calls.raise_another, other)
    appear(other)
    assert cancel(future)
    with pytest.raises(KeyError, match="instead"):
        future.result(60)


def test_what_writes_in_place_finishes_and_a_call_without_loops_too(pool: Pool, mark: str, tmp_path: Path) -> None:
    future = pool.submit(calls.write_in_place, mark)
    appear(mark)
    assert cancel(future)
    assert future.exception(60) is None or future.cancelled()
    sleeping = str(tmp_path / "sleeping")
    future = pool.submit(calls.sleep_python, sleeping, 0.1)
    appear(sleeping)
    assert cancel(future) and cancel(future)
    assert future.result(60) == "slept"
    assert not cancel(future)


@pytest.mark.parametrize("force", [False, True])
def test_what_has_not_begun_is_cancelled_and_never_runs(pool: Pool, mark: str, tmp_path: Path, force: bool) -> None:
    gate = pool.submit(calls.sleep_python, mark, 0.3)
    appear(mark)
    futures = [pool.submit(calls.sleep_python, str(tmp_path / f"never {i}"), 0) for i in range(20)]
    assert all(cancel(future, force) for future in futures)
    assert all(cancel(future, force=force) for future in futures)
    assert all(future.cancelled() for future in futures)
    assert gate.result(60) == "slept"
    assert pool.submit(tasks.double, 4).result(60) == 8
    assert not list(tmp_path.glob("never*"))


@pytest.mark.parametrize("count", [5_000, 50_000, 500_000])
def test_loops_over_arrays_of_any_size_but_the_smallest_stop(pool: Pool, mark: str, count: int) -> None:
    future = pool.submit(calls.catch_for_ever, mark, count)
    appear(mark)
    assert cancel(future)
    with pytest.raises(CancelledError):
        future.result(60)


def test_who_waits_hears_of_it(pool: Pool, mark: str) -> None:
    future = pool.submit(calls.catch_for_ever, mark)
    heard: list[Any] = []
    future.add_done_callback(lambda done: heard.append(done.cancelled()))
    waiting = threading.Thread(target=lambda: heard.append(wait([future], 60).done))
    completing = threading.Thread(target=lambda: heard.append(list(as_completed([future], 60))))
    waiting.start()
    completing.start()
    appear(mark)
    assert cancel(future)
    waiting.join(60)
    completing.join(60)
    end = time.monotonic() + 10
    while len(heard) < 3 and time.monotonic() < end:
        time.sleep(0.001)
    assert True in heard and {future} in heard and [future] in heard


def test_a_coroutine_that_awaits_is_cancelled_with_the_call(pool: Pool, mark: str) -> None:
    async def program() -> str:
        future = pool.submit(calls.catch_for_ever, mark)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            appear(mark)
            loop.call_soon_threadsafe(cancel, future)

        threading.Thread(target=stop).start()
        try:
            await future
        except asyncio.CancelledError:
            return "cancelled"
        return "went on"

    assert asyncio.run(program()) == "cancelled"


def test_a_callback_cancels(pool: Pool, mark: str, tmp_path: Path) -> None:
    gate = pool.submit(calls.sleep_python, mark, 0.2)
    next_one = pool.submit(calls.sleep_python, str(tmp_path / "never"), 0)
    answers: list[bool] = []
    gate.add_done_callback(lambda _: answers.append(cancel(next_one)))
    assert gate.result(60) == "slept"
    wait([next_one], 60)
    next_one.add_done_callback(lambda done: answers.append(cancel(done)))
    end = time.monotonic() + 10
    while len(answers) < 2 and time.monotonic() < end:
        time.sleep(0.001)
    assert len(answers) == 2
    assert next_one.cancelled() == (not (tmp_path / "never").exists())


@pytest.mark.slow
def test_many_threads_cancel_while_calls_begin_and_end(pool: Pool) -> None:
    """Whatever the moment, a future is done once and says one thing."""
    submitted: list[Future[Any]] = []
    answers: dict[int, list[bool]] = {}
    over = threading.Event()

    def cancel_some(every: int) -> None:
        seen = 0
        while not over.is_set() or seen < len(submitted):
            if seen < len(submitted):
                if seen % 3 != every:
                    answers.setdefault(seen, []).append(cancel(submitted[seen]))
                seen += 1

    threads = [threading.Thread(target=cancel_some, args=(every,)) for every in (0, 1)]
    for thread in threads:
        thread.start()
    for i in range(1500):
        submitted.append(pool.submit(tasks.double, i))
        if i % 7 == 0:
            wait([submitted[-1]], 60)
    over.set()
    for thread in threads:
        thread.join(60)
    for i, future in enumerate(submitted):
        if future.cancelled():
            assert True in answers[i]
        else:
            assert future.result(60) == 2 * i
    assert len(answers) == 1500
    assert pool.submit(calls.sums_still).result(60) == 3_000_000.0


def test_a_stop_that_comes_too_late_is_not_the_next_calls(pool: Pool) -> None:
    for _ in range(30):
        futures = [pool.submit(calls.sums_still) for _ in range(3)]
        time.sleep(0.001)
        cancel(futures[0])
        assert futures[1].result(60) == futures[2].result(60) == 3_000_000.0
        assert futures[0].cancelled() or futures[0].result(60) == 3_000_000.0


def test_force_ends_the_process_and_nobody_else_notices(mark: str, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        before = {pool.submit(tasks.worker_pid).result(60)}
        steady = pool.submit(calls.sleep_python, str(tmp_path / "steady"), 0.5)
        future = pool.submit(calls.with_child, mark)
        appear(mark)
        child = int(Path(mark).read_text())
        behind = [pool.submit(tasks.double, i) for i in range(50)]
        workers = dict(pool._processes)
        assert cancel(future, force=True) is True
        with pytest.raises(CancelledError):
            future.result(60)
        assert future.cancelled()
        assert cancel(future, force=True) is True  # cancelled it is
        assert [one.result(60) for one in behind] == [2 * i for i in range(50)]
        assert steady.result(60) == "slept"
        end = time.monotonic() + 10
        while not is_gone(child) and time.monotonic() < end:
            time.sleep(0.001)
        assert is_gone(child)
        gone = [pid for pid in workers if is_gone(pid)]
        assert len(gone) == 1
        done = [pool.submit(tasks.nap, 0.05) for _ in range(4)]
        assert [one.result(60) for one in done] == [0.05] * 4
        assert len(pool._processes) <= 2 and not set(gone) & set(pool._processes)
        assert before


@pytest.mark.parametrize("options", [{"on_worker_death": "break"}, {"retries": 3}], ids=["break", "retries"])
def test_force_breaks_no_pool_and_runs_nothing_again(options: Any, mark: str) -> None:
    with ProcessPoolExecutor(1, **options) as pool:
        future = pool.submit(calls.sleep_python, mark, 60)
        appear(mark)
        assert cancel(future, True)
        with pytest.raises(CancelledError):
            future.result(60)
        os.unlink(mark)
        assert pool.submit(tasks.double, 4).result(60) == 8
        assert not pool._broken and not Path(mark).exists()


def test_a_call_that_was_told_to_stop_is_not_run_again_when_its_worker_dies(mark: str) -> None:
    with ProcessPoolExecutor(1, retries=3) as pool:
        future = pool.submit(calls.sleep_python, mark, 60)
        appear(mark)
        assert cancel(future)
        for pid in list(pool._processes):
            os.kill(pid, signal.SIGKILL)
        assert isinstance(future.exception(60), concurrent.futures.BrokenExecutor)


def test_force_from_many_threads_while_calls_begin_and_end() -> None:
    """Each call that is not cancelled has its result, whatever happened to the workers under it."""
    with ProcessPoolExecutor(2) as pool:
        futures = [pool.submit(tasks.nap, 0.002) for _ in range(200)]

        def end_some(first: int) -> None:
            for future in futures[first::10]:
                while not future.running() and not future.done():
                    time.sleep(0.0002)
                cancel(future, force=True)

        threads = [threading.Thread(target=end_some, args=(first,)) for first in (0, 5, 0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        cancelled = 0
        for i, future in enumerate(futures):
            wait([future], 60)
            if future.cancelled():
                assert i % 5 == 0
                cancelled += 1
            else:
                assert future.result(60) == 0.002
        assert cancelled > 0
        assert pool.submit(tasks.double, 4).result(60) == 8


def test_a_thread_cannot_be_ended_by_force(mark: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(calls.catch_for_ever, mark)
        appear(mark)
        with pytest.raises(ValueError, match="runs on a thread of this process, which cannot be ended"):
            cancel(future, force=True)
        assert not future.done()
        assert cancel(future)
        wait([future], 60)
        assert future.cancelled()


def test_calls_that_executor_runs(mark: str) -> None:
    with Executor(2) as executor:
        future = executor.submit(calls.multiply_for_long, mark)
        appear(mark)
        assert cancel(future)
        with pytest.raises(CancelledError):
            future.result(60)


def test_futures_that_nobody_of_ours_runs(mark: str) -> None:
    standard: Any = concurrent.futures.Future()
    assert cancel(standard) and standard.cancelled()
    running: Any = concurrent.futures.Future()
    running.set_running_or_notify_cancel()
    assert not cancel(running)
    ours: Future[Any] = Future()
    assert cancel(ours) and ours.cancelled()
    ours = Future()
    ours.set_running_or_notify_cancel()
    assert not cancel(ours) and not cancel(ours, force=True)
    ours.set_result(1)
    assert not cancel(ours)
    with pytest.raises(TypeError, match="expected a future of an executor, got int"):
        cancel(1)  # type: ignore[arg-type]


def test_a_forked_child_leaves_its_parents_calls_alone(mark: str) -> None:
    with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1) as processes:
        futures = [threads.submit(calls.sleep_python, mark, 0.5), processes.submit(calls.sleep_python, mark + "2", 0.5)]
        appear(mark)
        appear(mark + "2")
        child = os.fork()
        if child == 0:
            answers = [cancel(futures[0]), cancel(futures[1]), cancel(futures[1], True)]
            os._exit(10 + sum(answers))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
        assert [future.result(60) for future in futures] == ["slept"] * 2


def test_the_call_goes_through_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, bool]] = []
    real: Callable[[Any, bool], bool] = _tasks.stop_call
    monkeypatch.setattr(_tasks, "stop_call", lambda future, force: asked.append((future, force)) or real(future, force))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(tasks.double, 1)
        future.result()
        assert manycore.cancel(future) is False
    assert asked == [(future, False)]
