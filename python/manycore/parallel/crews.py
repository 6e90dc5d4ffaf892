"""Worker processes for `Parallel`: a pool is one call's at a time, and is kept for the next one that wants as many workers.

The workers are forked by the fork server (see docs/executors.md), never from the program: what OpenMP's and BLAS's threads hold
would be held for ever in a child. Where there is no fork server, as in a worker process, the interpreter's start method is used.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time

from manycore.futures import server_context, server_fork
from manycore.futures.automatic import start_server
from manycore.futures.keeper import keeper
from manycore.futures.process import ProcessPoolExecutor
from manycore.futures.server_keeper import server
from manycore.futures.worker_main import Cores

IDLE_SECONDS = 300.0  # as joblib's
_MOST_KEPT = 2  # of different kinds


class Crew:
    """A pool and since when nobody has it. ``cores`` is what a library may use inside a worker."""

    def __init__(self, workers: int, cores: Cores, seconds: float) -> None:
        self.kind = (workers, cores)
        self.seconds = seconds
        self.idle_since = 0.0
        context = server_context.started() if server_context.usable() else None
        self.pool = ProcessPoolExecutor(workers, context)
        self.pool._team.cores = cores


_prepared = False


def prepare() -> None:
    """Let the fork server start and load what workers need, beside the program, unless it can be a fork of the program."""
    global _prepared
    if server_context.usable() and not server_fork.is_possible():
        _prepared = True
        for module in ("joblib", __name__):
            server.want(module)
        threading.Thread(target=start_server, name="manycore-fork-server", daemon=True).start()


def prepare_as_fork() -> None:
    """With all loaded that workers need."""
    if _prepared or server.begun or not server_context.usable():
        return
    if server_fork.is_possible():
        with contextlib.suppress(OSError):
            server.start(as_fork=True)
    else:
        prepare()


_lock = threading.Lock()
_kept: list[Crew] = []  # the longest idle first


def take(workers: int, cores: Cores, seconds: float = IDLE_SECONDS) -> Crew:
    """A pool of so many workers that nobody else has."""
    with _lock:
        for crew in reversed(_kept):
            if crew.kind == (workers, cores):
                _kept.remove(crew)
                crew.seconds = seconds
                return crew
    return Crew(workers, cores, seconds)


def put_back(crew: Crew) -> None:
    """Keep it for the next call; its workers end when there is none for a while."""
    with _lock:
        crew.idle_since = time.monotonic()
        _kept.append(crew)
        dismissed = _kept.pop(0) if len(_kept) > _MOST_KEPT else None
    if dismissed is not None:
        dismissed.pool.shutdown(wait=False)
    keeper.add(_end_idle, crew.seconds)


def dismiss(crew: Crew) -> None:
    """End its workers now, whatever they do."""
    crew.pool.kill_workers()


def _end_idle(_late: float) -> float | None:
    now = time.monotonic()
    with _lock:
        ended = [crew for crew in _kept if now - crew.idle_since >= crew.seconds]
        _kept[:] = [crew for crew in _kept if crew not in ended]
        left = [crew.seconds - (now - crew.idle_since) for crew in _kept]
    for crew in ended:
        crew.pool.shutdown(wait=False)
    return max(0.1, min(left)) if left else None


def _forget() -> None:
    global _lock
    _lock = threading.Lock()
    _kept.clear()


os.register_at_fork(after_in_child=_forget)
