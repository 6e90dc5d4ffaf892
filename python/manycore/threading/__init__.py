"""``threading`` whose locks know who has them: ``import manycore.threading as threading``.

A deadlock that nobody can end any more raises a ``DeadlockError`` in the thread that began to wait last; one that is only
suspected is reported through the logger ``manycore``. The error names who waits for whom and where the locks were made.
"""

from __future__ import annotations

import threading as _standard
from threading import (
    TIMEOUT_MAX,
    BrokenBarrierError,
    ExceptHookArgs,
    ThreadError,
    active_count,
    current_thread,
    enumerate,
    excepthook,
    get_ident,
    get_native_id,
    getprofile,
    gettrace,
    local,
    main_thread,
    setprofile,
    settrace,
    stack_size,
)

from manycore._tasks import DeadlockError, Lock, RLock
from manycore.threading.deadlock import deadlocks, start
from manycore.threading.primitives import Barrier, BoundedSemaphore, Condition, Event, Semaphore, Thread, Timer

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "TIMEOUT_MAX",
    "Barrier",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "Condition",
    "DeadlockError",
    "Event",
    "ExceptHookArgs",
    "Lock",
    "RLock",
    "Semaphore",
    "Thread",
    "ThreadError",
    "Timer",
    "active_count",
    "current_thread",
    "deadlocks",
    "enumerate",
    "excepthook",
    "get_ident",
    "get_native_id",
    "getprofile",
    "gettrace",
    "local",
    "main_thread",
    "setprofile",
    "settrace",
    "stack_size",
]
__all__ += [name for name in _standard.__all__ if name not in __all__]


def __getattr__(name: str) -> Any:
    """What is not ours is the standard's: names of newer Pythons, and private ones."""
    try:
        return getattr(_standard, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


start()
