"""Priorities, deadlines and names of calls: ``pool.options(...)`` and the errors that come of them."""

from __future__ import annotations

import operator
import time

from manycore import _tasks

TYPE_CHECKING = False  # as typing's, whose import would be a third of this package's
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    from manycore.futures.process import ProcessPoolExecutor
    from manycore.futures.progress import Progress
    from manycore.futures.thread import ThreadPoolExecutor

    _T = TypeVar("_T")


def worker_count(max_workers: Any) -> int:
    """Checked; the standard's TypeErrors come late or say nothing of the argument."""
    try:
        count = operator.index(max_workers)
    except TypeError:
        raise TypeError(f"max_workers must be an integer or None, got {max_workers!r}") from None
    if count <= 0:
        raise ValueError("max_workers must be greater than 0")
    return count


def initial_arguments(initializer: Callable[..., object] | None, initargs: Iterable[Any]) -> tuple[Any, ...]:
    """Of an initializer; the same, where there is one."""
    if initializer is None:
        return ()
    if not callable(initializer):
        raise TypeError("initializer must be a callable")
    try:
        return tuple(initargs)
    except TypeError:
        raise TypeError(f"initargs must be a tuple of the initializer's arguments, got {initargs!r}") from None


def check_buffersize(buffersize: int | None) -> None:
    """Raises what the standard executors raise for a ``buffersize`` that none of them takes."""
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError("buffersize must be an integer or None")
    if buffersize is not None and buffersize < 1:
        raise ValueError("buffersize must be None or > 0")


class DeadlineMissed(TimeoutError):
    """The call was to begin within its deadline; its turn came later, so it was never run.

    ``name`` is that of the call and ``late`` says by how many seconds its turn came too late.
    """

    def __init__(self, text: str, name: str = "", late: float = 0.0) -> None:
        super().__init__(text)
        self.name = name
        self.late = late


def _missed(function: Callable[..., object] | str, name: str | None, seconds: float, late: float) -> DeadlineMissed:
    called = name or (function if isinstance(function, str) else getattr(function, "__qualname__", None) or repr(function))
    text = (
        f"{called}: was to begin within {seconds:g} s of its submit, but its turn came {late:.3g} s too late, so it was not run; "
        "give it a higher priority or a later deadline, or the pool more workers"
    )
    return DeadlineMissed(text, called, late)


def described(priority: int, deadline: float | None, name: str | None, retries: int | None) -> tuple[Any, ...]:
    """What the extension takes, checked."""
    if not isinstance(deadline, int | float | None):
        raise TypeError(f"options: deadline: expected a number of seconds from now or None, got {deadline!r}")
    if not isinstance(priority, int) or not -(2**31) <= priority < 2**31:
        raise ValueError(f"options: priority: expected an int of 32 bits, got {priority!r}")
    if deadline is not None and not deadline >= 0:
        raise ValueError(f"options: deadline: expected seconds from now, 0 or more, or None, got {deadline!r}")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"options: name: expected a str or None, got {name!r}")
    if retries not in (None, 0, 1, 2, 3):
        raise ValueError(f"options: retries: expected 0, 1, 2 or 3, or None for the pool's, got {retries!r}")
    return (priority, None if deadline is None else float(deadline), name, _missed, retries)


# Of a call for which nothing was said.
PLAIN = described(0, None, None, None)


class _PoolOptions:
    """A pool as ``pool.options(...)`` gives it: ``submit`` and ``map`` go to the pool, with these options."""

    __slots__ = ("_options", "_pool")

    def __init__(self, pool: Any, options: tuple[Any, ...]) -> None:
        self._pool = pool
        self._options = options

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _tasks.Future[_T]:
        """As the pool's ``submit``. The deadline counts from here."""
        future: _tasks.Future[_T] = self._pool._submit_with(self._options, fn, *args, **kwargs)
        return future


class ThreadPoolOptions(_PoolOptions):
    """Of a pool of threads."""

    __slots__ = ()
    _pool: ThreadPoolExecutor

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: Progress = None,
    ) -> Iterator[_T]:
        """As the pool's ``map``. The deadline counts from here for each item; with ``buffersize``, from when it is taken."""
        if progress:
            from manycore.futures import progress as display

            return display.of_threads(self, fn, iterables, timeout, buffersize, progress)
        return self._pool._map_with(self._options, fn, iterables, timeout, buffersize)


class ProcessPoolOptions(_PoolOptions):
    """Of a pool of processes."""

    __slots__ = ()
    _pool: ProcessPoolExecutor

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: Progress = None,
    ) -> Iterator[Any]:
        """As the pool's ``map``; what is said of a call holds for each chunk of items, and the deadline counts from here.

        With ``buffersize`` each item is a call of its own, whose deadline counts from when it is taken.
        """
        return self._pool._map_with(self._options, fn, iterables, timeout, chunksize, buffersize, progress)


def with_time_left(options: tuple[Any, ...], began: float) -> tuple[Any, ...]:
    """The options of a chunk that is sent later than its map began."""
    priority, deadline, name, missed, retries = options
    if deadline is None:
        return options

    def error(function: Callable[..., object] | str, name: str | None, _left: float, late: float) -> DeadlineMissed:
        return _missed(function, name, deadline, late)

    return (priority, max(0.0, began + deadline - time.monotonic()), name, error, retries)
