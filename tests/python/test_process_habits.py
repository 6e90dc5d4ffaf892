"""What worker functions may do besides computing: print, fork, start pools, change signal handlers, leave; as with the standard."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import process_tasks as tasks
import pytest
from manycore.futures.process import ProcessPoolExecutor, WorkerDied
from manycore.futures.raised import RemoteError

pytestmark = pytest.mark.slow  # a program for each case

HERE = Path(__file__).resolve().parent
STARTS = ["fork", "spawn", "forkserver"]


def python(program: str, **more: Any) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", "import process_tasks as t, os, sys, time, signal, multiprocessing\n" + program]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


@pytest.mark.parametrize("pools", ["concurrent.futures", "manycore.futures.process"])
@pytest.mark.parametrize("start", STARTS)
def test_what_a_worker_prints_is_seen_once(pools: str, start: str) -> None:
    program = f"""
from {pools} import ProcessPoolExecutor
print("before", end="|")
with ProcessPoolExecutor(2, multiprocessing.get_context({start!r})) as pool:
    for future in [pool.submit(t.say, f"line {{i}}\\n") for i in range(4)]:
        future.result()
print("after")
"""
    out, errors = python(program).communicate(timeout=120)
    assert errors == ""
    # The standard's fork sends what the parent had not written yet through each child; so must ours, or less.
    assert sorted(line.replace("before|", "") for line in out.splitlines()) == ["after", "line 0", "line 1", "line 2", "line 3"]


def test_a_worker_that_forks_goes_on_and_its_child_leaves_the_pool_alone() -> None:
    with ProcessPoolExecutor(2) as pool:
        for _ in range(5):
            pid, code = pool.submit(tasks.fork_and_wait).result(60)
            assert pid != os.getpid() and code == 5
        assert list(pool.map(tasks.double, range(20))) == [2 * i for i in range(20)]


@pytest.mark.parametrize("start", STARTS)
def test_a_worker_starts_a_pool_of_its_own(start: str) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        for _ in range(2):
            assert pool.submit(tasks.sum_in_own_pool, 10).result(120) == 90


def test_a_worker_that_forks_under_a_task_of_a_pool_of_its_own_ends_with_it() -> None:
    with ProcessPoolExecutor(1) as pool:
        below = pool.submit(tasks.pids_of_own_pool).result(60)
    assert all(gone_soon(pid) for pid in below)


def gone_soon(pid: int) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_a_worker_changes_its_signal_handlers() -> None:
    with ProcessPoolExecutor(1) as pool:
        worker = pool.submit(tasks.ignore_signals).result(30)
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGTERM)
        assert pool.submit(tasks.worker_pid).result(30) == worker
        # A handler that raises does so in the call that runs, and in no other.
        assert pool.submit(tasks.raise_at_signal).result(30) == worker
        future = pool.submit(tasks.nap, 60)
        while not future.running():
            time.sleep(0.001)
        time.sleep(0.05)
        os.kill(worker, signal.SIGUSR1)
        assert isinstance(future.exception(30), InterruptedError)
        assert pool.submit(tasks.worker_pid).result(30) == worker
        # Nor may an alarm of its own end its waiting for calls.
        pool.submit(tasks.set_alarms).result(30)
        time.sleep(0.1)
        assert pool.submit(tasks.alarms).result(30)[0] == worker


@pytest.mark.parametrize("start", STARTS)
def test_sys_exit_is_the_calls_exception(start: str) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context(start)) as pool:
        first = pool.submit(tasks.worker_pid).result(60)
        error = pool.submit(tasks.leave_quietly).exception(60)
        assert isinstance(error, SystemExit) and error.code == 3
        assert isinstance(pool.submit(tasks.interrupt_itself).exception(60), KeyboardInterrupt)
        assert pool.submit(tasks.worker_pid).result(60) == first


@pytest.mark.parametrize("start", STARTS)
def test_workers_stay_in_the_terminals_group(start: str) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context(start)) as pool:
        assert pool.submit(tasks.groups).result(60) == (os.getpgid(0), os.getsid(0))


@pytest.mark.timed
@pytest.mark.parametrize(
    "pools, waits",
    [
        ("concurrent.futures", "pool.submit(t.nap, 60).result()"),
        ("concurrent.futures", "time.sleep(60)"),
        ("manycore.futures.process", "pool.submit(t.nap, 60).result()"),
        ("manycore.futures.process", "time.sleep(60)"),
        # Here the standard's workers go on with the next naps.
        ("manycore.futures.process", "list(pool.map(t.nap, [60] * 4))"),
    ],
)
def test_ctrl_c_in_the_terminal_ends_all_promptly(pools: str, waits: str) -> None:
    program = f"""
from {pools} import ProcessPoolExecutor
with ProcessPoolExecutor(2) as pool:
    pids = list(pool.map(t.worker_pid, range(20)))
    print(*pool._processes, flush=True)
    {waits}
"""
    parent = python(program, start_new_session=True)
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    time.sleep(0.3)
    begin = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)
    _, errors = parent.communicate(timeout=30)
    assert time.monotonic() - begin < 5
    assert parent.returncode != 0 and "KeyboardInterrupt" in errors
    assert len(workers) == 2 and all(gone_soon(pid) for pid in workers)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_workers_end_with_their_parent_however_it_ends(start: str, how: int) -> None:
    program = f"""
import threading
from manycore.futures.process import ProcessPoolExecutor
def make():
    global pool
    pool = ProcessPoolExecutor(2, multiprocessing.get_context({start!r}))
    pool.submit(t.double, 1).result()
thread = threading.Thread(target=make)
thread.start()
thread.join()  # the thread that started the workers is gone long before the process is
children = [pool.submit(t.start_child).result() for _ in range(2)]
print(*pool._processes, *children, flush=True)
pool.submit(t.nap, 60).result()
"""
    parent = python(program)
    assert parent.stdout is not None
    below = [int(word) for word in parent.stdout.readline().split()]
    assert len(below) >= 3 and not any(Path(f"/proc/{pid}").exists() is False for pid in below)
    os.kill(parent.pid, how)
    parent.communicate(timeout=30)
    assert all(gone_soon(pid) for pid in below)


def test_what_cannot_be_pickled_or_read_fails_its_call_alone() -> None:
    with ProcessPoolExecutor(1) as pool:
        first = pool.submit(tasks.worker_pid).result(30)
        assert isinstance(pool.submit(tasks.double, tasks.FailsWhenPickled()).exception(30), ArithmeticError)
        assert isinstance(pool.submit(tasks.double, tasks.FailsWhenUnpickled()).exception(30), ValueError)
        assert isinstance(pool.submit(tasks.return_unpicklable).exception(30), ArithmeticError)
        assert isinstance(pool.submit(tasks.return_unreadable).exception(30), ValueError)
        assert isinstance(pool.submit(tasks.raise_unpicklable).exception(30), RemoteError)
        assert pool.submit(tasks.worker_pid).result(30) == first


def test_with_breaking_what_cannot_be_read_breaks_the_pool() -> None:
    for function, argument in ((tasks.double, (tasks.FailsWhenUnpickled(),)), (tasks.return_unreadable, ())):
        pool = ProcessPoolExecutor(1, on_worker_death="break")
        error = pool.submit(function, *argument).exception(30)
        assert type(error).__name__ == "BrokenProcessPool"
        end = time.monotonic() + 30
        while not pool._broken and time.monotonic() < end:
            time.sleep(0.001)
        assert pool._broken
        pool.shutdown()


def test_a_result_that_nobody_asks_for_is_let_go() -> None:
    import weakref

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        held = tasks.Held()
        gone = weakref.ref(held)
        pool.submit(held.name)
        del held
        end = time.monotonic() + 30
        while gone() is not None and time.monotonic() < end:
            time.sleep(0.01)
        assert gone() is None


def limited(program: str, which: int, limit: int) -> str:
    parent = python(program, preexec_fn=lambda: resource.setrlimit(which, (limit, limit)))
    out, errors = parent.communicate(timeout=120)
    assert parent.returncode == 0, errors
    return out


FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from manycore.futures.process import ProcessPoolExecutor, WorkerDied
with ProcessPoolExecutor(1) as pool:
    print(pool.submit(t.length, b"x" * {large}).exception())
    print(type(pool.submit(t.big_bytes, {large}).exception()).__name__)
    print(pool.submit(t.double, 21).result())
"""


def test_a_full_disk_behind_the_memory_files_fails_the_call_alone() -> None:
    # A limit on the size of files stops memory files as a full /dev/shm would.
    out = limited(FULL.format(large=64 << 20), resource.RLIMIT_FSIZE, 8 << 20).splitlines()
    assert out[-1] == "42"
    assert "Error" in out[1] and "WorkerDied" not in out[1], out


def test_no_room_for_the_pool_at_all_is_an_error_that_says_so() -> None:
    program = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from manycore.futures.process import ProcessPoolExecutor
try:
    ProcessPoolExecutor(1).submit(t.double, 1).result()
except OSError as error:
    print(error)
"""
    assert "shared memory: the system gives no" in limited(program, resource.RLIMIT_FSIZE, 1024)


def test_full_memory_in_a_worker_is_a_memory_error_of_its_call() -> None:
    program = """
from manycore.futures.process import ProcessPoolExecutor
with ProcessPoolExecutor(1) as pool:
    error = pool.submit(t.fill_memory).exception()
    print(type(error).__name__, pool.submit(t.double, 21).result())
"""
    assert limited(program, resource.RLIMIT_AS, 3 << 30).split() == ["MemoryError", "42"]


def test_a_worker_that_the_machine_kills_for_its_memory_is_named_with_its_peak() -> None:
    with ProcessPoolExecutor(1) as pool:
        error = pool.submit(tasks.grow_and_die, 64 << 20).exception(60)
        assert isinstance(error, WorkerDied) and error.exit_code == -signal.SIGKILL
        assert error.peak_bytes > 64 << 20
        assert pool.submit(tasks.double, 21).result(30) == 42


INTERRUPTED = {
    "executor": """
from manycore.futures.process import ProcessPoolExecutor
with ProcessPoolExecutor(2) as pool:
    list(pool.map(t.worker_pid, range(20)))
    results = pool.map(t.nap, [30] * 40, chunksize=10)
    print(*pool._processes, flush=True)
    list(results)
""",
    "Pool": """
from manycore.multiprocessing import Pool
with Pool(2) as pool:
    pool.map(t.worker_pid, range(20))
    results = pool.map_async(t.nap, [30] * 40, chunksize=10)
    print(*(worker.pid for worker in pool._pool), flush=True)
    results.get()
""",
}


@pytest.mark.parametrize("kind", INTERRUPTED)
@pytest.mark.timed
@pytest.mark.slow
def test_ctrl_c_leaves_the_rest_of_chunks_and_rings_alone_and_says_so_once(kind: str) -> None:
    program = INTERRUPTED[kind]
    for wait in (0.1, 0.3, 0.35):
        parent = python(program, start_new_session=True)
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        time.sleep(wait)
        begin = time.monotonic()
        os.killpg(parent.pid, signal.SIGINT)
        _, errors = parent.communicate(timeout=60)
        assert time.monotonic() - begin < 5
        assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1, errors
        assert all(gone_soon(pid) for pid in workers)


def test_an_interrupt_ends_its_chunk_and_keeps_what_was_before() -> None:
    with ProcessPoolExecutor(1) as pool:
        chunks = pool._start_map(tasks.interrupt_at_two, range(6), False, 6, None, False)
        values, failures, _ = chunks.take()  # type: ignore[misc]
        assert sorted(failures or ()) == [2, 3, 4, 5]
        assert all(isinstance(error, KeyboardInterrupt) for error in (failures or {}).values())
        assert list(values)[:2] == [0, 1]
        assert pool.submit(tasks.double, 1).result(30) == 2
