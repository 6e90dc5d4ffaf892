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

from manycore._tasks import Future
from manycore.futures.thread import BrokenThreadPool, ThreadPoolExecutor

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "BrokenExecutor",
    "BrokenThreadPool",
    "CancelledError",
    "Future",
    "InvalidStateError",
    "ThreadPoolExecutor",
    "TimeoutError",
    "as_completed",
    "wait",
]
