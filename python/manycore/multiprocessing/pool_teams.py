"""Who runs a pool's calls: worker processes, or threads of the program. Both are asked for the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.context import BaseContext
from multiprocessing.dummy import DummyProcess
from typing import Any

from manycore import _tasks
from manycore.futures.team import Team
from manycore.multiprocessing.pool_maps import TERMINATED
from manycore.multiprocessing.pool_worker import main


class _Feeders:
    """The threads that take items from iterators. A pool that is closed goes on until they have come to the end."""

    def __init__(self) -> None:
        self.feeders: set[threading.Thread] = set()
        self.lock: Any = threading.RLock()
        self.closed = False

    def feeder_ended(self, thread: threading.Thread) -> None:
        with self.lock:
            self.feeders.discard(thread)
            if self.closed and not self.feeders:
                self.take_no_more()

    def close(self) -> None:
        with self.lock:
            self.closed = True
            if not self.feeders:
                self.take_no_more()

    def take_no_more(self) -> None:
        raise NotImplementedError

    def join_feeders(self) -> None:
        for thread in list(self.feeders):
            if thread is not threading.current_thread():
                thread.join()


class ProcessTeam(Team, _Feeders):
    """The worker processes of one `Pool`: there from the start, daemons, as many as were asked for until the pool is closed."""

    ends_before_program = False  # but with multiprocessing's own finalizers

    def __init__(
        self,
        workers: int,
        context: BaseContext,
        process: Callable[..., Any],
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        calls_each: int | None,
    ) -> None:
        _Feeders.__init__(self)
        Team.__init__(self, workers, context, initializer, initargs, False)
        self.process = process
        if calls_each is not None:
            self.core.limit_calls(calls_each)

    def start(self) -> None:
        """All of them, then the thread that serves them."""
        try:
            self.start_missing()
        except BaseException:
            for process in self.processes.values():
                if process.exitcode is None:
                    process.terminate()
            for process in self.processes.values():
                process.join()
            raise
        self.start_thread(daemon=True)

    def start_missing(self) -> None:
        with self.lock:
            while not self.broken and self.start_one():
                pass

    def new_process(self, arguments: tuple[Any, ...]) -> Any:
        process = self.process(self.context, target=main, args=arguments)
        process.name = process.name.replace("Process", "PoolWorker")
        process.daemon = True
        return process

    def replace(self) -> None:
        if not self.closed:
            self.start_missing()
        else:
            super().replace()

    def members(self) -> list[Any]:
        return list(self.processes.values())

    def take_no_more(self) -> None:
        self.shut_down(False, "Pool not running")

    def terminate(self) -> None:
        if self.foreign:
            return
        with self.lock:
            self.closed = True
            self.break_down(TERMINATED)
        self.join()

    def join(self) -> None:
        self.join_feeders()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()


class _Calls(_tasks.ThreadPool):
    """Threads that take what a `ProcessCore` is asked for."""

    def submit_items(
        self,
        fn: Callable[..., Any],
        items: list[Any] | range,
        tuples: bool,
        _only_with_room: bool = False,
        _options: object = None,
        _site: object = None,
    ) -> Future[Any]:
        return self.submit(_run_items, fn, items, tuples)

    def wait_for_room(self) -> bool:
        return True

    def check_accepts(self) -> None:
        """What it refuses, submit_items raises."""

    def check_pickle(self, _value: object) -> None:
        """Nothing is pickled."""


def _run_items(
    fn: Callable[..., Any], items: list[Any] | range, tuples: bool
) -> tuple[list[Any], dict[int, BaseException] | None, float]:
    from time import perf_counter_ns

    begin = perf_counter_ns()
    values: list[Any] = []
    failures: dict[int, BaseException] = {}
    for item in items:
        try:
            values.append(fn(*item) if tuples else fn(item))  # type: ignore[misc]
        except Exception as error:
            failures[len(values)] = error
            values.append(None)
    return values, failures or None, (perf_counter_ns() - begin) / max(len(values), 1)


class ThreadTeam(_Feeders):
    """The threads of one `ThreadPool`: daemons, started as calls come."""

    def __init__(self, workers: int, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
        super().__init__()
        threads: list[DummyProcess] = [DummyProcess() for _ in range(workers)]
        self.threads = threads
        self.maps: set[Any] = set()
        self.slots = workers
        waiting = iter(threads)

        def start(target: Callable[[], None]) -> None:
            thread = next(waiting)
            thread._target = target  # type: ignore[attr-defined]
            thread.daemon = True
            threading.Thread.start(thread)

        self.core = _Calls(workers, start, RuntimeError, initializer, initargs, initializer is None)

    def members(self) -> list[Any]:
        return list(self.threads)

    def start(self) -> None:
        pass

    def take_no_more(self) -> None:
        for chunks in list(self.maps):
            chunks.feed(everything=True)
        self.core._stop(False)

    def terminate(self) -> None:
        for chunks in list(self.maps):
            chunks.stop()
        self.core._stop(True)

    def join(self) -> None:
        self.join_feeders()
        for thread in self.threads:
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join()
