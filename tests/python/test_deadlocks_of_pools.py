"""Pools whose tasks wait for each other: found, named, and by policy reported or given a thread more."""

import logging
import subprocess
import sys
import threading as standard
import time

import manycore
import manycore.threading as threading
import pytest
from manycore.futures import (
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    DeadlockError,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from manycore.threading import deadlock


@pytest.fixture(autouse=True)
def policy():
    deadlock.found.clear()
    yield
    threading.deadlocks(policy="raise", order=False)
    deadlock.flush()


def nested(pool, depth):
    return depth if depth == 0 else pool.submit(nested, pool, depth - 1).result()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_pool_all_of_whose_threads_wait_for_a_call_that_cannot_begin(threads):
    with ThreadPoolExecutor(threads) as pool:
        future = pool.submit(nested, pool, threads)
        with pytest.raises(
            DeadlockError, match=rf"waits for the call of nested, which waits for a thread of its pool of {threads}"
        ):
            future.result()
        assert pool.submit(nested, pool, threads - 1).result() == 0
    assert [kind for kind, _ in deadlock.found] == ["deadlock"]


def test_the_line_of_the_submit_is_named_while_orders_are_watched():
    threading.deadlocks(order=True)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(nested, pool, 1)
        with pytest.raises(
            DeadlockError, match=r"the call of nested submitted at .*test_deadlocks_of_pools\.py:\d+, which waits"
        ):
            future.result()


@pytest.mark.parametrize("how", [FIRST_COMPLETED, FIRST_EXCEPTION, "ALL_COMPLETED", "as_completed", "map", "exception"])
def test_every_way_to_wait_is_known(how):
    def outer(pool):
        if how == "map":
            return list(pool.map(abs, [-1, -2]))
        futures = [pool.submit(abs, -1), pool.submit(abs, -2)]
        if how == "as_completed":
            return [future.result() for future in as_completed(futures)]
        if how == "exception":
            return futures[0].exception()
        return wait(futures, return_when=how)

    with ThreadPoolExecutor(1) as pool, pytest.raises(DeadlockError):
        pool.submit(outer, pool).result()


def test_two_tasks_that_wait_for_each_other():
    futures = {}
    ready = standard.Event()

    def ask(other):
        ready.wait()
        return futures[other].result()

    with ThreadPoolExecutor(2) as pool:
        futures["one"] = pool.submit(ask, "other")
        futures["other"] = pool.submit(ask, "one")
        ready.set()
        found = [futures["one"].exception(), futures["other"].exception()]
    # The one that is ended raises, and the other hands its error on.
    assert all(isinstance(error, DeadlockError) for error in found)
    assert [kind for kind, _ in deadlock.found] == ["deadlock"]


def test_a_task_that_waits_for_itself():
    own = []
    ready = standard.Event()

    def ask():
        ready.wait()
        return own[0].result()

    with ThreadPoolExecutor(2) as pool:
        own.append(pool.submit(ask))
        ready.set()
        with pytest.raises(DeadlockError, match="waits for the call of .*ask, which runs in ThreadPoolExecutor"):
            own[0].result()


def test_pools_that_wait_for_each_other():
    with ThreadPoolExecutor(1) as left, ThreadPoolExecutor(1) as right:
        begun = standard.Barrier(2)

        def cross(other):
            begun.wait()
            return other.submit(abs, -1).result()

        futures = [left.submit(cross, right), right.submit(cross, left)]
        errors = [future.exception() for future in futures]
    assert sum(isinstance(error, DeadlockError) for error in errors) == 1


def test_a_lock_that_a_task_wants_from_who_waits_for_it():
    lock = threading.RLock()
    with ThreadPoolExecutor(1) as pool, lock:
        future = pool.submit(lock.acquire)
        with pytest.raises(DeadlockError):
            future.result()


@pytest.mark.parametrize("depth", [1, 5, 31])
def test_grow_gives_the_pool_threads_of_its_own(depth):
    manycore.deadlocks(policy="grow")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(nested, pool, depth).result() == 0
    assert len(pool._threads) == depth + 1
    assert {kind for kind, _ in deadlock.found} == {"grown"}


@pytest.mark.slow
def test_grow_ends_at_thirty_two_threads_more():
    manycore.deadlocks(policy="grow")
    with ThreadPoolExecutor(1) as pool, pytest.raises(DeadlockError):
        pool.submit(nested, pool, 40).result()
    assert len(pool._threads) == 33


def test_a_watchdog_that_can_cancel_is_waited_for(caplog):
    caplog.set_level(logging.WARNING, "manycore")
    inner, ready = [], standard.Event()

    def outer(pool):
        inner.append(pool.submit(abs, -1))
        ready.set()
        return inner[0].exception()

    def watchdog():
        ready.wait()
        time.sleep(1.5)
        inner[0].cancel()

    with ThreadPoolExecutor(1) as pool:
        standard.Thread(target=watchdog).start()
        with pytest.raises(CancelledError):
            pool.submit(outer, pool).result()
    deadlock.flush()
    assert caplog.text == ""
    assert deadlock.found == []


def test_a_thread_that_could_but_does_not_look_like_it_makes_it_suspected():
    program = """
import logging, os, time
from manycore.futures import ThreadPoolExecutor
logging.basicConfig(format="%(message)s")
pool = ThreadPoolExecutor(1)
def outer():
    return pool.submit(abs, -1).result()
future = pool.submit(outer)
end = time.monotonic() + 2
while not future.done() and time.monotonic() < end:
    time.sleep(0.05)
print(future.done(), flush=True)
os._exit(0)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "False\n"
    assert ended.stderr.startswith("suspected deadlock: ThreadPoolExecutor-0_0 waits for what nobody can give it any more")
