"""Process pools in a process that the program forked by hand: the child's starts anew, the parent's notices nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import process_tasks as tasks
import pytest
from manycore.futures import ProcessPoolExecutor
from manycore.futures.process import BrokenProcessPool


def in_child(work: Callable[[], None]) -> None:
    """Runs it in a child, which has to end well within 30 s."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    end = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > end:
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise AssertionError("the child hangs")
        time.sleep(0.01)
    assert ended[1] == 0


def test_a_child_uses_its_parents_pool_with_workers_of_its_own() -> None:
    with ProcessPoolExecutor(2) as pool:
        mine = {pool.submit(tasks.worker_pid).result(30) for _ in range(20)}

        def work() -> None:
            theirs = {pool.submit(tasks.worker_pid).result(30) for _ in range(20)}
            assert not theirs & mine and set(pool._processes) >= theirs
            assert list(pool.map(tasks.double, range(1000))) == list(range(0, 2000, 2))
            pool.shutdown()
            with pytest.raises(RuntimeError, match="shutdown"):
                pool.submit(tasks.worker_pid)

        in_child(work)
        assert {pool.submit(tasks.worker_pid).result(30) for _ in range(20)} <= set(pool._processes)
        assert set(pool._processes) >= mine


def test_a_child_maps_first_or_ends_workers_first() -> None:
    with ProcessPoolExecutor(2) as pool:
        pool.submit(tasks.worker_pid).result(30)

        def map_first() -> None:
            assert list(pool.map(tasks.double, [1, 2])) == [2, 4]
            pool.shutdown()

        in_child(map_first)
        in_child(lambda: pool.kill_workers())
        in_child(lambda: pool.shutdown())
        assert pool.submit(tasks.double, 4).result(30) == 8


def test_what_waits_in_the_parent_is_no_business_of_the_child() -> None:
    with ProcessPoolExecutor(1) as pool:
        future = pool.submit(tasks.nap, 0.5)
        behind: list[Any] = [pool.submit(tasks.double, i) for i in range(5)]
        results = pool.map(tasks.nap, [0.0] * 50)

        def work() -> None:
            for each in [future, *behind]:
                with pytest.raises(BrokenProcessPool, match="forked"):
                    each.result(10)
            with pytest.raises(BrokenProcessPool, match="forked"):
                list(results)
            assert pool.submit(tasks.double, 21).result(30) == 42
            pool.shutdown()

        in_child(work)
        assert future.result(30) == 0.5
        assert [each.result(30) for each in behind] == [0, 2, 4, 6, 8]
        assert list(results) == [0.0] * 50


def test_a_worker_that_inherited_a_pool_uses_it_anew(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        tasks.POOL = pool
        try:
            assert pool.submit(tasks.double_in_own_pool, 5).result(60) == 10
        finally:
            tasks.POOL = None


@pytest.mark.parametrize("held", ["used", "running", "dropped", "mapping"])
@pytest.mark.parametrize(
    "does", ["pass", "use()", "pool.shutdown()", "pool.kill_workers()", "ProcessPoolExecutor(1).submit(pow, 2, 3)"]
)
def test_a_child_of_fork_goes_to_the_interpreters_end(held: str, does: str) -> None:
    """The standard's would raise there, since the workers are none of its children."""
    program = f"""
import os, sys, time
from manycore.futures import ProcessPoolExecutor
pool = ProcessPoolExecutor(2)
assert pool.submit(pow, 2, 3).result() == 8
if {held!r} == "running":
    future = pool.submit(time.sleep, 0.5)
elif {held!r} == "mapping":
    results = pool.map(time.sleep, [0.05] * 20)
elif {held!r} == "dropped":
    future = pool.submit(time.sleep, 0.5)
    pool = ProcessPoolExecutor(1)
def use():
    assert pool.submit(pow, 2, 3).result() == 8
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
if os.fork() == 0:
    {does}
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
use()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert [line for line in ended.stderr.splitlines() if "Warning" not in line and "os.fork()" not in line] == []
