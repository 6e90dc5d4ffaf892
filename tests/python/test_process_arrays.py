"""Large arguments and results: the value of the moment of submit, private and writable on the other side."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import process_tasks as tasks
import pytest
from manycore.futures.process import ProcessPoolExecutor

COUNT = 200_000


@pytest.fixture(scope="module")
def pool() -> Any:
    with ProcessPoolExecutor(2) as executor:
        yield executor


def total(pool: Any, array: Any) -> float:
    pid, value = pool.submit(tasks.total, array).result(60)
    assert pid != os.getpid()
    return float(value)


def test_the_worker_sees_the_value_of_the_moment_of_submit(pool: Any) -> None:
    array = np.zeros(COUNT)
    futures = []
    for i in range(20):
        array[i] = 1.0
        futures.append(pool.submit(tasks.total, array))
    array[:] = 99
    assert [future.result(60)[1] for future in futures] == [float(i + 1) for i in range(20)]


def test_changes_between_submits_by_any_way_are_seen(pool: Any) -> None:
    array = np.zeros(COUNT)
    view = array[10:20]
    assert total(pool, array) == 0
    array[0] = 1.0
    assert total(pool, array) == 1
    view[3] = 2.0
    assert total(pool, array) == 3
    ones = np.ones(100)
    assert io.BytesIO(ones.tobytes()).readinto(memoryview(array)[1000:1100].cast("B")) == 800
    assert total(pool, array) == 103
    thread = threading.Thread(target=array.__setitem__, args=(5000, 7.0))
    thread.start()
    thread.join()
    assert total(pool, array) == 110
    array.flags.writeable = False
    view[4] = 1.0
    assert total(pool, array) == 111


def test_the_worker_may_write_and_nobody_else_sees_it(pool: Any) -> None:
    array = np.ones(COUNT)
    futures = [pool.submit(tasks.write_first, array) for _ in range(6)]
    assert [future.result(60) for future in futures] == [-1.0] * 6
    assert array[0] == 1.0
    assert total(pool, array) == COUNT


def test_results_are_ours_to_write_and_outlive_the_pool() -> None:
    with ProcessPoolExecutor(2) as pool:
        arrays = [pool.submit(tasks.ones, COUNT).result(60) for _ in range(5)]
    for array in arrays:
        array[0] = 5
        assert array.sum() == COUNT + 4


def test_results_keep_their_values_while_the_worker_goes_on(pool: Any) -> None:
    kept = [pool.submit(tasks.double, np.full(COUNT, float(i))).result(60) for i in range(30)]
    for i, array in enumerate(kept):
        assert (array == 2.0 * i).all()


@pytest.mark.parametrize("layout", ["C", "F", "strided", "readonly", "object"])
def test_layouts_arrive_as_they_were(pool: Any, layout: str) -> None:
    array: Any = np.arange(COUNT, dtype=float).reshape(400, 500)
    if layout == "F":
        array = np.asfortranarray(array)
    elif layout == "strided":
        array = array[::2, ::3]
    elif layout == "readonly":
        array.flags.writeable = False
    elif layout == "object":
        array = array.astype(object)
    result = pool.submit(tasks.double, array).result(60)
    np.testing.assert_array_equal(result, array * 2)


def test_blocks_are_used_again(pool: Any) -> None:
    array = np.ones(COUNT * 10)
    for _ in range(50):
        assert total(pool, array) == COUNT * 10
    assert os.stat(f"/proc/self/fd/{pool._core.blocks_descriptor}").st_size < 20 * array.nbytes


def test_arrays_in_maps(pool: Any) -> None:
    arrays = [np.full(COUNT, float(i)) for i in range(20)]
    assert [value for _, value in pool.map(tasks.total, arrays)] == [float(i * COUNT) for i in range(20)]


def test_manycore_arrays_travel(pool: Any) -> None:
    import manycore.numpy as mnp

    assert total(pool, mnp.ones(COUNT)) == COUNT


WATCHED = 1 << 20  # floats: enough that the system is asked to watch them


def watched(pool: Any, array: Any) -> bool:
    """Sends until the pool knows without looking that nobody wrote; False where this system does not tell."""
    expected = float(array.sum())
    for _ in range(4):
        assert total(pool, array) == expected
    before = pool._core.sent_bytes[2]
    assert total(pool, array) == expected
    return bool(pool._core.sent_bytes[2] > before)


def test_changes_of_watched_arrays_by_any_way_are_seen(pool: Any) -> None:
    memory = np.zeros(WATCHED + 1000)
    array = memory[3:-5]  # neither begin nor end are a page's
    older = memory[:]
    if not watched(pool, array):
        pytest.skip("this system does not watch writes")

    def by_readinto() -> None:
        assert io.BytesIO(np.ones(100).tobytes()).readinto(memoryview(array)[1000:1100].cast("B")) == 800

    def by_thread() -> None:
        thread = threading.Thread(target=array.__setitem__, args=(WATCHED // 2, 7.0))
        thread.start()
        thread.join()

    def by_a_part_that_is_watched_too() -> None:
        part = array[: WATCHED // 2]
        array[9] = 50.0
        assert watched(pool, part)

    def by_file() -> None:
        with open("/dev/zero", "rb", buffering=0) as zeroes:
            assert zeroes.readinto(memoryview(array)[:10000].cast("B")) == 80000

    ways = [
        lambda: array.__setitem__(0, 1.0),
        lambda: array.__setitem__(-1, 2.0),
        lambda: array.__setitem__(WATCHED // 3, 3.0),
        lambda: older.__setitem__(70, 4.0),
        lambda: np.add(array, 1, out=array),
        by_readinto,
        by_thread,
        by_a_part_that_is_watched_too,
        by_file,
    ]
    for way in ways:
        assert watched(pool, array)
        way()
        assert total(pool, array) == float(array.sum())
        assert total(pool, older) == float(older.sum())


def test_arrays_that_take_a_watched_ones_place(pool: Any) -> None:
    for value in range(8):
        array = np.full(WATCHED, float(value))
        assert total(pool, array) == value * WATCHED
        watched(pool, array)
        del array
    for value in range(8):
        array = np.zeros(WATCHED)
        array[5] = value
        assert total(pool, array) == value
        watched(pool, array)
        del array


def test_two_pools_and_shared_memory(pool: Any) -> None:
    import mmap

    array = np.zeros(WATCHED)
    shared = np.frombuffer(mmap.mmap(-1, 8 * WATCHED), dtype=float)
    with ProcessPoolExecutor(1) as other:
        for i in range(12):
            which = (pool, other)[i % 2]
            watched(which, array)
            array[i] = i
            assert total(pool, array) == total(other, array) == sum(range(i + 1))
    assert not watched(pool, shared)
    child = os.fork()
    if child == 0:
        shared[77] = 5.0
        os._exit(0)
    os.waitpid(child, 0)
    assert total(pool, shared) == 5


def test_a_fork_between_submits(pool: Any) -> None:
    array = np.zeros(WATCHED)
    watched(pool, array)
    child = os.fork()
    if child == 0:
        array[1] = 9.0
        os._exit(0)
    os.waitpid(child, 0)
    assert total(pool, array) == 0
    array[2] = 3.0
    assert total(pool, array) == 3


def test_workers_keep_their_mappings_whatever_their_parent_has_read() -> None:
    # A fresh process: the first pool's workers descend from one that has read no result yet, the second's from one that has.
    program = f"""
import multiprocessing
import numpy as np
import process_tasks as tasks
from manycore.futures.process import ProcessPoolExecutor
for _ in range(2):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        assert pool.submit(tasks.ones, {COUNT}).result(60).sum() == {COUNT}
        assert pool.submit(tasks.total, np.ones({COUNT})).result(60)[1] == {COUNT}
        print(pool.submit(tasks.kept_mappings).result(60))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    process = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() in (["1", "1"], ["0", "0"])  # none where the system does not tell which pages were written
