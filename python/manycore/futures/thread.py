"""``ThreadPoolExecutor``: the standard one, with a task at a tenth of its cost."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures.thread as standard
import itertools
import os
import threading
import time
import weakref
from collections import deque
from concurrent.futures.thread import BrokenThreadPool as BrokenThreadPool

from manycore import _tasks
from manycore.futures.options import initial_arguments, worker_count

TYPE_CHECKING = False  # as typing's, whose import would be a third of this package's
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    from manycore.futures.options import ThreadPoolOptions
    from manycore.futures.progress import Progress

    _T = TypeVar("_T")

# The threads of all pools, so that the interpreter's end and a forked child find them.
_threads_of_pools: weakref.WeakSet[_Threads] = weakref.WeakSet()


class _Threads(set[threading.Thread]):
    """A pool's threads; can be referred to weakly, which a plain set cannot."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class _WaitingTasks:
    """What ``_work_queue`` of the standard executor is asked for."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = weakref.ref(pool)

    def qsize(self) -> int:
        pool = self._pool()
        return 0 if pool is None else pool._waiting

    def empty(self) -> bool:
        return self.qsize() == 0


class _Ended:
    """Stands for a worker's queue where the standard executor wakes its threads at the end; ours were told before."""

    def put(self, item: object) -> None:
        pass


def _starter(threads: set[threading.Thread], prefix: str) -> Callable[[Callable[[], None]], None]:
    """A function that starts one thread of a pool. It knows nothing of the executor, which its threads must not keep alive."""

    def start(target: Callable[[], None]) -> None:
        thread = threading.Thread(name=f"{prefix}_{len(threads)}", target=target)
        thread.start()
        threads.add(thread)
        # The standard executor joins these at the interpreter's end, and programs that do not want it clear this mapping.
        queues: Any = standard._threads_queues
        queues[thread] = _Ended()

    return start


def _after_fork_in_child() -> None:
    _tasks.after_fork_in_child()
    for threads in list(_threads_of_pools):
        threads.clear()


threading._register_atexit(_tasks.stop_all_pools)  # type: ignore[attr-defined]
os.register_at_fork(after_in_child=_after_fork_in_child)


def default_workers() -> int:
    """As the standard executor of this Python chooses."""
    count = getattr(os, "process_cpu_count", os.cpu_count)
    return min(32, (count() or 1) + 4)


class ThreadPoolExecutor(_tasks.ThreadPool, concurrent.futures.ThreadPoolExecutor):  # type: ignore[misc]
    """``concurrent.futures.ThreadPoolExecutor`` whose tasks cost a tenth.

    ``inherit_context``: whether a task runs in a copy of the context variables of whoever submitted it. By default it does,
    unless there is an initializer: what that sets in its thread's context stays visible to the tasks then.
    """

    _counter = itertools.count().__next__

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        inherit_context: bool | None = None,
    ) -> None:
        max_workers = default_workers() if max_workers is None else worker_count(max_workers)
        arguments = initial_arguments(initializer, initargs)
        self._max_workers = max_workers
        self._thread_name_prefix = thread_name_prefix or f"ThreadPoolExecutor-{self._counter()}"
        self._initializer: Any = initializer
        self._initargs = initargs
        self._threads = _Threads()
        self._work_queue = _WaitingTasks(self)  # type: ignore[assignment]
        _threads_of_pools.add(self._threads)
        inherits = initializer is None if inherit_context is None else inherit_context
        start = _starter(self._threads, self._thread_name_prefix)
        super().__init__(min(max_workers, 2**31 - 1), start, BrokenThreadPool, initializer, arguments, inherits)

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: Progress = None,
    ) -> Iterator[_T]:
        """As ``map(fn, *iterables)``, each call on a thread of the pool; results come in the order of the arguments.

        All arguments are taken at once, unless ``buffersize`` says how many calls may be ahead of the results that were taken.
        ``timeout`` counts in seconds from here. ``chunksize`` has no effect. ``progress``: True for a line on the terminal,
        "tqdm", or a function that is called with how far it is (`manycore.futures.progress.State`).
        """
        if progress:
            from manycore.futures import progress as display

            return display.of_threads(self, fn, iterables, timeout, buffersize, progress)
        if buffersize is not None:
            return self._map_with(None, fn, iterables, timeout, buffersize)
        if type(self).submit is not _tasks.ThreadPool.submit or "submit" in self.__dict__:
            return super().map(fn, *iterables, timeout=timeout, chunksize=chunksize)
        return self._map(fn, iterables, timeout)

    def options(
        self, *, priority: int = 0, deadline: float | None = None, name: str | None = None, retries: int | None = None
    ) -> ThreadPoolOptions:
        """This pool for calls of another urgency: the ``submit`` and ``map`` of the answer take these options along.

        Calls of a higher ``priority`` begin first; among equals those with the earlier ``deadline``, then the earlier ones.
        A call that has not begun ``deadline`` seconds after its submit never will: its future gets a ``DeadlineMissed`` when its
        turn comes. ``name`` is what errors call it by. ``retries`` are for calls in processes, whose worker may die.

        >>> with ThreadPoolExecutor(1) as pool:
        ...     urgent = pool.options(priority=1, deadline=60, name="answer")
        ...     urgent.submit(divmod, 85, 2).result()
        (42, 1)
        """
        from manycore.futures.options import ThreadPoolOptions, described

        return ThreadPoolOptions(self, described(priority, deadline, name, retries))

    def _map_with(
        self,
        options: tuple[Any, ...] | None,
        fn: Callable[..., _T],
        iterables: tuple[Iterable[Any], ...],
        timeout: float | None,
        buffersize: int | None,
    ) -> Iterator[_T]:
        if buffersize is None:
            return self._map(fn, iterables, timeout, options)
        from manycore.futures.options import check_buffersize

        check_buffersize(buffersize)
        return _buffered_map(self, fn, zip(*iterables, strict=False), timeout, buffersize, options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; ``wait`` for those that are there, or cancel what has not begun."""
        self._stop(cancel_futures)
        if wait:
            for thread in list(self._threads):
                if thread.ident is None or thread.ident == threading.get_ident():
                    thread.join()  # which raises
                else:
                    _tasks.join_thread(thread, thread.ident, threading.Thread.join)


def _buffered_map(
    pool: ThreadPoolExecutor,
    fn: Callable[..., _T],
    arguments: Iterator[tuple[Any, ...]],
    timeout: float | None,
    size: int,
    options: tuple[Any, ...] | None = None,
) -> Iterator[_T]:
    def submit(executor: ThreadPoolExecutor, group: tuple[Any, ...]) -> concurrent.futures.Future[_T]:
        return executor.submit(fn, *group) if options is None else executor._submit_with(options, fn, *group)

    end = None if timeout is None else timeout + time.monotonic()
    waiting = deque(submit(pool, group) for group in itertools.islice(arguments, size))
    # The results do not keep the executor alive.
    reference = weakref.ref(pool)

    def results() -> Iterator[_T]:
        try:
            while waiting:
                executor = reference()
                if executor is not None and (group := next(arguments, None)) is not None:
                    waiting.append(submit(executor, group))
                del executor
                yield _result_or_cancel(waiting.popleft(), end)
        finally:
            for future in waiting:
                future.cancel()

    return results()


def _result_or_cancel(future: concurrent.futures.Future[_T], end: float | None) -> _T:
    try:
        try:
            return future.result(None if end is None else end - time.monotonic())
        finally:
            future.cancel()
    finally:
        # Break a reference cycle with the exception's traceback.
        del future
