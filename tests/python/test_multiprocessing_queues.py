"""`Queue`, `JoinableQueue` and `SimpleQueue` of manycore.multiprocessing: the standard's behaviour, in shared memory, whoever dies."""

from __future__ import annotations

import gc
import io
import multiprocessing
import multiprocessing.pool
import multiprocessing.queues
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from multiprocessing import connection
from pathlib import Path
from typing import Any

import manycore.multiprocessing as ours
import multiprocessing_tasks as tasks
import numpy as np
import pytest
from manycore import _tasks
from open_files import open_files

FORK = ours.get_context("fork")


def started(target: Any, *args: Any, context: Any = FORK) -> Any:
    process = context.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def test_the_queues_are_the_standards() -> None:
    assert isinstance(FORK.Queue(), multiprocessing.queues.Queue)
    assert isinstance(FORK.JoinableQueue(), multiprocessing.queues.Queue)
    assert isinstance(FORK.SimpleQueue(), multiprocessing.queues.SimpleQueue)


@pytest.mark.parametrize("kind", ["Queue", "JoinableQueue", "SimpleQueue"])
def test_what_is_put_arrives_in_order_and_through_us(kind: str) -> None:
    there, back = getattr(FORK, kind)(), getattr(FORK, kind)()
    process = started(tasks.echo, there, back)
    before = _tasks.messages_taken()
    values = [1, "two", {"three": [3.0]}, None, b"x" * 200_000, (4, lambda_free), "y" * 3_000_000]
    for value in values:
        there.put(value)
    assert [back.get() for _ in values] == values
    assert _tasks.messages_taken() - before == len(values)
    there.put(tasks.END)
    process.join(60)
    assert process.exitcode == 0


def lambda_free() -> None:
    pass


def test_large_arrays_are_private_copies_and_their_memory_comes_back() -> None:
    there, back = FORK.Queue(), FORK.Queue()
    process = started(tasks.echo, there, back)
    array = np.arange(1 << 20, dtype=float)
    for i in range(12):
        array[0] = i
        there.put(array)
        array[0] = -1  # later than put
        found = back.get(timeout=60)
        assert found[0] == i and found[-1] == array[-1] and found.flags.writeable
        found[:] = 0
    assert there._box.counts()[3] < 40 << 20
    there.put(tasks.END)
    process.join(60)


def test_limits_and_time_limits() -> None:
    line = FORK.Queue(2)
    line.put(1)
    assert not line.full() and not line.empty() and line.qsize() == 1
    line.put_nowait(2)
    assert line.full()
    with pytest.raises(queue.Full):
        line.put_nowait(3)
    with pytest.raises(queue.Full):
        line.put(3, timeout=0.01)
    assert (line.get(), line.get_nowait(), line.qsize()) == (1, 2, 0)
    with pytest.raises(queue.Empty):
        line.get_nowait()
    with pytest.raises(queue.Empty):
        line.get(timeout=0.01)
    line.close()
    for call in (lambda: line.put(1), line.get):
        with pytest.raises(ValueError, match="is closed"):
            call()
    line.join_thread()


def test_put_never_waits_for_room_in_the_shared_memory() -> None:
    line = FORK.Queue()
    many = [b"%d" % i * 10_000 for i in range(200)]
    for value in many:
        line.put(value)
    assert line.qsize() == 200 and line._thread is not None
    assert [line.get(timeout=60) for _ in many] == many
    line.close()
    line.join_thread()


@pytest.mark.slow
def test_a_process_ends_when_others_can_get_all_that_it_has_put() -> None:
    line = FORK.Queue()
    process = started(tasks.put_many, line, 500, 10_000)
    process.join(0.3)
    assert process.is_alive()
    assert [len(line.get(timeout=60)) for _ in range(500)] == [10_000] * 500
    process.join(60)
    assert process.exitcode == 0
    hasty = started(tasks.put_many_and_cancel, line, 500, 10_000)
    hasty.join(60)
    assert hasty.exitcode == 0


def test_a_producer_waits_for_a_slow_reader_only_where_the_queue_is_bounded() -> None:
    line, back = FORK.Queue(3), FORK.Queue()
    process = started(tasks.put_many, line, 10, 1, back)
    assert back.get(timeout=60) == "begun"
    time.sleep(0.2)
    assert line.qsize() == 3
    assert [line.get(timeout=60) for _ in range(10)] == [b"x"] * 10
    assert back.get(timeout=60) == "all put"
    process.join(60)


def test_what_cannot_be_pickled_is_told_and_takes_no_place() -> None:
    line = FORK.Queue(1)
    with redirect_stderr(io.StringIO()) as said:
        line.put(threading.Lock())
    assert "cannot pickle '_thread.lock'" in said.getvalue()
    line.put(1)
    assert line.get() == 1 and line.empty()


def test_a_queue_is_inherited_and_never_sent() -> None:
    line = FORK.Queue()
    with redirect_stderr(io.StringIO()) as said:
        line.put(FORK.Queue())
    assert "should only be shared between processes through inheritance" in said.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_new_interpreters_get_queues_too(method: str) -> None:
    context = ours.get_context(method)
    there, back = context.JoinableQueue(5), context.SimpleQueue()
    process = started(tasks.echo, there, back, context=context)
    there.put(np.arange(100_000))
    assert back.get().sum() == np.arange(100_000).sum()
    there.join()
    there.put(tasks.END)
    process.join(60)
    assert process.exitcode == 0


def test_join_waits_for_all_that_is_not_done() -> None:
    line = FORK.JoinableQueue()
    processes = [started(tasks.serve, line) for _ in range(3)]
    for i in range(30):
        line.put(i)
    line.join()
    assert line._box.counts()[2] == 0
    with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
        line.task_done()
    for _ in processes:
        line.put(tasks.END)
    for process in processes:
        process.join(60)


def test_one_can_wait_for_a_queue_among_descriptors() -> None:
    line = FORK.Queue()
    assert connection.wait([line._reader], 0) == []
    process = started(tasks.put_many, line, 1, 1)
    assert connection.wait([line._reader], 60) == [line._reader]
    assert line._reader.poll(0) and line.get() == b"x" and not line._reader.poll(0)
    process.join(60)


@pytest.mark.slow
def test_the_standards_pools_work_with_our_contexts() -> None:
    with multiprocessing.pool.Pool(2, context=FORK) as pool:
        assert pool.map(tasks.square, range(10)) == [x * x for x in range(10)]
    with ProcessPoolExecutor(2, mp_context=FORK) as executor:
        assert list(executor.map(tasks.square, range(10))) == [x * x for x in range(10)]


@pytest.mark.slow
def test_processes_that_are_killed_at_any_moment_harm_nobody_else() -> None:
    line, counted = FORK.Queue(), FORK.Queue()
    survivor = started(tasks.count_until_end, line, counted)
    chance = random.Random(5)
    sent = 0
    for _ in range(40):
        victims = [started(tasks.put_for_ever, line), started(tasks.get_for_ever, line)]
        time.sleep(chance.uniform(0, 0.02))
        line.put(("mine", sent, b"m" * chance.choice([1, 1000, 100_000])))
        sent += 1
        for victim in victims:
            os.kill(victim.pid, signal.SIGKILL)
            victim.join(60)
    # Readers that were killed may have taken some of ours with them, and no more than that.
    line.put(tasks.END)
    survivor.join(120)
    assert survivor.exitcode == 0
    seen = counted.get(timeout=60)
    assert seen == sorted(set(seen)) and set(seen) <= set(range(sent))
    line.put("still works")
    assert line.get(timeout=60) == "still works"


def test_a_killed_reader_that_sleeps_does_not_take_a_wake_up_along() -> None:
    line, back = FORK.SimpleQueue(), FORK.SimpleQueue()
    dying = started(tasks.echo, line, back)
    living = started(tasks.echo, line, back)
    time.sleep(0.1)
    os.kill(dying.pid, signal.SIGKILL)
    dying.join(60)
    line.put(1)
    assert back.get() == 1
    line.put(tasks.END)
    living.join(60)


def test_queues_leave_nothing_behind() -> None:
    gc.collect()
    before, names = open_files(), set(os.listdir("/dev/shm"))
    for _ in range(5):
        line = FORK.Queue()
        process = started(tasks.put_many, line, 3, 1_000_000)
        assert len(line.get(timeout=60)) == 1_000_000
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        process.close()
        line.close()
        line.join_thread()
    del line
    gc.collect()
    assert not open_files() - before
    assert not {name for name in set(os.listdir("/dev/shm")) - names if "manycore" in name}


@pytest.mark.slow
def test_an_unguarded_program_with_threads_that_get_is_interrupted_by_ctrl_c(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import os, signal, threading\nfrom manycore.multiprocessing import Queue\nqueue = Queue()\n"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n    queue.get()\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "interrupted\n", done.stderr
