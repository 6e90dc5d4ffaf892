"""`Lock`, `RLock`, `Semaphore` and `BoundedSemaphore`: the standard's classes over semaphores that know who holds them.

The standard's `Condition`, `Event` and `Barrier` are made of these.
"""

from __future__ import annotations

import logging
import operator
from multiprocessing import context, util
from multiprocessing import synchronize as standard
from multiprocessing.synchronize import Barrier, Condition, Event
from typing import Any

from manycore import _tasks
from manycore.futures.worker_main import Descriptor

RECURSIVE_MUTEX, SEMAPHORE = 0, 1
SEM_VALUE_MAX = 2**31 - 1

__all__ = ["Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore"]


def _holder_died(semaphore: _tasks.SharedSemaphore, process: int, taken_over: bool) -> None:
    kind = "RLock" if semaphore.kind == RECURSIVE_MUTEX else "Lock"
    what = (
        "is this process's now; what it guards may be half changed"
        if taken_over
        else "stays locked until another process releases it; if none will, this waits for ever"
    )
    logging.getLogger("manycore").warning("multiprocessing.%s: process %d ended while it held it; it %s", kind, process, what)


def _forget_holders(lock: Any) -> None:
    lock._semlock._after_fork()


class _Shared(standard.SemLock):
    """A semaphore in memory that children inherit, and that is sent to those that are started anew."""

    _semlock: Any

    # Found by C code alone, which halves the cost of `with lock`.
    __enter__: Any = property(operator.attrgetter("acquire"))
    __exit__: Any = property(operator.attrgetter("_leave"))

    def _make(self, kind: int, value: int, maxvalue: int) -> None:
        self._set_up(_tasks.SharedSemaphore(kind, value, maxvalue, _holder_died))

    def _set_up(self, semaphore: _tasks.SharedSemaphore) -> None:
        self._semlock = semaphore
        self._make_methods()  # type: ignore[attr-defined]
        self._leave = semaphore.__exit__
        util.register_after_fork(self, _forget_holders)

    def __getstate__(self) -> Any:
        context.assert_spawning(self)
        semaphore = self._semlock
        descriptor, number = semaphore.place
        return semaphore.kind, semaphore.maxvalue, Descriptor(descriptor), number

    def __setstate__(self, state: Any) -> None:
        kind, maxvalue, descriptor, number = state
        self._set_up(_tasks.SharedSemaphore(kind, 0, maxvalue, _holder_died, descriptor.number, number))


class Semaphore(_Shared, standard.Semaphore):
    """As `multiprocessing.Semaphore`."""

    def __init__(self, value: int = 1, *, ctx: Any = None) -> None:
        self._make(SEMAPHORE, value, SEM_VALUE_MAX)


class BoundedSemaphore(_Shared, standard.BoundedSemaphore):
    """As `multiprocessing.BoundedSemaphore`."""

    def __init__(self, value: int = 1, *, ctx: Any = None) -> None:
        self._make(SEMAPHORE, value, value)


class Lock(_Shared, standard.Lock):
    """As `multiprocessing.Lock`. Who waits for one whose holder has ended is told so by logger `manycore`."""

    def __init__(self, *, ctx: Any = None) -> None:
        self._make(SEMAPHORE, 1, 1)


class RLock(_Shared, standard.RLock):
    """As `multiprocessing.RLock`. One whose holder has ended goes to who waits for it, with a warning of logger `manycore`."""

    def __init__(self, *, ctx: Any = None) -> None:
        self._make(RECURSIVE_MUTEX, 1, 1)
