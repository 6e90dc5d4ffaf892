"""ProcessPoolExecutor: the standard's, with calls and results in shared memory; a worker that dies takes one call with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor as _Standard
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Any

from manycore import _tasks
from manycore.futures.options import ProcessPoolOptions, check_buffersize, described, initial_arguments, worker_count
from manycore.futures.process_errors import WorkerDied
from manycore.futures.process_map import ChunkedMap, buffered
from manycore.futures.progress import Progress, with_progress
from manycore.futures.team import SHUT_DOWN, Team, leave_to_parent

__all__ = ["BrokenProcessPool", "ProcessPoolExecutor", "WorkerDied"]

_pools: weakref.WeakSet[Any] = weakref.WeakSet()  # with a `_leave_to_parent` that is called in children of fork


def _after_fork_in_child() -> None:
    """Workers and threads are the parent's; a pool that is used here starts its own."""
    leave_to_parent()
    for pool in list(_pools):
        pool._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)


class ProcessPoolExecutor(_tasks.ProcessPool, _Standard):
    """Runs calls in worker processes. Takes what `concurrent.futures.ProcessPoolExecutor` takes, and:

    `on_worker_death`: "continue" (only the call that ran fails, with `WorkerDied`, and the pool goes on) or "break" (as the
    standard: every pending call fails and the pool takes no more).
    `retries`: how often (at most 3) a call is run again whose worker died.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        on_worker_death: str = "continue",
        retries: int = 0,
    ) -> None:
        if max_workers is None:
            max_workers = _tasks.share() if _tasks.is_nested() else getattr(os, "process_cpu_count", os.cpu_count)() or 1
        max_workers = worker_count(max_workers)
        if mp_context is None:
            mp_context = multiprocessing.get_context("spawn" if max_tasks_per_child is not None else None)
        if not hasattr(mp_context, "get_start_method"):
            raise TypeError(f"mp_context must be a context of multiprocessing or None, got {mp_context!r}; see get_context()")
        arguments = initial_arguments(initializer, initargs)
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
            if mp_context.get_start_method(allow_none=False) == "fork":
                raise ValueError(
                    "max_tasks_per_child is incompatible with the 'fork' multiprocessing start method;"
                    " supply a different mp_context."
                )
        if on_worker_death not in ("continue", "break"):
            raise ValueError(f"on_worker_death: expected 'continue' or 'break', got {on_worker_death!r}")
        if retries not in (0, 1, 2, 3):
            raise ValueError(f"retries: expected 0, 1, 2 or 3, got {retries!r}")
        self._max_workers = max_workers
        self._mp_context = mp_context
        self._initializer = initializer  # type: ignore[assignment]
        self._initargs = arguments
        self._max_tasks_per_child = max_tasks_per_child
        self._breaks = on_worker_death == "break"
        self._retries = retries
        self._shutdown_thread = False
        self._start_anew()
        _pools.add(self)

    def _start_anew(self) -> None:
        """A team for this process, without workers yet."""
        context = self._mp_context
        assert context is not None
        self._team = Team(self._max_workers, context, self._initializer, self._initargs, self._breaks)
        core = self._team.core
        core.set_retries(self._retries)
        if self._max_tasks_per_child is not None:
            core.limit_calls(self._max_tasks_per_child)
        if self._shutdown_thread:
            core.refuse(RuntimeError(SHUT_DOWN))
        weakref.finalize(self, self._team.shut_down, False).atexit = False
        self._core = core

    def _leave_to_parent(self) -> None:
        self._team.leave_to_parent()
        self._core = None

    @property
    def _processes(self) -> dict[int, Any] | None:  # type: ignore[override]
        return self._team.processes if not self._shutdown_thread else None

    @property
    def _broken(self) -> str | bool:  # type: ignore[override]
        return self._team.broken

    @property
    def _executor_manager_thread(self) -> threading.Thread | None:  # type: ignore[override]
        return self._team.thread if not self._shutdown_thread else None

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: Progress = None,
    ) -> Iterator[Any]:
        """Like `map(fn, *iterables)`, in worker processes, results in order.

        Items travel in chunks that adapt to how long they take; a `chunksize` above 1 is taken as given. A call that raises
        leaves the others of its chunk alone; what cannot be pickled or unpickled fails alone too. `buffersize`: take items from
        the iterables only as results are read, at most so many ahead. `progress`: True for a line on the terminal, "tqdm", or a
        function that is called with how far it is.
        """
        return self._map_with(None, fn, iterables, timeout, chunksize, buffersize, progress)

    def options(
        self, *, priority: int = 0, deadline: float | None = None, name: str | None = None, retries: int | None = None
    ) -> ProcessPoolOptions:
        """This pool for calls of another urgency: the `submit` and `map` of the answer take these options along.

        As `ThreadPoolExecutor.options`. `name` stands in `WorkerDied` too; `retries` are as the pool's.

        >>> with ProcessPoolExecutor(1) as pool:
        ...     pool.options(priority=1, deadline=60, name="answer", retries=2).submit(divmod, 85, 2).result()
        (42, 1)
        """
        return ProcessPoolOptions(self, described(priority, deadline, name, retries))

    def _map_with(
        self,
        options: tuple[Any, ...] | None,
        fn: Callable[..., Any],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        chunksize: int,
        buffersize: int | None,
        progress: Progress,
    ) -> Iterator[Any]:
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if int(chunksize) != chunksize:
            raise ValueError(f"chunksize must be a whole number, got {chunksize!r}; use // to divide")
        chunksize = int(chunksize)
        check_buffersize(buffersize)
        deadline = None if timeout is None else time.monotonic() + timeout
        if buffersize is not None:
            lazily = buffered(self, fn, zip(*iterables, strict=False), deadline, buffersize, options)
            return with_progress(lazily, None, None, progress)
        tuples = len(iterables) != 1
        items: list[Any] | range
        if tuples:
            items = list(zip(*iterables, strict=False))
        else:
            # A range cannot change, and parts of one travel as two numbers.
            items = iterables[0] if type(iterables[0]) is range else list(iterables[0])
        count = len(items)
        chunks = self._start_map(fn, items, tuples, chunksize, deadline, bool(progress), options)
        return with_progress(_tasks.ChunkResults(chunks.take, chunks.stop), chunks.counts, count, progress)

    def _start_map(
        self,
        fn: Callable[..., Any],
        items: list[Any] | range,
        tuples: bool,
        size: int,
        deadline: float | None,
        counted: bool,
        options: tuple[Any, ...] | None = None,
        site: tuple[Any, int] | None = None,
    ) -> ChunkedMap:
        if self._core is None:
            self._start_anew()
        if items:
            self._core.check_accepts()
        chunks = ChunkedMap(self._core, self._max_workers, fn, items, tuples, size, deadline, options, site)
        if counted:
            chunks.uncounted = []
        maps = self._team.maps
        maps.add(chunks)
        chunks.forget = lambda: maps.discard(chunks)
        chunks.feed()
        return chunks

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls. `wait` until all are done and the workers are gone; `cancel_futures`: those that have not begun."""
        self._shutdown_thread = True
        self._team.shut_down(cancel_futures)
        if wait and self._team.thread is not None:
            self._team.thread.join()

    def terminate_workers(self) -> None:
        """Send the worker processes SIGTERM and take no more calls, without waiting.

        Calls that run end with their worker, others are cancelled. A worker that ignores the signal goes on with
        its call, whose future gets the result.
        """
        self._end_workers("terminate")

    def kill_workers(self) -> None:
        """As `terminate_workers`, with SIGKILL, which no worker can ignore."""
        self._end_workers("kill")

    def _end_workers(self, how: str) -> None:
        self._shutdown_thread = True
        self._team.end_workers(how)
