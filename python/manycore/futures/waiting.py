"""``wait`` and ``as_completed`` of ``concurrent.futures`` as waits that the search for deadlocks knows."""

from __future__ import annotations

import concurrent.futures as standard
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION

from manycore import _tasks

TYPE_CHECKING = False  # as typing's, whose import would be a third of this package's
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeVar

    _T = TypeVar("_T")


class _Bell:
    """What a future tells that it is done, as the standard's waiters."""

    def __init__(self, futures: set[Any], until_error: bool = False) -> None:
        self.event = _tasks.EventBase()
        self.event._futures = futures
        self.rung: list[Any] = []
        self._quiet = len(futures) - 1 if until_error else 0  # so many may be done without an error before it rings

    def add_exception(self, future: Any) -> None:
        self.rung.append(future)
        self.event.set()

    def add_result(self, future: Any) -> None:
        self.rung.append(future)
        if len(self.rung) > self._quiet:
            self.event.set()

    add_cancelled = add_result

    def listen(self, futures: Iterable[Any]) -> None:
        for future in futures:
            with future._condition:
                if future._state == "FINISHED" and future._exception is not None:
                    self.add_exception(future)
                elif future._state in ("CANCELLED_AND_NOTIFIED", "FINISHED"):
                    self.add_result(future)
                else:
                    future._waiters.append(self)

    def leave(self, futures: Iterable[Any]) -> None:
        for future in futures:
            with future._condition:
                if self in future._waiters:
                    future._waiters.remove(self)


def wait(
    fs: Iterable[standard.Future[_T]], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> standard._base.DoneAndNotDoneFutures[_T]:
    """Wait until all of the futures are done, or the first, or the first that raised; at most ``timeout`` seconds.

    Answers those that are done and those that are not.
    """
    futures = set(fs)
    if timeout is None and all(isinstance(future, _tasks.Future) for future in futures):
        if return_when == ALL_COMPLETED:
            for future in futures:
                _tasks.await_done(future)
        elif return_when in (FIRST_COMPLETED, FIRST_EXCEPTION):
            _wait_for_one(futures, return_when == FIRST_EXCEPTION)
    return standard.wait(futures, timeout, return_when)


def _wait_for_one(futures: set[Any], until_error: bool) -> None:
    if not futures or (not until_error and any(future.done() for future in futures)):
        return
    bell = _Bell(futures, until_error)
    bell.listen(futures)
    try:
        bell.event.wait()
    finally:
        bell.leave(futures)


def as_completed(fs: Iterable[standard.Future[_T]], timeout: float | None = None) -> Iterator[standard.Future[_T]]:
    """The futures, each once it is done, those first that are done now. After ``timeout`` seconds from here a TimeoutError."""
    if timeout is not None:
        return standard.as_completed(fs, timeout)
    return _as_completed(set(fs))


def _as_completed(left: set[Any]) -> Iterator[Any]:
    bell = _Bell(left)
    try:
        bell.listen(left)
        while left:
            bell.event.wait()
            bell.event.clear()
            # Nobody but the caller holds what is given.
            bell.rung, rung = [], bell.rung[::-1]
            left.difference_update(rung)
            while rung:
                yield rung.pop()
    finally:
        bell.leave(left)
