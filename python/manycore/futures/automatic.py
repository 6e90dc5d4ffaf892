"""``Executor``: chooses by measuring whether a map's calls run one after another, on threads or in processes."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from manycore.futures import shelf
from manycore.futures.automatic_map import AutomaticMap
from manycore.futures.choice import Explanation
from manycore.futures.keeper import keeper
from manycore.futures.options import worker_count
from manycore.futures.progress import Progress, with_progress
from manycore.futures.thread import ThreadPoolExecutor, default_workers
from manycore.futures.travelling import travels

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from manycore.futures.options import ThreadPoolOptions
    from manycore.futures.process import ProcessPoolExecutor
    from manycore.futures.process_map import ChunkedMap

_START_SECONDS = {"fork": 0.012}  # until the first worker answers; anything else starts an interpreter
_START_INTERPRETER = 0.12
_REFUSAL = "cannot schedule new futures after shutdown"


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


_all_shared: weakref.WeakSet[Shared] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for shared in list(_all_shared):
        shared.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork_in_child)


def server_module() -> Any:
    """Multiprocessing and more, which who uses no processes does not wait for."""
    from manycore.futures import server_context

    return server_context


def start_server() -> None:
    """The fork server and the program's own part of the first call, while the program goes on."""
    with contextlib.suppress(OSError):  # the first call tries again
        server_module().started()
    import cloudpickle  # type: ignore[import-untyped]  # noqa: F401

    from manycore.futures import process  # noqa: F401


class Shared:
    """What an executor and its maps share: the pools. Does not keep the executor alive. Thread-safe."""

    def __init__(self, workers: int, may_use_processes: bool, mp_context: BaseContext | None) -> None:
        self.workers = workers
        self.cores = cores()
        self.may_use_processes = may_use_processes
        self.mp_context = mp_context
        self.lock = threading.Lock()
        self.thread_pool: ThreadPoolExecutor | None = None
        self.process_pool: ProcessPoolExecutor | None = None
        self.left_pools: list[ProcessPoolExecutor] = []  # that finish what they have
        self.forks_program = False  # a function was here that the fork server's workers could not have
        self.processes_started = False  # by to_process
        self.warming = False
        self.idle_since = 0.0
        self.maps: weakref.WeakSet[AutomaticMap] = weakref.WeakSet()
        self.closed = False
        _all_shared.add(self)

    def leave_to_parent(self) -> None:
        """In a child of fork: worker processes, their idle time and maps are the parent's, and so may be who holds the lock."""
        self.lock = threading.Lock()
        self.process_pool = None
        self.left_pools = []
        self.processes_started = False
        self.idle_since = 0.0
        self.maps = weakref.WeakSet()

    def threads(self) -> ThreadPoolExecutor:
        pool = self.thread_pool
        if pool is None:
            with self.lock:
                if self.thread_pool is None:
                    self.thread_pool = shelf.take(self.workers)
                pool = self.thread_pool
        return pool

    def seconds_until_processes(self) -> float:
        if not self.may_use_processes or (self.process_pool is not None and not self.warming):
            return 0.0
        if self.uses_server():
            return _START_SECONDS["fork"] + float(server_module().server.seconds_until_ready())
        return _START_SECONDS.get(self.start_method(), _START_INTERPRETER)

    def uses_server(self) -> bool:
        return self.mp_context is None and not self.forks_program and server_module().usable()

    def start_method(self) -> str:
        import multiprocessing

        return str((self.mp_context or multiprocessing).get_start_method())

    def warm_up(self) -> None:
        """Where workers are new interpreters, which take long to come up, start them beside the program: they know its files, not
        its state, so it does not matter when. Where the fork server forks them, start that. Not in a worker, which may run the
        program's file just now."""
        import multiprocessing

        if multiprocessing.parent_process() is None and (self.mp_context is None or self.start_method() != "fork"):
            self.warming = True
            threading.Thread(target=self._warm_up, name="manycore-warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        try:
            if self.uses_server():
                start_server()
            elif self.start_method() != "fork":
                self._start_processes()
        finally:
            self.warming = False

    def _start_processes(self) -> None:
        try:
            with self.lock:
                if self.closed:
                    return
                calls = [self.processes().submit(int) for _ in range(min(self.workers, self.cores))]
            for call in calls:
                call.result()
        except Exception:  # the first map says why
            pass

    def start_in_processes(
        self, fn: Callable[..., Any], items: list[Any], tuples: bool, deadline: float | None, counted: bool, site: Any
    ) -> ChunkedMap:
        with self.lock:
            pool = self.processes(fn)
            chunks = pool._start_map(fn, items, tuples, 1, deadline, counted, None, site)
            if self.closed:
                pool.shutdown(wait=False)
            return chunks

    def has_started(self, fn: Callable[..., Any]) -> bool:
        """Is there a process that this function may go to?"""
        return self.process_pool is not None and self.processes_started and (self.forks_program or self.goes_to_server(fn))

    def goes_to_server(self, fn: Callable[..., Any]) -> bool:
        return not self.uses_server() or travels(fn)

    def processes(self, fn: Callable[..., Any] = int) -> ProcessPoolExecutor:
        """For the function. With the lock, until a call is in the pool: idle ones end."""
        from manycore.futures.process import ProcessPoolExecutor

        if not self.forks_program and not self.goes_to_server(fn):
            self.forks_program = True
            if self.process_pool is not None:
                self.process_pool.shutdown(wait=False)
                self.left_pools.append(self.process_pool)
                self.process_pool = None
        if self.process_pool is None:
            context = self.mp_context
            if self.uses_server():
                try:
                    context = server_module().started()
                    server_module().server.want(getattr(fn, "__module__", None))
                except OSError:  # no new interpreter to be had
                    self.forks_program = True
            self.process_pool = ProcessPoolExecutor(min(self.workers, self.cores), context)
            self.process_pool._team.one_by_one = True
            self.idle_since = 0.0
            self.processes_started = False
            keeper.add(self.end_idle_processes, shelf.IDLE_SECONDS / 4)
        return self.process_pool

    def end_idle_processes(self, _late: float) -> float | None:
        """Worker processes hold memory: they end when nothing was to do for a while, and are started again when needed."""
        with self.lock:
            pool = self.process_pool
            if pool is None or self.closed:
                return None
            now = time.monotonic()
            if pool._core.outstanding() > 0 or self.idle_since == 0.0:
                self.idle_since = now
            elif now - self.idle_since >= shelf.IDLE_SECONDS:
                self.process_pool = None
                pool.shutdown(wait=False)
                return None
        return shelf.IDLE_SECONDS / 4

    def shut_down(self, wait: bool, cancel_futures: bool) -> None:
        self.closed = True
        maps = list(self.maps)
        if cancel_futures:
            if self.thread_pool is not None:
                self.thread_pool._stop(True)
            for one in maps:
                one.cancel()
        if wait:
            for one in maps:
                one.settled.wait()
        pool, processes = self.thread_pool, self.process_pool
        if pool is not None and (wait or not pool._shutdown) and not self.give_back(pool, wait):
            pool.shutdown(wait=wait)
            # The keeper may have widened a row meanwhile, which starts threads.
            while wait and any(thread.is_alive() for thread in list(pool._threads)):
                pool.shutdown(wait=True)
        for one_pool in (*self.left_pools, *([] if processes is None else [processes])):
            one_pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def give_back(self, pool: ThreadPoolExecutor, wait: bool) -> bool:
        """To the shelf, if it has nothing to do; a thread that has just returned a result needs a moment to come home."""
        for _ in range(10 if wait else 1):
            if shelf.put_back(pool):
                self.thread_pool = None
                return True
            if pool._waiting > 0:
                break
            time.sleep(0.0002)
        return False


class Executor(concurrent.futures.ThreadPoolExecutor):
    """An executor that finds out by itself where calls run best.

    ``map`` times the first calls on a worker thread, where they count already: how long they run, whether they hold the GIL,
    use the processor or wait, what they pickle to. The rest runs ``inline`` (one thread takes call after call), on ``threads``,
    or, with ``processes="allowed"``, in ``processes``. That permission says that side effects on globals do not matter: what a
    call assigns in a worker process is not seen here. ``submit`` runs on a thread, never before it returns.

    ``explain()`` says what was chosen for the last map, why, and what the permission would gain. Threads are kept for the next
    executor for a while; worker processes end when they have had nothing to do for a while. It can be the default executor of an
    event loop.

    >>> with Executor(2) as executor:
    ...     print(list(executor.map(pow, [2, 3, 4], [5, 2, 1])), executor.submit(len, "four").result())
    ...     print(executor.explain().where)
    [32, 9, 4] 4
    inline
    """

    def __init__(
        self, max_workers: int | None = None, *, processes: str = "never", mp_context: BaseContext | None = None
    ) -> None:
        max_workers = default_workers() if max_workers is None else worker_count(max_workers)
        if processes not in ("never", "allowed"):
            raise ValueError(f"processes: expected 'never' or 'allowed', got {processes!r}")
        self._max_workers = max_workers
        self._shared = Shared(max_workers, processes == "allowed", mp_context)
        if processes == "allowed":
            self._shared.warm_up()
        self._last: AutomaticMap | None = None
        self._explanation: Explanation | None = None
        self._is_shut_down = False
        weakref.finalize(self, self._shared.shut_down, False, False).atexit = False

    @property
    def _threads(self) -> Any:  # type: ignore[override]
        return self._shared.threads()._threads

    @property
    def _shutdown(self) -> bool:  # type: ignore[override]
        return self._is_shut_down

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Have a thread call ``fn(*args, **kwargs)``; answers its `Future`."""
        if self._is_shut_down:
            raise RuntimeError(_REFUSAL)
        return self._shared.threads().submit(fn, *args, **kwargs)

    def options(
        self, *, priority: int = 0, deadline: float | None = None, name: str | None = None, retries: int | None = None
    ) -> ThreadPoolOptions:
        """As ``ThreadPoolExecutor.options``; what is submitted and mapped with options runs on threads."""
        if self._is_shut_down:
            raise RuntimeError(_REFUSAL)
        return self._shared.threads().options(priority=priority, deadline=deadline, name=name, retries=retries)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
        progress: Progress = None,
    ) -> Iterator[Any]:
        """As ``map(fn, *iterables)``, each call on a thread or in a process; results come in the order of the arguments.

        Where calls go to processes, an argument or result that cannot be pickled raises at its place, as with
        `ProcessPoolExecutor`. With ``buffersize``, which takes arguments as results are read, calls run on threads.
        ``timeout`` counts from here, in seconds; ``chunksize`` has no effect. ``progress``: True for a line on the terminal,
        "tqdm", or a function that is called with a `manycore.futures.progress.State` now and then.
        """
        if self._is_shut_down:
            raise RuntimeError(_REFUSAL)
        if buffersize is not None:
            return self._map_buffered(fn, iterables, timeout, buffersize, progress)
        tuples = len(iterables) != 1
        items = list(zip(*iterables, strict=False)) if tuples else list(iterables[0])
        one = AutomaticMap(self._shared, fn, items, tuples, timeout, bool(progress))
        count = len(items)
        del items
        self._explanation, self._last = None, one
        self._shared.maps.add(one)
        keeper.add(one)
        return with_progress(one.results(), one.counts, count, progress)

    def _map_buffered(
        self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], timeout: float | None, size: int, progress: Progress
    ) -> Iterator[Any]:
        results = self._shared.threads()._map_with(None, fn, iterables, timeout, size)
        name = getattr(fn, "__qualname__", None) or repr(fn)
        self._last, self._explanation = None, Explanation(name, None, "threads", "buffersize takes arguments as results are read")
        return with_progress(results, None, None, progress)

    def explain(self) -> Explanation:
        """What was chosen for the last map, so far, and why. ``print(executor.explain())`` shows it."""
        if self._last is not None:
            return self._last.so_far()
        if self._explanation is not None:
            return self._explanation
        return Explanation("submit", 0, "threads", "there was no map to choose for; what is submitted runs on threads")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; ``wait`` for those that are there, or cancel what has not begun."""
        self._is_shut_down = True
        self._shared.shut_down(wait, cancel_futures)
