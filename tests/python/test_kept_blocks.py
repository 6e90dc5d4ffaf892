"""Blocks that have come back from a worker keep their pages for the next call, until an array would be refused for want of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import time

import numpy as np
import process_tasks as tasks
from manycore.futures import ProcessPoolExecutor

COUNT = 1_000_000  # floats, of which 3 arrays go into the limit
with ProcessPoolExecutor(1) as pool:
    pool.submit(tasks.nap, 1.0)  # the arrays wait behind it, in three blocks
    futures = [pool.submit(tasks.total_slowly, np.full(COUNT, float(i)), 0) for i in range(3)]
    print([future.result() for future in futures])
    import manycore.numpy as mnp
    from manycore import _core

    print(_core.machine()["memory_held"] > 20e6)
    end = time.monotonic() + 60
    a = None
    while a is None:  # the worker says that it needs the blocks no more in a message, which who waits for a result reads
        pool.submit(tasks.nap, 0.0).result()
        try:
            a = mnp.empty(3 * COUNT)
        except MemoryError:
            assert time.monotonic() < end
    a[:] = 1.0
    print(float(a.sum()), _core.machine()["memory_held"] <= 30 << 20)
"""


def test_an_array_gets_the_memory_that_a_pool_keeps() -> None:
    path = os.pathsep.join([str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "MANYCORE_MEMORY_LIMIT": "30M", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["[0.0, 1000000.0, 2000000.0]", "True", "3000000.0 True"]
