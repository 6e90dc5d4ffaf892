"""What the asynchronous methods of `Pool` answer: the standard's classes, over our futures."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from multiprocessing import TimeoutError as NotReady
from multiprocessing import pool as standard
from typing import Any

from manycore.futures.progress import _Shown
from manycore.multiprocessing.pool_maps import SizedMap, wait_for

Callback = Callable[[Any], object] | None


def _end(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _tell(callback: Callback, value: Any) -> None:
    """On the pool's thread, which must outlive what the callback raises."""
    if callback is None:
        return
    try:
        callback(value)
    except BaseException as error:
        threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread())))


class ApplyResult(standard.ApplyResult[Any]):
    """One call's result. Callbacks run before it counts as ready."""

    def __init__(self, pool: Any, future: Future[Any], callback: Callback, error_callback: Callback) -> None:
        self._pool = pool  # which goes on as long as somebody waits
        self._future = future
        self._callback = callback
        self._error_callback = error_callback
        self._event: Any = None
        if callback is not None or error_callback is not None:
            self._event = threading.Event()
            future.add_done_callback(self._over)

    def _over(self, future: Future[Any]) -> None:
        if not future.cancelled() and self._pool is not None and self._pool._state != standard.TERMINATE:
            error = future.exception()
            _tell(self._callback, future.result()) if error is None else _tell(self._error_callback, error)
        self._event.set()
        self._pool = None

    def ready(self) -> bool:
        return bool(self._future.done() if self._event is None else self._event.is_set())

    def successful(self) -> bool:
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return not self._future.cancelled() and self._future.exception() is None

    def wait(self, timeout: float | None = None) -> None:
        if self._event is not None:
            self._event.wait(timeout)
        else:
            wait_for(self._future, _end(timeout))

    def get(self, timeout: float | None = None) -> Any:
        self.wait(timeout)
        if not self.ready():
            raise NotReady
        self._pool = None
        return self._future.result()


AsyncResult = ApplyResult


class MapResult(ApplyResult, standard.MapResult[Any]):
    """The results of a map, once all are there; where calls raised, the error of the first of them."""

    def __init__(
        self,
        pool: Any,
        start: Callable[[Callable[[Future[Any]], object] | None], SizedMap],
        length: int,
        callback: Callback,
        error_callback: Callback,
    ) -> None:
        self._pool = pool
        self._callback = callback
        self._error_callback = error_callback
        self._drain_lock = threading.Lock()
        self._done = self._success = length == 0
        self._error: BaseException | None = None
        self._value: Any = []
        self._length = length
        self._shown: _Shown | None = None
        watched = callback is not None or error_callback is not None
        self._event = threading.Event() if watched else None
        if watched and length == 0:
            self._event.set()
        self._map = start(self._chunk_over if watched else None)
        self._map.feed()

    @property
    def _number_left(self) -> int:
        return 0 if self._done else self._map.chunks_left()

    @property
    def _chunksize(self) -> int:
        return self._map.size

    def _chunk_over(self, _future: Future[Any]) -> None:
        if self._map.all_done() and self._drain(0.0) and not self._event.is_set():
            pool = self._pool
            if pool is not None and pool._state != standard.TERMINATE:
                _tell(self._callback, self._value) if self._error is None else _tell(self._error_callback, self._error)
            self._event.set()
            self._pool = None

    def _drain(self, end: float | None) -> bool:
        """Take what is done, in order, until all is or the time is up."""
        if self._done:
            return True
        if not self._drain_lock.acquire(timeout=-1 if end is None else max(end - time.monotonic(), 0.0)):
            return self._done
        try:
            while not self._done:
                future = self._map.next_chunk(end)
                if future is None and not self._map.all_given():
                    return False
                if future is None:
                    self._done = True
                    self._success = self._error is None
                    if self._shown is not None:
                        self._shown.finish(self._success)
                    break
                if not future.done() and not wait_for(future, end):
                    return False
                values, failures = self._map.outcome(future)
                del future
                self._map.taken()
                if failures is not None and self._error is None:
                    self._error = failures[min(failures)]
                    self._value = []
                if self._error is None:
                    self._value += values
        finally:
            self._drain_lock.release()
        return True

    def ready(self) -> bool:
        if self._event is not None:
            return bool(self._event.is_set())
        return self._drain(0.0)

    def successful(self) -> bool:
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    def wait(self, timeout: float | None = None) -> None:
        if self._event is not None:
            self._event.wait(timeout)
        else:
            self._drain(_end(timeout))

    def get(self, timeout: float | None = None) -> Any:
        self.wait(timeout)
        if not self.ready():
            raise NotReady
        self._pool = None
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            del self


class IMapIterator(standard.IMapIterator):  # type: ignore[type-arg]  # not to be subscripted
    """Results in the order of the items; one that raised raises here, and the next call goes on behind it."""

    def __init__(self, pool: Any, source: SizedMap) -> None:
        self._pool = pool
        self._map = source
        self._ready: list[Any] = []  # the next one last
        self._failures: dict[int, BaseException] = {}  # by how many are behind
        self._take_lock = threading.Lock()
        self._shown: _Shown | None = None

    def __iter__(self) -> IMapIterator:
        return self

    def next(self, timeout: float | None = None) -> Any:
        if not self._ready or self._failures:
            return self._next_with_care(timeout)
        try:
            return self._ready.pop()
        except IndexError:  # another thread was quicker
            return self._next_with_care(timeout)

    __next__ = next

    def _next_with_care(self, timeout: float | None) -> Any:
        end = _end(timeout)
        if not self._take_lock.acquire(timeout=-1 if end is None else max(timeout or 0.0, 0.0)):
            raise NotReady
        try:
            while not self._ready:
                values, failures = self._next_outcome(end)
                self._ready = values
                self._ready.reverse()
                self._failures = {len(values) - 1 - index: error for index, error in (failures or {}).items()}
            value = self._ready.pop()
            error = self._failures.pop(len(self._ready), None)
        finally:
            self._take_lock.release()
        if error is None:
            return value
        try:
            raise error
        finally:
            del error

    def _next_outcome(self, end: float | None) -> tuple[list[Any], dict[int, BaseException] | None]:
        future = self._map.next_chunk(end)
        if future is None:
            raise self._no_more() if self._map.all_given() else NotReady
        if not future.done() and not wait_for(future, end):
            raise NotReady
        outcome = self._map.outcome(future)
        self._map.taken()
        return outcome

    def _no_more(self) -> BaseException:
        self._pool = None
        if self._shown is not None:
            self._shown.finish(True)
        return StopIteration()

    def _by_chunks(self) -> Iterator[Any]:
        """The same without a call of Python code for each item; an error ends it."""
        try:
            while True:
                try:
                    values, failures = self._next_outcome(None)
                except StopIteration:
                    return
                if failures is None:
                    yield from values
                    del values
                    continue
                first = min(failures)
                yield from values[:first]
                raise failures[first]
        finally:
            self._pool = None


class IMapUnorderedIterator(IMapIterator):
    """Results as they come."""

    def __init__(self, pool: Any, start: Callable[[Callable[[Future[Any]], object], Callable[[], None]], SizedMap]) -> None:
        self._done: queue.SimpleQueue[Future[Any] | None] = queue.SimpleQueue()
        self._seen = 0  # chunks
        super().__init__(pool, start(self._done.put, lambda: self._done.put(None)))

    def _next_outcome(self, end: float | None) -> tuple[list[Any], dict[int, BaseException] | None]:
        while not self._map.all_given() or self._seen < self._map.given:
            try:
                future = self._done.get(timeout=None if end is None else max(end - time.monotonic(), 0.0))
            except queue.Empty:
                raise NotReady from None
            if future is None:
                continue
            self._seen += 1
            self._map.taken()
            return self._map.outcome(future)
        raise self._no_more()
