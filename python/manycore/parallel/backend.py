"""The joblib backend: batches of calls go to our process pools or thread pools, results come back by callbacks."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from joblib import cpu_count  # type: ignore[import-untyped]
from joblib.parallel import (  # type: ignore[import-untyped]
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from manycore import _tasks
from manycore.futures import ThreadPoolExecutor, shelf
from manycore.futures.worker_main import Cores, part_of_cores
from manycore.parallel import crews
from manycore.parallel.files import FileArrays


class _Then:
    """Two callbacks as one: a future's are called by a thread that must see both."""

    def __init__(self, first: Callable[[Future[Any]], None], second: Callable[[], None]) -> None:
        self.first = first
        self.second = second

    def __call__(self, future: Future[Any]) -> None:
        try:
            self.first(future)
        finally:
            self.second()


class ManycoreBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """joblib's backend ``"manycore"``.

    Calls run in worker processes that are kept for the next `Parallel`, or on threads with ``prefer="threads"`` or
    ``require="sharedmem"``. Functions of ``__main__``, lambdas and closures are sent by value.

    Arrays of ``max_nbytes`` and more arrive as private copies that may be written to (``mmap_mode="r"`` and ``"c"``), or as files
    that all workers write to (``"r+"``, ``"w+"``); those that are backed by a `numpy.memmap` are always that file.
    ``idle_worker_timeout`` is after how many seconds without a call workers end (300); ``inner_max_num_threads`` how many threads
    OpenMP and BLAS use inside a worker (the cores divided by the workers).
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    supports_sharedmem = True  # what requires it gets threads

    # Seconds, from dispatch to result. Sending takes some ten microseconds, pickling scikit-learn's calls a millisecond or two.
    MIN_IDEAL_BATCH_DURATION = 0.06
    MAX_IDEAL_BATCH_DURATION = 0.5

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.parallel: Any = None
        self._crew: crews.Crew | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._files: FileArrays | None = None
        self._over = threading.Event()

    def __getstate__(self) -> dict[str, Any]:
        """Goes to workers for the calls that are nested in calls."""
        return {"nesting_level": self.nesting_level, "inner_max_num_threads": self.inner_max_num_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs != 1 and multiprocessing.current_process().daemon:
            warnings.warn(
                "manycore-backed parallel loops cannot be called in a daemon process of multiprocessing, setting n_jobs=1",
                stacklevel=3,
            )
            return 1
        if n_jobs < 0:
            n_jobs = max(int(cpu_count()) + 1 + n_jobs, 1)
        return min(n_jobs, _tasks.share()) if _tasks.is_nested() else n_jobs

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, prefer: str | None = None, require: str | None = None, **options: Any
    ) -> int:
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        if require == "sharedmem" or prefer == "threads" or self.nesting_level:
            self._threads = shelf.take(n_jobs)
        else:
            options = {**self.backend_kwargs, **options}
            inner = self.inner_max_num_threads
            cores = Cores(inner, exactly=True) if inner else part_of_cores(n_jobs)
            self._crew = crews.take(n_jobs, cores, options.get("idle_worker_timeout") or crews.IDLE_SECONDS)
            self._files = FileArrays(options)
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], None] | None = None) -> Future[Any]:
        if self._threads is not None:
            future = self._threads.submit(func)
        else:
            assert self._crew is not None and self._files is not None
            future = self._crew.pool.submit(self._files.prepared(func))
        if callback is not None:
            future.add_done_callback(_Then(callback, self._note))
        return future

    def _note(self) -> None:
        """In the thread of callbacks, after joblib's."""
        if self._is_over():
            self._over.set()

    def _is_over(self) -> bool:
        call = self.parallel
        return bool(call._aborting or (not call._iterating and call.n_completed_tasks >= call.n_dispatched_tasks))

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """joblib asks every 10 ms whether a call is over; before it does, it is told when it is. With a time limit or results
        that are wanted one by one it has to ask."""
        call = self.parallel
        if call is None or call.return_generator:  # perhaps another thread's to end
            yield
            return
        _tasks.rest(True)  # the cores of a call that waits for others are theirs
        try:
            if call.timeout is None:
                while not self._is_over():
                    self._over.wait(1.0)
                    self._over.clear()
            yield
        finally:
            _tasks.rest(False)

    def get_nested_backend(self) -> tuple[ParallelBackendBase, None]:
        """For calls inside of calls: ours on threads, as many as the call has cores, so that joblib's do not add up."""
        level = (self.nesting_level or 0) + 1
        if level > 1:
            return SequentialBackend(nesting_level=level), None
        return ManycoreBackend(nesting_level=level), None

    def retrieve_result_callback(self, future: Future[Any]) -> Any:
        return future.result()

    def compute_batch_size(self) -> int:
        return 1 if self._threads is not None else int(super().compute_batch_size())

    def terminate(self) -> None:
        if self._crew is not None:
            crews.put_back(self._crew)
            self._crew = None
        self._end_call()
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Ends the processes that run calls; threads finish the call that they run, and what waits is not begun."""
        if self._crew is not None:
            crews.dismiss(self._crew)
            self._crew = None
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        self._end_call()
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel, **self.parallel._backend_kwargs)

    def _end_call(self) -> None:
        if self._threads is not None and not shelf.put_back(self._threads):
            self._threads.shutdown(wait=False)
        self._threads = None
        if self._files is not None:
            self._files.close()
            self._files = None
