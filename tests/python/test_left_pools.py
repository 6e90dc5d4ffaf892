"""A process of multiprocessing that leaves a pool as it is ends all the same."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import manycore
import pytest
from manycore.futures import ProcessPoolExecutor, server_context

left: Any = None


def leave_a_pool(kind: str) -> None:
    global left
    if kind == "executor":
        left = ProcessPoolExecutor(1)
        assert left.submit(abs, -1).result() == 1
        left.submit(time.sleep, 0.1)
    elif kind == "coroutine":
        assert asyncio.run(manycore.to_process(abs, -1)) == 1
    else:
        from manycore.parallel import Parallel, delayed

        assert Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(3)) == [0, 1, 2]


def use_loky() -> list[int]:
    import joblib

    results: list[int] = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(abs)(-i) for i in range(3))
    return results


@pytest.mark.parametrize("method", ["fork", "spawn", "server"])
@pytest.mark.slow
def test_a_worker_ends_whose_calls_left_processes_of_loky(method: str) -> None:
    """They wait for a thread that ends with the program, for which multiprocessing, which waits for them, never comes."""
    pytest.importorskip("joblib")
    context = server_context.started() if method == "server" else multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(1, context)
    assert pool.submit(use_loky).result(60) == [0, 1, 2]
    worker = next(iter(pool._processes.values()))
    pool.shutdown(wait=False)
    worker.join(30)
    ended = worker.exitcode
    worker.kill()
    assert ended == 0


@pytest.mark.parametrize("kind", ["executor", "coroutine", "parallel"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.slow
def test_it_ends(method: str, kind: str) -> None:
    process = multiprocessing.get_context(method).Process(target=leave_a_pool, args=(kind,))
    process.start()
    process.join(60)
    ended = process.exitcode
    process.kill()
    assert ended == 0


@pytest.mark.parametrize("end", ["pass", "raise KeyboardInterrupt", "os.kill(os.getpid(), 15)", "os.kill(os.getpid(), 9)"])
@pytest.mark.parametrize(
    "use",
    [
        "from manycore.parallel import Parallel, delayed; Parallel(n_jobs=2)(delayed(abs)(i) for i in range(4))",
        "import asyncio, manycore; asyncio.run(manycore.to_process(abs, -1))",
        "from manycore.futures import ProcessPoolExecutor; ProcessPoolExecutor(2).submit(abs, -1).result()",
    ],
    ids=["Parallel", "to_process", "ProcessPoolExecutor"],
)
@pytest.mark.slow
def test_nothing_of_a_program_is_left_behind(use: str, end: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", f"import os\n{use}\n{end}"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    program.wait(60)
    # Who is not the program's child any more, but of its session: it ends in a moment, or never.
    until = time.monotonic() + 20
    while (left := of_session(program.pid)) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == []


def of_session(session: int) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, _group, number = process.read_text().rpartition(") ")[2].split()[:4]
        except OSError:
            continue
        if int(number) == session and state != "Z":
            found.append(process.parent.name)
    return found
