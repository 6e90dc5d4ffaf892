"""`manycore.multiprocessing.shared_array`: memory that several processes write to, without a name, gone with the last of them."""

from __future__ import annotations

import gc
import os
import pickle
import signal
from typing import Any

import manycore.multiprocessing as ours
import multiprocessing_tasks as tasks
import numpy as np
import pytest
from manycore.multiprocessing import shared_array
from manycore.multiprocessing.shared_arrays import SharedArray
from open_files import open_files

FORK = ours.get_context("fork")


def wait(process: Any) -> None:
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.parametrize(
    "shape, dtype", [((), int), (3, float), ((2, 3), "complex64"), ((0, 4), "S5"), (5, [("a", "i4"), ("b", "U3")])]
)
def test_it_is_an_array_of_zeros(shape: Any, dtype: Any) -> None:
    made = shared_array(shape, dtype)
    reference = np.zeros(shape, dtype)
    assert isinstance(made, np.ndarray) and made.flags.writeable
    assert (made.shape, made.dtype, made.tobytes()) == (reference.shape, reference.dtype, reference.tobytes())


def test_children_of_fork_write_to_it() -> None:
    made = shared_array((4, 1000))
    processes = [FORK.Process(target=tasks.fill, args=(made[i], i + 1)) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        wait(process)
    assert np.array_equal(made, np.repeat([1.0, 2, 3, 4], 1000).reshape(4, 1000))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_new_interpreters_write_to_it_and_to_views(method: str) -> None:
    context = ours.get_context(method)
    made = shared_array((3, 10), "int32")
    process = context.Process(target=tasks.fill_all, args=(made[0], made[1, ::2], made[2, ::-1], made.T))
    process.start()
    wait(process)
    assert made[0].tolist() == [1] * 10 and made[1].tolist() == [2, 0] * 5 and made[2].tolist() == [3] * 9 + [4]


def test_it_travels_through_queues_and_pools_as_the_same_memory() -> None:
    made = shared_array(100)
    there, back = FORK.Queue(), FORK.Queue()
    process = FORK.Process(target=tasks.fill_what_comes, args=(there, back))
    process.start()
    late = shared_array(50)  # the child does not know it
    there.put((late[10:], 5))
    assert back.get(timeout=60) == "done" and late.tolist() == [0] * 10 + [5] * 40
    there.put(None)
    wait(process)
    with FORK.Pool(2) as pool:
        pool.starmap(tasks.fill, [(made[:50], 1), (made[50:], 2), (late, 3)])
    assert made.tolist() == [1] * 50 + [2] * 50 and set(late.tolist()) == {3}


def test_here_a_copy_by_pickle_is_the_same_memory_and_what_is_computed_is_not() -> None:
    made = shared_array(10)
    view, double = pickle.loads(pickle.dumps(made[2:])), pickle.loads(pickle.dumps(made * 2))
    view[:] = 1
    assert made.tolist() == [0, 0] + [1] * 8
    assert not isinstance(double, SharedArray)
    double[:] = 9
    assert made.max() == 1


def test_errors() -> None:
    with pytest.raises(ValueError, match="shared_array: Python objects cannot be shared, got dtype object"):
        shared_array(3, object)
    with pytest.raises(ValueError, match="shared_array: negative dimensions"):
        shared_array((2, -1))
    with pytest.raises(MemoryError, match="shared_array: the system has no shared memory left for"):
        shared_array(1 << 50)


def test_memory_and_descriptors_come_back_whoever_is_killed() -> None:
    gc.collect()
    before = open_files()
    for _ in range(5):
        made, ready = shared_array(100_000), FORK.SimpleQueue()
        process = FORK.Process(target=tasks.fill_and_hold, args=(made, ready))
        process.start()
        assert ready.get() == "filled"
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
        assert made[-1] == 8
        process.close()
    del made, ready, process
    gc.collect()
    assert not open_files() - before
