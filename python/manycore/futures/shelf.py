"""Thread pools that have started their threads and are nobody's at the moment: the next executor takes one of them.

A pool is one executor's at a time, so executors that wait for one another's tasks never wait for one another's threads.
"""

from __future__ import annotations

import os
import threading
import time

from manycore.futures.keeper import keeper
from manycore.futures.thread import ThreadPoolExecutor

IDLE_SECONDS = 30.0

_lock = threading.Lock()
_pools: dict[int, list[tuple[float, ThreadPoolExecutor]]] = {}  # by number of threads; with the time when it came here


def take(workers: int) -> ThreadPoolExecutor:
    """A pool of so many threads."""
    with _lock:
        waiting = _pools.get(workers)
        if waiting:
            return waiting.pop()[1]
    return ThreadPoolExecutor(workers, "Executor", inherit_context=True)


def put_back(pool: ThreadPoolExecutor) -> bool:
    """Keep the pool for the next one, if it has nothing to do; False where it has, or where there is one already."""
    with _lock:
        waiting = _pools.setdefault(pool._max_workers, [])
        if waiting or pool._waiting > 0 or pool._busy > 0 or pool._shutdown:
            return False
        waiting.append((time.monotonic(), pool))
    keeper.add(_end_idle, IDLE_SECONDS)
    return True


def _end_idle(_late: float) -> float | None:
    """End the pools that were here for too long; how long until the next one is to be ended."""
    now = time.monotonic()
    left = None
    ended = []
    with _lock:
        for waiting in _pools.values():
            while waiting and now - waiting[0][0] >= IDLE_SECONDS:
                ended.append(waiting.pop(0)[1])
            for since, _ in waiting:
                left = min(left or IDLE_SECONDS, max(0.1, IDLE_SECONDS - (now - since)))
    for pool in ended:
        pool.shutdown(wait=False)
    return left


def _forget() -> None:
    global _lock
    _lock = threading.Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_forget)
