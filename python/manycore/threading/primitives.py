"""The primitives of ``threading`` that know who has them and who waits for them; ``Lock`` and ``RLock`` are C types.

Each class is also one of the standard's, so that ``isinstance`` holds.
"""

from __future__ import annotations

import threading as standard

from manycore import _tasks
from manycore._tasks import Lock, RLock, Ticket

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


# Their texts (repr) are the standard's too.
_NAMED = "threading"


class Condition(standard.Condition):
    """A lock to wait in until another thread that has it notifies."""

    __module__ = _NAMED
    _of_queue: tuple[str, tuple[str, int, str] | None, str] | None = None  # the queue that it is for, and in which state that is

    def __init__(self, lock: Any = None) -> None:
        super().__init__(RLock() if lock is None else lock)  # type: ignore[arg-type]

    @property
    def _made_at(self) -> tuple[str, int, str] | None:
        return getattr(self._lock, "_made_at", None)  # type: ignore[attr-defined]

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of the lock until notified, at most ``timeout`` seconds; whether it was. The lock is ours again then."""
        if not self._is_owned():  # type: ignore[attr-defined]
            raise RuntimeError("cannot wait on un-acquired lock")
        ticket = Ticket(self)
        waiters: Any = self._waiters  # type: ignore[attr-defined]
        waiters.append(ticket)
        saved = self._release_save()  # type: ignore[attr-defined]
        notified = False
        try:
            notified = ticket.wait(timeout)
            return notified
        finally:
            self._acquire_restore(saved)  # type: ignore[attr-defined]
            if not notified and ticket in waiters:
                waiters.remove(ticket)

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()  # type: ignore[attr-defined]
        self._waiters.clear()  # type: ignore[attr-defined]


class Event(_tasks.EventBase, standard.Event):
    """A flag to wait for."""

    __module__ = _NAMED


class Semaphore(_tasks.SemaphoreBase, standard.Semaphore):  # type: ignore[misc]
    """A count that is never below zero: who wants to take it lower waits."""

    __module__ = _NAMED


class BoundedSemaphore(Semaphore, standard.BoundedSemaphore):  # type: ignore[misc]
    """A semaphore whose count may not go above its first value."""

    __module__ = _NAMED

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._most = self._initial_value = value


class Barrier(standard.Barrier):
    """A point at which a number of threads wait for each other."""

    __module__ = _NAMED

    def __init__(self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None) -> None:
        super().__init__(parties, action, timeout)  # type: ignore[arg-type]
        self._cond = Condition(Lock())


class Thread(standard.Thread):
    """A thread whose ``join`` without a time limit is a wait that is known."""

    __module__ = _NAMED

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread is over, at most ``timeout`` seconds."""
        if timeout is None and self.ident is not None and self.ident != standard.get_ident() and self.is_alive():
            _tasks.join_thread(self, self.ident, standard.Thread.join)
        else:
            super().join(timeout)


class Timer(Thread, standard.Timer):
    """A thread that calls a function after ``interval`` seconds, unless it is cancelled before."""

    __module__ = _NAMED

    def __init__(
        self,
        interval: float,
        function: Callable[..., object],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(interval, function, args, kwargs)
        self.finished = Event()
