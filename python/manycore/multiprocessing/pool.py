"""`Pool` and `ThreadPool`: the standard's, with calls and results in shared memory and chunks that adapt to how long calls take.

A worker process that dies takes along only what it ran: those calls raise `WorkerDied`, and the pool goes on with another worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing import pool as standard
from multiprocessing import util
from multiprocessing.context import BaseContext
from multiprocessing.pool import CLOSE, INIT, RUN, TERMINATE, MaybeEncodingError, RemoteTraceback  # type: ignore[attr-defined]
from typing import Any

from manycore.futures import process as process_pools
from manycore.futures.process_errors import WorkerDied
from manycore.futures.progress import Progress, begin
from manycore.multiprocessing.context import get_context
from manycore.multiprocessing.pool_maps import FedMap, SizedMap
from manycore.multiprocessing.pool_results import (
    ApplyResult,
    AsyncResult,
    Callback,
    IMapIterator,
    IMapUnorderedIterator,
    MapResult,
)
from manycore.multiprocessing.pool_teams import ProcessTeam, ThreadTeam

__all__ = [
    "ApplyResult", "AsyncResult", "IMapIterator", "IMapUnorderedIterator", "MapResult", "MaybeEncodingError", "Pool",
    "RemoteTraceback", "ThreadPool", "WorkerDied",
]  # fmt: skip


class Pool(standard.Pool):
    """Worker processes for calls. Takes what `multiprocessing.Pool` takes.

    `progress` of the maps: True for a line on the terminal, "tqdm", or a function that is called with how far it is.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: BaseContext | None = None,
    ) -> None:
        self._state = INIT
        if processes is None:
            processes = getattr(os, "process_cpu_count", os.cpu_count)() or 1
        if processes < 1:
            raise ValueError("Number of processes must be at least 1")
        if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild <= 0):
            raise ValueError("maxtasksperchild must be a positive int or None")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._processes = processes
        self._maxtasksperchild = maxtasksperchild
        self._initializer = initializer
        self._initargs = initargs
        self._ctx = context
        self._team = self._make_team()
        self._team.start()
        self._terminate = util.Finalize(self, self._team.terminate, exitpriority=15)
        process_pools._pools.add(self)
        self._state = RUN

    def _make_team(self) -> Any:
        self._ctx = self._ctx or get_context()
        initargs = tuple(self._initargs)
        return ProcessTeam(self._processes, self._ctx, self.Process, self._initializer, initargs, self._maxtasksperchild)

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")

    def _leave_to_parent(self) -> None:
        self._team.leave_to_parent()

    @property
    def _pool(self) -> list[Any]:
        """The workers."""
        return self._team.members() if "_team" in self.__dict__ else []

    def _repopulate_pool(self) -> None:
        self._team.start_missing()

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] = {}) -> Any:
        """`func(*args, **kwds)` in a worker."""
        self._check_running()
        return self._team.core.submit(func, *args, **kwds).result()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] = {},
        callback: Callback = None,
        error_callback: Callback = None,
    ) -> ApplyResult:
        """`func(*args, **kwds)` in a worker; what it gives is asked of the answer."""
        self._check_running()
        return ApplyResult(self, self._team.core.submit(func, *args, **kwds), callback, error_callback)

    def map(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None, *, progress: Progress = None
    ) -> list[Any]:
        """`[func(x) for x in iterable]`, in the workers. Without a `chunksize` above 1 it follows the time that calls take.

        A call that raises leaves the others alone; when all are over, the first error is raised.
        """
        results: list[Any] = self._start_map(func, iterable, chunksize, None, None, False, progress).get()
        return results

    def starmap(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        *,
        progress: Progress = None,
    ) -> list[Any]:
        """As `map`, with `func(*arguments)` for each of the iterable's."""
        results: list[Any] = self._start_map(func, iterable, chunksize, None, None, True, progress).get()
        return results

    def map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
        *,
        progress: Progress = None,
    ) -> MapResult:
        """`map` whose results are asked of the answer."""
        return self._start_map(func, iterable, chunksize, callback, error_callback, False, progress)

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
        *,
        progress: Progress = None,
    ) -> MapResult:
        """`starmap` whose results are asked of the answer."""
        return self._start_map(func, iterable, chunksize, callback, error_callback, True, progress)

    def imap(  # type: ignore[override]
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1, *, progress: Progress = None
    ) -> Iterator[Any]:
        """The results in order, as they come. With `chunksize` 1 calls travel together that take too short a time alone."""
        size = self._checked_size(chunksize)
        results = IMapIterator(self, self._source(func, iterable, size, None, lambda: None, progress))
        return self._iterator(results, iterable, size, progress)

    def imap_unordered(  # type: ignore[override]
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1, *, progress: Progress = None
    ) -> Iterator[Any]:
        """As `imap`, in whatever order they come."""
        size = self._checked_size(chunksize)
        results = IMapUnorderedIterator(self, lambda told, ended: self._source(func, iterable, size, told, ended, progress))
        return self._iterator(results, iterable, size, progress)

    def close(self) -> None:
        """Take no more calls; the workers end when all that were given are done."""
        if self._state == RUN:
            self._state = CLOSE
            self._team.close()

    def terminate(self) -> None:
        """End the workers now. Calls that are not done never will be, and who waits for them is told so."""
        self._state = TERMINATE
        self._terminate()

    def join(self) -> None:
        """Wait until the workers have ended."""
        if self._state == RUN:
            raise ValueError("Pool is still running")
        if self._state not in (CLOSE, TERMINATE):
            raise ValueError("In unknown state")
        self._team.join()

    def _start_map(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: Callback,
        error_callback: Callback,
        tuples: bool,
        progress: Progress,
    ) -> MapResult:
        self._check_running()
        items: list[Any] | range
        if type(iterable) is range and not tuples:
            items = iterable  # cannot change, and parts of one travel as two numbers
        elif tuples:
            items = [entry if type(entry) is tuple else tuple(entry) for entry in iterable]
        else:
            items = list(iterable)
        size = 0 if chunksize is None else self._checked_size(chunksize)
        if chunksize is None and self._maxtasksperchild is not None:
            size = -(-len(items) // (4 * self._processes))  # what counts as a task must not depend on the clock
        result = MapResult(
            self,
            lambda told: SizedMap(self._team, func, items, tuples, size, told, bool(progress)),
            len(items),
            callback,
            error_callback,
        )
        if progress:
            result._shown = begin(result._map.counts, len(items), progress)
        return result

    def _checked_size(self, chunksize: int) -> int:
        self._check_running()
        if chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize:n}")
        return 0 if chunksize == 1 and self._maxtasksperchild is None else chunksize

    def _source(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        size: int,
        told: Callable[[Any], object] | None,
        ended: Callable[[], object],
        progress: Progress,
    ) -> SizedMap:
        if type(iterable) in (list, tuple, range):
            items = iterable if isinstance(iterable, range) else list(iterable)
            source = SizedMap(self._team, func, items, False, size, told, bool(progress))
            source.feed()
            return source
        return FedMap(self._team, func, iterable, size, told, ended, bool(progress))

    def _iterator(self, results: IMapIterator, iterable: Iterable[Any], size: int, progress: Progress) -> Iterator[Any]:
        if progress:
            results._shown = begin(results._map.counts, getattr(iterable, "__len__", lambda: None)(), progress)
        return results if size <= 1 else results._by_chunks()


class ThreadPool(Pool, standard.ThreadPool):
    """`multiprocessing.pool.ThreadPool` on manycore's threads. As its, they do not keep the program from ending."""

    def __init__(
        self, processes: int | None = None, initializer: Callable[..., object] | None = None, initargs: Iterable[Any] = ()
    ) -> None:
        Pool.__init__(self, processes, initializer, initargs)

    def _make_team(self) -> Any:
        return ThreadTeam(self._processes, self._initializer, tuple(self._initargs))

    def _leave_to_parent(self) -> None:
        pass

    def _repopulate_pool(self) -> None:
        pass
