"""ProcessPoolExecutor: the standard's, with calls and results in shared memory; a worker that dies takes one call with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor as _Standard
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import util
from multiprocessing.context import BaseContext
from typing import Any

from manycore import _tasks
from manycore.futures.main_names import MainNames, without_a_file_that_is_none
from manycore.futures.options import ProcessPoolOptions, check_buffersize, described
from manycore.futures.process_errors import NOT_USABLE, TERMINATED, WorkerDied, broken_error, death_error
from manycore.futures.process_map import ChunkedMap, buffered
from manycore.futures.progress import Progress, with_progress
from manycore.futures.worker_main import Descriptor, main, parent_descriptor

__all__ = ["BrokenProcessPool", "ProcessPoolExecutor", "WorkerDied"]

# A worker that ends so often before it is ready will not become ready.
_MOST_FAILED_STARTS = 10


class _Team:
    """The worker processes of one pool. Shared by the executor and the background thread, and knows neither."""

    def __init__(
        self,
        slots: int,
        context: BaseContext,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        breaks: bool,
    ) -> None:
        self.context = context
        self.forks = context.get_start_method() == "fork"
        self.slots = slots
        self.initializer = initializer
        self.initargs = initargs
        self.breaks = breaks
        self.processes: dict[int, Any] = {}
        self.thread: threading.Thread | None = None
        self.broken: str | bool = False
        self.failed_starts = 0
        self.lock = threading.RLock()
        self.one_by_one = False  # forks too: the first result comes sooner
        self.foreign = False  # another process's, which has forked this one
        self.maps: set[ChunkedMap] = set()  # that have items left to send
        self.core = _tasks.ProcessCore(slots, self.start_missing, broken_error if breaks else death_error)
        self.main_names = MainNames(context.get_start_method())
        self.core.set_main_by_value(self.main_names.by_value)
        if breaks:
            self.core.set_breaking(BrokenProcessPool(NOT_USABLE))

    def start_missing(self) -> None:
        """A call found nobody idle. Forks come all at once, before the pool has a thread, the others one by one."""
        with self.lock:
            if self.broken:
                return
            wanted = self.slots if self.forks and self.thread is None and not self.one_by_one else 1
            for _ in range(wanted):
                if not self.start_one():
                    break
            if self.thread is None:
                self.thread = threading.Thread(target=_serve, args=(self,), name="ExecutorManagerThread")
                self.thread.start()
                _teams.add(self)
                _end_with_process()

    def start_one(self) -> bool:
        slot = self.core.prepare()
        if slot < 0:
            return False
        self.main_names.worker_starts()
        try:
            memory = (self.core.descriptor, self.core.blocks_descriptor, self.core.results_descriptor(slot))
            descriptors = tuple(Descriptor(number) for number in (*memory, parent_descriptor()))
            arguments = (descriptors, slot, self.initializer, self.initargs)
            process = self.context.Process(target=main, args=arguments)  # type: ignore[attr-defined]
            with warnings.catch_warnings():
                # That this process has threads is our doing; none of them holds a lock that the child will want.
                warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)
                with without_a_file_that_is_none():
                    process.start()
        except BaseException:
            self.core.abandon(slot)
            raise
        self.processes[process.pid] = process
        self.core.joined(slot, process.pid)
        return True

    def gone(self, pid: int, exit_code: int | None, asked: bool, was_ready: bool, forced: bool) -> None:
        with self.lock:
            process = self.processes.pop(pid, None)
            if process is not None:
                process.join()
                if exit_code is None:
                    exit_code = process.exitcode
            if forced or (asked and exit_code == 0):
                self.replace()
                return
            self.failed_starts = 0 if was_ready else self.failed_starts + 1
            hopeless = not was_ready and (exit_code is None or exit_code >= 0 or self.failed_starts > _MOST_FAILED_STARTS)
            if self.breaks or hopeless:
                self.break_down(NOT_USABLE)
            else:
                self.replace()

    def replace(self) -> None:
        if not self.broken and self.core.outstanding() > 0 and self.core.live_workers() < self.slots:
            self.start_one()

    def break_down(self, text: str) -> None:
        if not self.broken:
            self.broken = text
            self.core.refuse(BrokenProcessPool(text))
        for process in list(self.processes.values()):
            process.terminate()
        self.core.fail_waiting(BrokenProcessPool(TERMINATED))
        self.core.shut_down(BrokenProcessPool(text))

    def shut_down(self, cancel_futures: bool, text: str = "cannot schedule new futures after shutdown") -> None:
        if self.foreign:
            return
        for chunks in list(self.maps):
            chunks.feed(everything=True)
        self.core.shut_down(RuntimeError(text))
        if cancel_futures:
            self.core.cancel_waiting()
        if self.thread is None:
            self.core.detach()


def _serve(team: _Team) -> None:
    _tasks.never_wait_here()
    while True:
        events = team.core.serve()
        if events is None:
            break
        for pid, exit_code, asked, was_ready, forced in events:
            try:
                team.gone(pid, exit_code, asked, was_ready, forced)
            except BaseException as error:
                # No new worker can be started; without any, nobody would ever run what waits.
                if team.core.live_workers() == 0:
                    team.break_down(f"no worker process can be started: {error}")
        for chunks in list(team.maps):
            chunks.feed()
    for process in list(team.processes.values()):
        process.join()
    team.core.detach()


_teams: weakref.WeakSet[_Team] = weakref.WeakSet()


_ends_with = 0  # the process that ends its pools


def _end_with_process() -> None:
    """A process of multiprocessing waits for its children before it ends its threads, and so for ever for workers that nobody has
    told to end."""
    global _ends_with
    if _ends_with != os.getpid():
        _ends_with = os.getpid()
        util.Finalize(None, shut_down_all, exitpriority=100)


def shut_down_all() -> None:
    """At the interpreter's end; calls that wait are still run."""
    teams = list(_teams)
    for team in teams:
        team.shut_down(False, "cannot schedule new futures after interpreter shutdown")
    for team in teams:
        if team.thread is not None:
            team.thread.join()


_pools: weakref.WeakSet[ProcessPoolExecutor] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """Workers and threads are the parent's; a pool that is used here starts its own."""
    _teams.clear()
    for pool in list(_pools):
        pool._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)

# Before the interpreter's atexit handlers, as the standard's pools.
threading._register_atexit(shut_down_all)  # type: ignore[attr-defined]


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
            cores = getattr(os, "process_cpu_count", os.cpu_count)()
            max_workers = cores or 1
        elif max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if mp_context is None:
            mp_context = multiprocessing.get_context("spawn" if max_tasks_per_child is not None else None)
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
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
        self._initargs = initargs
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
        self._team = _Team(self._max_workers, context, self._initializer, self._initargs, self._breaks)
        core = self._team.core
        core.set_retries(self._retries)
        if self._max_tasks_per_child is not None:
            core.limit_calls(self._max_tasks_per_child)
        if self._shutdown_thread:
            core.refuse(RuntimeError("cannot schedule new futures after shutdown"))
        weakref.finalize(self, self._team.shut_down, False).atexit = False
        self._core = core

    def _leave_to_parent(self) -> None:
        team = self._team
        team.foreign = True
        team.thread = None
        team.processes = {}
        for chunks in team.maps:
            chunks.lock = threading.RLock()
        team.core.orphan(BrokenProcessPool("this call is the business of the process that forked this one"))
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
        leaves the others of its chunk alone; what cannot be pickled or unpickled fails its chunk. `buffersize`: take items from
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
    ) -> ChunkedMap:
        if self._core is None:
            self._start_anew()
        chunks = ChunkedMap(self._core, self._max_workers, fn, items, tuples, size, deadline, options)
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
        """End the worker processes with SIGTERM; calls that are not done fail."""
        self._end_workers("terminate")

    def kill_workers(self) -> None:
        """End the worker processes with SIGKILL; calls that are not done fail."""
        self._end_workers("kill")

    def _end_workers(self, how: str) -> None:
        if self._core is None:
            self._start_anew()
        processes = list(self._team.processes.values())
        with self._team.lock:
            self._team.broken = self._team.broken or NOT_USABLE
            self._core.refuse(RuntimeError("cannot schedule new futures after shutdown"))
            self._core.fail_waiting(BrokenProcessPool(TERMINATED))
        for process in processes:
            getattr(process, how)()
        self.shutdown(wait=True)
