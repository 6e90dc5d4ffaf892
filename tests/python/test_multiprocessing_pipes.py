"""`Pipe` of manycore.multiprocessing: the standard's connections, with large bytes in shared memory."""

from __future__ import annotations

import gc
import os
import signal
from multiprocessing import connection, reduction
from typing import Any

import manycore.multiprocessing as ours
import multiprocessing_tasks as tasks
import numpy as np
import pytest
from manycore import _tasks
from open_files import open_files

FORK = ours.get_context("fork")
ARRAY = np.arange(100_000.0)


def echo_process(context: Any = FORK) -> tuple[Any, Any]:
    here, there = context.Pipe()
    process = context.Process(target=tasks.echo_on_pipe, args=(there, here), daemon=True)
    process.start()
    there.close()
    return here, process


def test_large_things_travel_in_shared_memory_and_are_the_receivers_own() -> None:
    here, process = echo_process()
    assert isinstance(here, connection.Connection)
    values = [1, "small", b"x" * 100_000, "y" * 100_000, {"a": [b"z" * 70_000, 2]}, (ARRAY, ARRAY[::2]), [], None]
    before = _tasks.messages_taken()
    for value in values:
        here.send(value)
        found = here.recv()
        assert str(found) == str(value)
        if isinstance(value, tuple):
            assert np.array_equal(found[0], ARRAY) and np.array_equal(found[1], ARRAY[::2]) and found[0].flags.writeable
            found[0][:] = 0
    assert _tasks.messages_taken() - before == 4
    here.close()
    process.join(60)
    assert process.exitcode == 0


def test_all_else_is_the_standards() -> None:
    here, there = FORK.Pipe(duplex=False)
    assert (here.readable, here.writable, there.readable, there.writable) == (True, False, False, True)
    for call in (lambda: here.send(ARRAY), there.recv):
        with pytest.raises(OSError, match="connection is (read|write)-only"):
            call()
    assert not here.poll() and connection.wait([here], 0) == []
    there.send(ARRAY)
    assert here.poll() and connection.wait([here], 60) == [here]
    assert np.array_equal(here.recv(), ARRAY)
    there.send_bytes(b"mcp1 is nothing special here")
    assert here.recv_bytes() == b"mcp1 is nothing special here"
    there.send("plain")
    assert reduction.ForkingPickler.loads(here.recv_bytes()) == "plain"
    there.close()
    with pytest.raises(EOFError):
        here.recv()
    with pytest.raises(OSError, match="handle is closed"):
        there.send(ARRAY)


def test_what_nobody_can_receive_gives_its_memory_back() -> None:
    here, there = FORK.Pipe()
    there.close()
    for _ in range(3):
        with pytest.raises(BrokenPipeError):
            here.send(ARRAY)
    assert here._memory.box.counts()[3] < 3 << 20


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_new_interpreters_get_both_ends(method: str) -> None:
    context = ours.get_context(method)
    here, process = echo_process(context)
    here.send(ARRAY)
    assert np.array_equal(here.recv(), ARRAY)
    first, second = context.Pipe()
    sender = context.Process(target=tasks.send_from_one_to_other, args=(first, second, ARRAY))
    sender.start()
    sender.join(60)
    assert sender.exitcode == 0
    here.close()
    process.join(60)


def test_an_end_can_be_sent() -> None:
    here, process = echo_process()
    first, second = FORK.Pipe()
    here.send(second)
    back = here.recv()
    back.send(ARRAY)
    assert np.array_equal(first.recv(), ARRAY)
    here.close()
    process.join(60)


def test_ends_leave_nothing_behind_whoever_is_killed() -> None:
    gc.collect()
    before = open_files()
    for _ in range(4):
        here, process = echo_process()
        here.send(ARRAY)
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        process.close()
        here.close()
    del here, process
    gc.collect()
    assert not open_files() - before
