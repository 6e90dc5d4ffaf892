"""`manycore.multiprocessing.Pool`: the standard's behaviour where programs rely on it, and what ours does better."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import multiprocessing.pool
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import manycore.multiprocessing
import multiprocessing_tasks as tasks
import pytest
from manycore import _tasks
from manycore.futures.process import BrokenProcessPool
from manycore.multiprocessing.pool import MaybeEncodingError, Pool, RemoteTraceback, ThreadPool, WorkerDied
from open_files import open_files


@pytest.fixture(scope="module")
def pool() -> Any:
    with Pool(2) as pool:
        yield pool


def test_a_pool_is_the_standards_and_its_calls_run_on_our_workers(pool: Any) -> None:
    assert isinstance(pool, multiprocessing.pool.Pool)
    before = _tasks.calls_answered()
    pids = {worker.pid for worker in pool._pool}
    assert len(pids) == 2 and all(worker.daemon and "PoolWorker" in worker.name for worker in pool._pool)
    assert set(pool.map(tasks.pid, range(100))) <= pids
    assert _tasks.calls_answered() > before
    assert repr(pool) == "<manycore.multiprocessing.pool.Pool state=RUN pool_size=2>"


@pytest.mark.parametrize("chunksize", [None, 1, 7])
@pytest.mark.parametrize("kind", [list, range, iter])
def test_maps_give_what_map_gives(pool: Any, kind: Any, chunksize: int | None) -> None:
    def items() -> Any:
        return range(200) if kind is range else kind(range(200))

    expected = list(map(tasks.square, range(200)))
    assert pool.map(tasks.square, items(), chunksize) == expected
    assert pool.map_async(tasks.square, items(), chunksize).get(60) == expected
    assert list(pool.imap(tasks.square, items(), chunksize or 1)) == expected
    assert sorted(pool.imap_unordered(tasks.square, items(), chunksize or 1)) == expected
    assert pool.starmap(tasks.add, zip(range(5), range(5), strict=True), chunksize) == [0, 2, 4, 6, 8]
    assert pool.starmap_async(tasks.add, [[1, 2], (3, 4)], chunksize).get(60) == [3, 7]
    assert pool.map(tasks.square, kind([]) if kind is not range else range(0), chunksize) == []


def test_apply(pool: Any) -> None:
    assert pool.apply(tasks.with_keywords, (1,), {"self": 2, "func": 3}) == ((1,), {"self": 2, "func": 3})
    result = pool.apply_async(tasks.square, (3,))
    assert isinstance(result, multiprocessing.pool.AsyncResult)
    assert result.get(60) == 9 and result.ready() and result.successful()
    late = pool.apply_async(tasks.nap, (0.2,))
    with pytest.raises(ValueError, match="not ready"):
        late.successful()
    with pytest.raises(multiprocessing.TimeoutError):
        late.get(0.001)
    assert late.get(60) == 0.2


def test_an_error_has_the_workers_traceback_and_leaves_the_other_items_alone(pool: Any) -> None:
    with pytest.raises(ValueError, match="item 3") as caught:
        pool.map(tasks.fail_at_three, range(6))
    assert type(caught.value.__cause__) is RemoteTraceback
    assert "in fail_at" in str(caught.value.__cause__)
    result = pool.map_async(tasks.fail_at_three, range(6))
    result.wait(60)
    assert result.ready() and not result.successful()


def test_imap_goes_on_behind_an_item_that_raised(pool: Any) -> None:
    results = pool.imap(tasks.fail_at_three, iter(range(6)))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        next(results)
    assert list(results) == [4, 5]
    assert sorted(pool.imap_unordered(tasks.square, range(5))) == [0, 1, 4, 9, 16]


def test_next_takes_a_time_limit(pool: Any) -> None:
    results = pool.imap(tasks.nap, [0.3])
    with pytest.raises(multiprocessing.TimeoutError):
        results.next(timeout=0.001)
    assert results.next(timeout=60) == 0.3
    with pytest.raises(StopIteration):
        results.next(timeout=60)


@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_results_come_while_the_iterator_waits(pool: Any, method: str) -> None:
    go_on = threading.Event()

    def items() -> Any:
        yield 1
        assert go_on.wait(60)
        yield 2

    results = getattr(pool, method)(tasks.square, items())
    assert next(results) == 1
    go_on.set()
    assert list(results) == [4]


def test_an_endless_iterator_is_asked_only_a_little_ahead(pool: Any) -> None:
    asked = itertools.count()
    with Pool(1) as own:
        results = own.imap(tasks.nap, (0.05 + 0 * n for n in asked))
        assert [next(results) for _ in range(3)] == [0.05] * 3
    assert next(asked) < 100


def test_the_iterators_own_error_is_raised_where_it_came(pool: Any) -> None:
    for results in (pool.imap(tasks.square, tasks.numbers_until_error(4)),):
        assert [next(results) for _ in range(4)] == [0, 1, 4, 9]
        with pytest.raises(KeyError, match="the iterator's own"):
            next(results)
    with pytest.raises(KeyError, match="the iterator's own"):
        pool.map(tasks.square, tasks.numbers_until_error(4))
    assert pool.apply(tasks.square, (2,)) == 4


def test_callbacks_have_run_when_a_result_is_ready(pool: Any) -> None:
    given: list[Any] = []
    pool.apply_async(tasks.square, (3,), callback=given.append, error_callback=given.append).wait(60)
    pool.map_async(tasks.square, range(3), callback=given.append).wait(60)
    pool.starmap_async(tasks.add, [(1, 2)], callback=given.append).wait(60)
    assert given == [9, [0, 1, 4], [3]]
    pool.apply_async(tasks.fail_at, (1, 1), callback=given.append, error_callback=given.append).wait(60)
    pool.map_async(tasks.fail_at_three, range(6), callback=given.append, error_callback=given.append).wait(60)
    assert [str(error) for error in given[3:]] == ["item 1", "item 3"]
    pool.map_async(tasks.square, [1, threading.Lock()], error_callback=given.append).wait(60)
    assert isinstance(given[-1], TypeError)


def test_what_cannot_be_sent_is_an_error_of_the_item(pool: Any) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        pool.apply(tasks.square, (threading.Lock(),))
    with pytest.raises(MaybeEncodingError, match="Error sending result: '<unlocked.*Reason: 'TypeError"):
        pool.apply(tasks.a_lock)
    with pytest.raises(MaybeEncodingError):
        pool.map(tasks.a_lock, range(3))


def test_a_killed_worker_fails_its_items_alone_and_the_error_names_the_line(pool: Any) -> None:
    results = pool.imap(tasks.killed_at_three, range(6))
    outcomes: list[Any] = []
    for _ in range(6):
        try:
            outcomes.append(next(results))
        except WorkerDied as error:
            outcomes.append(error)
    lost = [outcome for outcome in outcomes if isinstance(outcome, WorkerDied)]
    assert [outcome for outcome in outcomes if not isinstance(outcome, WorkerDied)] == [
        i for i, outcome in enumerate(outcomes) if not isinstance(outcome, WorkerDied)
    ]
    assert isinstance(outcomes[3], WorkerDied) and len(lost) <= 3
    assert "SIGKILL" in str(lost[0]) and str(lost[0].pid) in str(lost[0]) and f"submitted at {__file__}:" in str(lost[0])
    with pytest.raises(WorkerDied, match=f"submitted at {__file__}:"):
        pool.apply(tasks.killed_at_three, (3,))
    assert pool.map(tasks.square, range(10)) == [x * x for x in range(10)]
    assert len(pool._pool) == 2


def test_leaving_a_worker_by_sys_exit_ends_that_call(pool: Any) -> None:
    with pytest.raises(WorkerDied, match="exit code 5"):
        pool.apply(tasks.leave, (5,))
    assert pool.apply(tasks.square, (4,)) == 16


def test_a_pool_that_is_closed_finishes_what_it_was_given() -> None:
    pool = Pool(2)
    many = pool.map_async(tasks.square, range(1000), chunksize=3)
    slowly = pool.imap(tasks.square, (time.sleep(0.01) or x for x in range(10)))
    pool.close()
    with pytest.raises(ValueError, match="Pool not running"):
        pool.apply(tasks.square, (1,))
    pool.join()
    assert many.get(0) == [x * x for x in range(1000)]
    assert list(slowly) == [x * x for x in range(10)]
    assert pool._pool == []


def test_who_waits_for_a_pool_that_is_terminated_is_told() -> None:
    pool = Pool(1)
    with pytest.raises(ValueError, match="Pool is still running"):
        pool.join()
    calls = [pool.apply_async(tasks.nap, (600,)) for _ in range(3)]
    many = pool.map_async(tasks.nap, [600] * 100)
    told: list[Any] = []
    pool.apply_async(tasks.nap, (600,), error_callback=told.append)
    ended = pool.imap(tasks.nap, itertools.repeat(600))
    pool.terminate()
    pool.join()
    for result in (*calls, many):
        with pytest.raises(BrokenProcessPool):
            result.get(60)
    with pytest.raises(BrokenProcessPool):
        next(ended)
    assert told == []


def test_initializer_and_its_arguments() -> None:
    with Pool(1, tasks.remember, ("set",)) as pool:
        assert pool.apply(tasks.remembered) == ["set"]


def test_an_initializer_that_fails_is_an_error_and_no_endless_row_of_workers() -> None:
    with Pool(1, tasks.refuse) as pool, pytest.raises(BrokenProcessPool):
        pool.apply(tasks.square, (1,))


def test_workers_are_replaced_after_so_many_tasks() -> None:
    with Pool(2, maxtasksperchild=2) as pool:
        assert len(set(pool.map(tasks.pid, range(12), chunksize=1))) >= 6
    with pytest.raises(ValueError, match="maxtasksperchild"):
        Pool(1, maxtasksperchild=0)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_start_methods(method: str) -> None:
    context = manycore.multiprocessing.get_context(method)
    assert isinstance(context, type(multiprocessing.get_context(method))) and context.get_start_method() == method
    with context.Pool(2, tasks.remember, (1,)) as pool:
        assert pool.map(tasks.square, range(100)) == [x * x for x in range(100)]
        assert pool.apply(tasks.remembered) == [1]
        with pytest.raises(WorkerDied):
            pool.apply(tasks.killed_at_three, (3,))
        assert pool.apply(tasks.square, (3,)) == 9


def test_progress_of_every_map(pool: Any) -> None:
    for start in (pool.map, pool.imap, pool.imap_unordered, pool.map_async):
        states: list[Any] = []
        results = start(tasks.square, range(50), progress=states.append)
        assert sorted(results.get(60) if start == pool.map_async else results) == [x * x for x in range(50)]
        deadline = time.monotonic() + 30
        while not (states and states[-1].finished) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (states[-1].done, states[-1].failed, states[-1].total) == (50, 0, 50)


def test_a_pool_leaves_no_descriptor_process_or_thread() -> None:
    with Pool(2) as first:
        first.map(tasks.square, range(10))
    first.join()
    del first
    gc.collect()
    before, threads = open_files(), set(threading.enumerate())
    for _ in range(3):
        with Pool(2) as pool:
            pool.map(tasks.square, range(100))
            with pytest.raises(WorkerDied):
                pool.apply(tasks.killed_at_three, (3,))
        pool.join()
        assert not any(os.path.exists(f"/proc/{worker.pid}") for worker in pool._pool)
    del pool
    gc.collect()
    assert not open_files() - before
    assert set(threading.enumerate()) <= threads


def test_a_child_of_fork_leaves_the_pool_to_its_parent(pool: Any) -> None:
    child = os.fork()
    if child == 0:
        try:
            pool.apply(tasks.square, (1,))
        except BrokenProcessPool:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool.apply(tasks.square, (5,)) == 25


def program(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "program.py"
    script.write_text(text)
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_an_unguarded_program_that_leaves_its_pool_open_ends(tmp_path: Path) -> None:
    text = """
import time
from manycore.multiprocessing import Pool
def named_here(x):
    return x + 1
pool = Pool(2)
pool.map_async(time.sleep, [600] * 10)
def later(x):
    return x * 2
print(sum(map(int, map(str, range(3)))), Pool(1).map(later, [1, 2]), Pool(1).apply(named_here, (1,)))
"""
    done = program(tmp_path, text)
    assert (done.returncode, done.stdout) == (0, "3 [2, 4] 2\n"), done.stderr


@pytest.mark.slow
def test_pools_inside_processes_that_are_no_daemons(tmp_path: Path) -> None:
    text = """
import multiprocessing, multiprocessing.pool, os
import manycore.multiprocessing as ours
class NoDaemon(multiprocessing.Process):
    daemon = property(lambda self: False, lambda self, value: None)
class Context(type(ours.get_context("fork"))):
    Process = NoDaemon
def inner(x):
    with ours.Pool(2) as pool:
        return sum(pool.map(abs, range(x)))
if __name__ == "__main__":
    with ours.pool.Pool(2, context=Context()) as pool:
        print(pool.map(inner, [3, 4]))
        pool.close()
        pool.join()
    process = ours.Process(target=lambda: print(inner(5)))
    process.start()
    process.join()
"""
    done = program(tmp_path, text)
    assert (done.returncode, done.stdout) == (0, "[3, 6]\n10\n"), done.stderr


def test_thread_pools() -> None:
    with ThreadPool(2) as pool:
        assert isinstance(pool, multiprocessing.pool.ThreadPool)
        before = _tasks.tasks_run()
        assert pool.map(tasks.square, range(100)) == [x * x for x in range(100)]
        assert _tasks.tasks_run() > before
        assert pool.apply(tasks.pid) == os.getpid()
        assert sorted(pool.imap_unordered(tasks.square, iter(range(50)))) == [x * x for x in range(50)]
        with pytest.raises(ValueError, match="item 3") as caught:
            pool.map(tasks.fail_at_three, range(6))
        assert caught.value.__cause__ is None
        given: list[Any] = []
        pool.map_async(tasks.square, range(5), callback=given.append).wait(60)
        assert given == [[0, 1, 4, 9, 16]]
    pool.join()
    from manycore.multiprocessing.dummy import Pool as dummy_pool

    with dummy_pool(1) as pool:
        assert pool.map(tasks.square, [2]) == [4]


@pytest.mark.slow
def test_a_thread_pool_does_not_keep_the_program(tmp_path: Path) -> None:
    text = """
import threading
from manycore.multiprocessing.pool import ThreadPool
pool = ThreadPool(1)
pool.apply_async(threading.Event().wait)
pool.map_async(print, range(3))
print("end")
"""
    done = program(tmp_path, text)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
