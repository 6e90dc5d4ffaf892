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
)

from manycore._tasks import DeadlockError, Future
from manycore.futures.thread import BrokenThreadPool, ThreadPoolExecutor
from manycore.futures.waiting import as_completed, wait

TYPE_CHECKING = False  # as typing's, whose import would be a third of this package's
if TYPE_CHECKING:
    from typing import Any

    from manycore.futures.automatic import Executor
    from manycore.futures.cancelling import cancel
    from manycore.futures.options import DeadlineMissed
    from manycore.futures.process import BrokenProcessPool, ProcessPoolExecutor, WorkerDied
    from manycore.futures.raised import RemoteError

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "BrokenExecutor",
    "BrokenProcessPool",
    "BrokenThreadPool",
    "CancelledError",
    "DeadlineMissed",
    "DeadlockError",
    "Executor",
    "Future",
    "InvalidStateError",
    "ProcessPoolExecutor",
    "RemoteError",
    "ThreadPoolExecutor",
    "TimeoutError",
    "WorkerDied",
    "as_completed",
    "cancel",
    "wait",
]

# As in the standard library: who uses threads does not wait for the import of multiprocessing.
_LATER = {
    "BrokenProcessPool": "process",
    "DeadlineMissed": "options",
    "Executor": "automatic",
    "ProcessPoolExecutor": "process",
    "RemoteError": "raised",
    "WorkerDied": "process",
    "cancel": "cancelling",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"manycore.futures.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
