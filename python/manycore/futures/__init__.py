"""The executors of ``concurrent.futures``, cheaper for each task: ``from manycore.futures import ThreadPoolExecutor``.

They take the arguments and keep the documented behaviour of the standard ones; their futures are ``concurrent.futures.Future``s.
"""

from __future__ import annotations

from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    BrokenExecutor,
    CancelledError,
    InvalidStateError,
    TimeoutError,
    as_completed,
    wait,
)
from typing import TYPE_CHECKING, Any

from manycore._tasks import Future
from manycore.futures.thread import BrokenThreadPool, ThreadPoolExecutor

if TYPE_CHECKING:
    from manycore.futures.process import BrokenProcessPool, ProcessPoolExecutor, WorkerDied

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "BrokenExecutor",
    "BrokenProcessPool",
    "BrokenThreadPool",
    "CancelledError",
    "Future",
    "InvalidStateError",
    "ProcessPoolExecutor",
    "ThreadPoolExecutor",
    "TimeoutError",
    "WorkerDied",
    "as_completed",
    "wait",
]

_OF_PROCESSES = ("BrokenProcessPool", "ProcessPoolExecutor", "WorkerDied")


def __getattr__(name: str) -> Any:
    # As in the standard library: who uses threads does not wait for the import of multiprocessing.
    if name not in _OF_PROCESSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from manycore.futures import process

    return getattr(process, name)


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
