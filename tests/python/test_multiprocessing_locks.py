"""Locks of manycore.multiprocessing: the standard's behaviour, in every start method, and what happens when who holds one dies."""

from __future__ import annotations

import gc
import io
import logging
import multiprocessing
import multiprocessing.synchronize as standard
import os
import pickle
import signal
import threading
import time
from typing import Any

import manycore.multiprocessing as ours
import multiprocessing_tasks as tasks
import pytest
from open_files import open_files

FORK = ours.get_context("fork")
NAMES = ["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"]


def started(target: Any, *args: Any, context: Any = FORK) -> Any:
    process = context.Process(target=target, args=args, daemon=True)
    process.start()
    return process


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_standards(name: str) -> None:
    arguments = (2,) if name == "Barrier" else ()
    made = getattr(FORK, name)(*arguments)
    assert isinstance(made, getattr(standard, name))
    reference = getattr(multiprocessing.get_context("fork"), name)(*arguments)
    assert repr(made).partition(" at ")[0] == repr(reference).partition(" at ")[0]
    with pytest.raises(RuntimeError, match="should only be shared between processes through inheritance"):
        pickle.dumps(made)


def test_a_lock() -> None:
    lock = FORK.Lock()
    assert lock.acquire() and not lock.acquire(False) and not lock.acquire(timeout=0.01) and not lock.acquire(True, 0.01)
    assert lock._semlock.owner == (os.getpid(), threading.get_native_id())
    assert repr(lock) == "<Lock(owner=MainProcess)>"
    thread = threading.Thread(target=lock.release)  # as the standard's: anybody may
    thread.start()
    thread.join()
    assert lock._semlock.owner[0] == 0
    with pytest.raises(ValueError, match="semaphore or lock released too many times"):
        lock.release()
    with lock:
        assert not lock.acquire(block=False)
    with pytest.raises(TypeError):
        lock.acquire(wait=1)


def test_a_recursive_lock_belongs_to_a_thread() -> None:
    lock = FORK.RLock()
    with lock, lock:
        assert lock._semlock._count() == 2
        others: list[bool] = []
        thread = threading.Thread(target=lambda: others.append(lock.acquire(False)))
        thread.start()
        thread.join()
        assert others == [False]
    with pytest.raises(AssertionError, match="attempt to release recursive lock not owned by thread"):
        lock.release()


def test_semaphores_count() -> None:
    places = FORK.BoundedSemaphore(2)
    assert places.acquire() and places.acquire() and not places.acquire(False)
    places.release()
    assert places.get_value() == 1
    places.release()
    with pytest.raises(ValueError, match="released too many times"):
        places.release()
    with pytest.raises(ValueError, match=">= 0"):
        FORK.Semaphore(-1)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_processes_exclude_each_other(method: str) -> None:
    context = ours.get_context(method)
    lock, number = context.Lock(), context.Value("i", 0, lock=False)
    processes = [started(tasks.count_up, lock, number, 5000, context=context) for _ in range(3)]
    for process in processes:
        process.join(60)
    assert number.value == 15_000


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_new_interpreters_share_all_of_them(method: str) -> None:
    context = ours.get_context(method)
    parts = (
        context.RLock(),
        context.Semaphore(0),
        context.Condition(),
        context.Event(),
        context.Barrier(2),
        context.Array("i", 3),
    )
    process = started(tasks.use_all, *parts, context=context)
    recursive, semaphore, condition, event, barrier, array = parts
    assert semaphore.acquire(timeout=60)
    with condition:
        condition.notify_all()
    assert event.wait(60)
    barrier.wait(60)
    process.join(60)
    assert (process.exitcode, list(array), recursive.acquire(False)) == (0, [1, 2, 3], True)


@pytest.mark.slow
def test_a_lock_of_a_fork_context_goes_to_a_spawned_process_too() -> None:
    lock = FORK.Lock()
    with lock:
        process = started(tasks.expect_locked, lock, context=ours.get_context("spawn"))
        process.join(60)
    assert process.exitcode == 0


def heard() -> tuple[Any, io.StringIO]:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger("manycore").addHandler(handler)
    return handler, said


def test_a_recursive_lock_whose_holder_died_goes_to_who_waits() -> None:
    lock, ready = FORK.RLock(), FORK.Event()
    process = started(tasks.hold_for_ever, lock, ready)
    assert ready.wait(60)
    assert lock._semlock.owner[0] == process.pid
    assert not lock.acquire(timeout=0.2)
    handler, said = heard()
    os.kill(process.pid, signal.SIGKILL)
    assert lock.acquire(timeout=60)
    logging.getLogger("manycore").removeHandler(handler)
    assert said.getvalue() == (
        f"multiprocessing.RLock: process {process.pid} ended while it held it; it is this process's now; "
        "what it guards may be half changed\n"
    )
    assert lock._semlock.owner[0] == os.getpid()
    lock.release()
    assert lock.acquire(False)
    process.join(60)


def test_a_lock_whose_holder_died_is_told_and_waits_for_another_to_release_it() -> None:
    lock, ready = FORK.Lock(), FORK.Event()
    process = started(tasks.hold_for_ever, lock, ready)
    assert ready.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    handler, said = heard()
    assert not lock.acquire(timeout=0.5)
    logging.getLogger("manycore").removeHandler(handler)
    assert said.getvalue() == (
        f"multiprocessing.Lock: process {process.pid} ended while it held it; it stays locked until another process releases it; "
        "if none will, this waits for ever\n"
    )
    lock.release()
    assert lock.acquire(timeout=60)
    process.join(60)


def test_a_waiter_that_is_killed_takes_no_wake_up_along() -> None:
    lock, told = FORK.Lock(), FORK.SimpleQueue()
    lock.acquire()
    dying, living = started(tasks.take_and_tell, lock, told), started(tasks.take_and_tell, lock, told)
    time.sleep(0.1)
    os.kill(dying.pid, signal.SIGKILL)
    lock.release()
    assert told.get() == living.pid
    dying.join(60)


def test_ctrl_c_ends_a_wait() -> None:
    lock = FORK.Lock()
    lock.acquire()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        lock.acquire()
    timer.join()


def test_many_locks_cost_few_descriptors_and_leave_nothing() -> None:
    gc.collect()
    before, names = open_files(), set(os.listdir("/dev/shm"))
    locks = [FORK.Lock() for _ in range(1000)]
    assert (open_files() - before).total() < 10
    assert not {name for name in set(os.listdir("/dev/shm")) - names if name.startswith(("sem.mp", "manycore"))}
    del locks
    gc.collect()
    assert (open_files() - before).total() <= 1
