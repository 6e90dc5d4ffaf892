"""Full memory: producers wait for what comes back, or put it on disk where they may not wait. Each case runs in a program of its own
with a small limit; what it prints is checked here."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # a program for each case

LIMIT = "30M"
HEAD = """
import asyncio, json, os, resource, signal, sys, threading, time
import numpy as np
import process_tasks as tasks
from manycore import _tasks
from manycore.futures import ProcessPoolExecutor, ThreadPoolExecutor

COUNT = 1_000_000  # floats, of which 3 arrays go into the limit
def arrays(number=10):
    return [np.full(COUNT, float(i)) for i in range(number)]
def sums(number=10):
    return [float(i * COUNT) for i in range(number)]
"""


def run(program: str, timeout: float = 60, **environment: str) -> list[str]:
    path = os.pathsep.join([str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")])
    environment = {"MANYCORE_MEMORY_LIMIT": LIMIT, **environment, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program], env={**os.environ, **environment}, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.fixture(autouse=True)
def temporary(monkeypatch: Any) -> Any:
    """Nothing stays in the folder for temporary files. Its name is short: the fork server's socket lies there."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield
        assert os.listdir(folder) == []


def test_submit_waits_until_memory_comes_back() -> None:
    lines = run("""
with ProcessPoolExecutor(2) as pool:
    begin = time.monotonic()
    futures = [pool.submit(tasks.total_slowly, array, 0.1) for array in arrays()]
    submitted = time.monotonic() - begin
    assert [future.result() for future in futures] == sums()
    waits, nanoseconds, spilled = pool._core.pressure
print(waits > 0, 0.2 < nanoseconds / 1e9 <= submitted, spilled)
""")
    assert lines == ["True True 0"]


def test_a_waiting_submit_goes_on_when_the_block_is_back() -> None:
    lines = run("""
with ProcessPoolExecutor(1) as pool:
    late = []
    for _ in range(5):
        futures = [pool.submit(tasks.total_slowly, array, seconds) for array, seconds in zip(arrays(3), [0.2, 0.4, 0.4])]
        done = []
        futures[0].add_done_callback(lambda _: done.append(time.monotonic()))
        pool.submit(tasks.total, np.full(COUNT, 9.0))
        late.append(time.monotonic() - done[0] if done else 0.0)  # the block may be back before the callback runs
        for future in futures: future.result()
    print(pool._core.pressure[0] >= 3, min(late) < 0.03 or late)
""")
    assert lines == ["True True"]


def test_a_map_sends_what_there_is_memory_for() -> None:
    lines = run("""
with ProcessPoolExecutor(2) as pool:
    assert [total for _, total in pool.map(tasks.total, arrays(30))] == sums(30)
    print(pool._core.pressure[2])
    assert list(pool.map(tasks.total_slowly, arrays(30), [0.01] * 30)) == sums(30)
    print(pool._core.pressure[2])
    assert [total for _, total in pool.map(tasks.total, arrays(30), buffersize=20)] == sums(30)
    print(pool._core.pressure[2])
    assert [total for _, total in pool.map(tasks.total, arrays(30), chunksize=2)] == sums(30)
    print(pool._core.pressure[2])
""")
    assert lines == ["0"] * 4


def test_a_map_that_nobody_reads_is_run_all_the_same() -> None:
    lines = run("""
with ProcessPoolExecutor(2) as pool:
    results = pool.map(tasks.total_slowly, arrays(12), [0.05] * 12)
    time.sleep(1)
print(list(results) == sums(12))
""")
    assert lines == ["True"]


@pytest.mark.timed
def test_an_interrupt_ends_the_wait_at_once() -> None:
    lines = run("""
pool = ProcessPoolExecutor(2)
def interrupt():
    time.sleep(0.5)
    begin.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
begin = []
futures = []
threading.Thread(target=interrupt).start()
try:
    for array in arrays():
        futures.append(pool.submit(tasks.total_slowly, array, 60))
except KeyboardInterrupt:
    print(time.monotonic() - begin[0] < 0.2 or time.monotonic() - begin[0], len(futures), pool._core.pressure[0])
pool.kill_workers()
""")
    assert lines == ["True 3 1"]


def test_what_no_worker_gives_back_is_an_error_and_no_wait_for_ever() -> None:
    lines = run("""
with ProcessPoolExecutor(1) as pool:
    assert [pool.submit(tasks.keep, array).result() for array in arrays(3)] == [1, 2, 3]
    begin = time.monotonic()
    error = pool.submit(tasks.keep, np.zeros(COUNT)).exception()
    print(type(error).__name__, time.monotonic() - begin < 5)
    print(error)
    print(pool.submit(len, "abc").result())
    print(type(pool.submit(len, bytes(40_000_000)).exception()).__name__)
    try:
        list(pool.map(len, [bytes(8_000_000)]))
    except MemoryError:
        print("map")
""")
    assert lines[0] == "MemoryError True"
    assert "sending to another process" in lines[1] and "--memory-limit" in lines[1]
    assert lines[2:] == ["3", "MemoryError", "map"]


def test_an_event_loop_spills_instead_of_waiting() -> None:
    lines = run("""
async def main():
    loop = asyncio.get_running_loop()
    begin = time.monotonic()
    futures = [loop.run_in_executor(pool, tasks.total_slowly, array, 0.3) for array in arrays()]
    submitted = time.monotonic() - begin
    assert not any(future.done() for future in futures)
    assert await asyncio.gather(*futures) == sums()
    assert await loop.run_in_executor(pool, len, bytes(40_000_000)) == 40_000_000
with ProcessPoolExecutor(2) as pool:
    asyncio.run(main())
    waits, nanoseconds, spilled = pool._core.pressure
    print(waits, nanoseconds, spilled > 5 * 8 * COUNT)
    names = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    on_disk = [name for name in names if os.path.islink(name) and os.readlink(name).startswith(os.environ["TMPDIR"])]
    facts = [os.stat(name) for name in on_disk]
    print([(oct(fact.st_mode), fact.st_nlink) for fact in facts])
    end = time.monotonic() + 5
    while any(os.stat(name).st_blocks for name in on_disk) and time.monotonic() < end:
        pool.submit(int).result()
        time.sleep(0.01)
    print([os.stat(name).st_blocks for name in on_disk])
""")
    assert lines == ["0 0 True", "[('0o100600', 0)]", "[0]"]


def test_tasks_and_callbacks_spill() -> None:
    lines = run("""
with ProcessPoolExecutor(1) as pool, ThreadPoolExecutor(1) as threads:
    def task():
        pool.submit(tasks.nap, 0.5)
        return [pool.submit(tasks.total_slowly, array, 0.02) for array in arrays()]
    assert _tasks.may_wait()
    assert not threads.submit(_tasks.may_wait).result()
    assert [future.result() for future in threads.submit(task).result()] == sums()
    in_task = pool._core.pressure
    later = []
    done = threading.Event()
    first = pool.submit(int)
    def callback(_):
        later.extend(task())
        done.set()
    first.add_done_callback(callback)
    assert done.wait(20)
    assert [future.result() for future in later] == sums()
    in_callback = pool._core.pressure
    finished = threads.submit(int)
    finished.result()
    may = []
    finished.add_done_callback(lambda _: may.append(_tasks.may_wait()))
    print(in_task[0], in_task[2] > 0, in_callback[0], in_callback[2] > in_task[2], may)
    totals, (waits, _, spilled) = pool.submit(tasks.total_in_own_pool, np.zeros(COUNT), 6).result()
    print(totals == sums(6), waits, spilled > 0)
""")
    assert lines == ["0 True 0 True [False]", "True 0 True"]


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_spilled_arguments_and_results_arrive_in_every_kind_of_worker(start: str) -> None:
    lines = run(f"""
import multiprocessing
async def main(pool):
    loop = asyncio.get_running_loop()
    busy = [pool.submit(tasks.nap, 0.5) for _ in range(2)]
    results = await asyncio.gather(*[loop.run_in_executor(pool, tasks.double, array) for array in arrays(8)])
    return [float(result.sum()) for result in results], results
if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context("{start}")) as pool:
        totals, results = asyncio.run(main(pool))
        assert totals == [2 * total for total in sums(8)]
        results[0][:] = 5  # ours to write
        large = pool.submit(tasks.big_bytes, 40_000_000).result()
        print(len(large), pool._core.pressure[0], pool._core.pressure[2] > 0)
    options = {{}} if "{start}" == "fork" else {{"max_tasks_per_child": 1}}
    with ProcessPoolExecutor(1, multiprocessing.get_context("{start}"), **options) as pool:
        futures = [pool.submit(tasks.big_bytes, 40_000_000) for _ in range(3)]
        time.sleep(0.5)
        print([len(future.result()) for future in futures])
""")
    assert lines == ["40000000 0 True", "[40000000, 40000000, 40000000]"]


SPILL = """
async def main(pool):
    loop = asyncio.get_running_loop()
    return await asyncio.wait_for(loop.run_in_executor(pool, len, bytes(40_000_000)), 30)
with ProcessPoolExecutor(1) as pool:
    pool.submit(int).result()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        try:
            print(asyncio.run(main(pool)))
        except MemoryError as error:
            print(error)
    print(pool.submit(len, "abc").result())
"""


def test_no_place_to_spill_to_is_a_clear_error() -> None:
    lines = run(SPILL, TMPDIR="/nonexistent/folder")
    assert len(lines) == 3 and lines[2] == "3"
    assert "/nonexistent/folder (TMPDIR)" in lines[0] and "No such file" in lines[0]


def test_a_file_that_may_not_grow_is_a_clear_error() -> None:
    lines = run(f"resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))\n{SPILL}")
    assert len(lines) == 3 and lines[2] == "3"
    assert "(TMPDIR) does not take them: File too large" in lines[0] and "TMPDIR with more room" in lines[0]


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    """A disk of 8 MiB, where this system lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=8m tmpfs {folder}"
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*enter, "sh", "-c", mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system mounts nothing for us")
    path = os.pathsep.join([str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "MANYCORE_MEMORY_LIMIT": LIMIT, "PYTHONPATH": path, "TMPDIR": str(folder)}
    script = f'{mount} && exec {sys.executable} -c "$0"'
    program = HEAD + SPILL + "print(os.statvfs(os.environ['TMPDIR']).f_bfree * 4096 > 7 << 20)"
    done = subprocess.run([*enter, "sh", "-c", script, program], env=environment, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 4, done.stdout + done.stderr
    assert "No space left on device" in lines[0] and "No space left on device" in lines[1] and lines[2:] == ["3", "True"]


def test_shared_memory_that_the_system_refuses_is_waited_for_or_an_error() -> None:
    """A limit on files' sizes stands for a system without memory: the file that processes share does not grow."""
    lines = run(
        """
with ProcessPoolExecutor(1) as pool:
    pool.submit(int).result()
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))
    futures = [pool.submit(tasks.total_slowly, array, 0.1) for array in arrays()]
    assert [future.result() for future in futures] == sums()
    print(pool._core.pressure[0] > 0, pool._core.pressure[2])
    error = pool.submit(len, bytes(25_000_000)).exception()
    print(type(error).__name__, error)
    print(pool.submit(tasks.total, np.ones(COUNT)).result()[1] == COUNT)
""",
        MANYCORE_MEMORY_LIMIT="1G",
    )
    assert lines[0] == "True 0"
    assert lines[1].startswith("MemoryError sending to another process: the system has no 25000")
    assert lines[2] == "True"


def test_a_worker_that_dies_gives_its_memory_back() -> None:
    lines = run("""
with ProcessPoolExecutor(1) as pool:
    futures = [pool.submit(tasks.total_slowly, array, 60) for array in arrays(1)]
    futures += [pool.submit(tasks.total_slowly, array, 0) for array in arrays(2)]
    while not futures[0].running(): time.sleep(0.001)
    threading.Timer(0.3, os.kill, (next(iter(pool._processes)), signal.SIGKILL)).start()
    futures.append(pool.submit(tasks.total_slowly, np.ones(COUNT), 0))
    lost, *others = futures
    same = [future.result() for future in others] == [*sums(2), COUNT]
    print(type(lost.exception()).__name__, same, pool._core.pressure[0])
""")
    assert lines == ["WorkerDied True 1"]


def test_a_shutdown_ends_the_wait() -> None:
    lines = run("""
pool = ProcessPoolExecutor(1)
futures = [pool.submit(tasks.total_slowly, array, 2) for array in arrays(3)]
threading.Timer(0.3, pool.shutdown, (False,)).start()
begin = time.monotonic()
try:
    pool.submit(tasks.total, np.ones(COUNT)).result()
except RuntimeError as error:
    print(error, time.monotonic() - begin < 1)
print([future.result() for future in futures] == sums(3))
""")
    assert lines == ["cannot schedule new futures after shutdown True", "True"]


def test_two_pools_wait_for_each_other_s_memory() -> None:
    lines = run("""
with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(1) as other:
    futures = [(one, other)[i % 2].submit(tasks.total_slowly, array, 0.05) for i, array in enumerate(arrays(16))]
    assert [future.result() for future in futures] == sums(16)
    print(one._core.pressure[0] + other._core.pressure[0] > 0, one._core.pressure[2] + other._core.pressure[2])
""")
    assert lines == ["True 0"]


def test_producers_on_many_threads() -> None:
    lines = run("""
with ProcessPoolExecutor(2) as pool:
    totals = {}
    def produce(i):
        totals[i] = [pool.submit(tasks.total_slowly, np.full(COUNT, float(i)), 0.01).result() for _ in range(5)]
    threads = [threading.Thread(target=produce, args=(i,)) for i in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(totals == {i: [float(i * COUNT)] * 5 for i in range(8)}, pool._core.pressure[0] > 0, pool._core.pressure[2])
""")
    assert lines == ["True True 0"]


def test_to_process_copies_large_arguments_beside_the_loop() -> None:
    lines = run(
        """
import manycore
from manycore.futures import asynchronous
class Seen:
    nbytes = 1 << 20
    def __reduce__(self):
        return os.path.basename, ("a/" + threading.current_thread().name,)
class Small(Seen):
    nbytes = 10
def pauses():
    longest = [0.0]
    async def tick():
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0)
            longest[0] = max(longest[0], time.monotonic() - begin)
    return longest, asyncio.ensure_future(tick())
async def main():
    await manycore.to_process(int)
    assert await manycore.to_process(tasks.identity, Seen()) != "MainThread"
    assert await manycore.to_process(tasks.identity, Small()) == "MainThread"
    assert await manycore.to_process(tasks.with_keywords, [1, Seen()], x={"y": Seen()}) != ""
    large = np.ones(30_000_000)
    held = []
    for i in range(4):
        large[0] = i
        longest, ticking = pauses()
        assert (await manycore.to_process(tasks.total, large))[1] == large.sum()
        ticking.cancel()
        held.append(longest[0])
    print(min(held) < 0.1 or held)  # other programs use the machine too
    waiting = asyncio.ensure_future(manycore.to_process(tasks.nap, 0.2))
    task = asyncio.ensure_future(manycore.to_process(tasks.total, large))
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")
    await waiting
asyncio.run(main())
""",
        MANYCORE_MEMORY_LIMIT="2G",
    )
    assert lines == ["True", "cancelled"]
