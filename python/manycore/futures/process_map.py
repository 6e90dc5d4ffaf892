"""map() of a process pool: items travel in chunks whose size follows the time that they take; each keeps its own outcome."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from manycore import _tasks
from manycore.futures.options import PLAIN, with_time_left

if TYPE_CHECKING:
    from manycore.futures.process import ProcessPoolExecutor

# Long enough that the cost of a message does not matter, short enough that the last chunks end together.
_CHUNK_NANOSECONDS = 2_000_000
_CHUNKS_AHEAD = 3  # for each worker
_MOST_AHEAD = 512
_GROWTH = 8  # of a chunk against the one before: a few quick items do not promise quick ones


class ChunkedMap:
    """One map(): its items, sent chunk by chunk as chunks are done. Any thread."""

    def __init__(
        self,
        core: _tasks.ProcessCore,
        workers: int,
        fn: Callable[..., Any],
        items: list[Any] | range,
        tuples: bool,
        size: int,
        deadline: float | None,
        options: tuple[Any, ...] | None = None,
        site: tuple[Any, int] | None = None,
    ) -> None:
        self.core = core
        self.options = options
        self.site = site or _tasks.call_site()
        self.began = time.monotonic()
        self.workers = workers
        self.fn = fn
        self.items = items
        self.tuples = tuples
        self.size = size
        self.fixed = size > 1
        self.deadline = deadline
        self.sent = 0
        self.alone_before = 0  # items that go one by one, since some of them cannot be pickled
        self.flying: list[Future[Any]] = []  # chunks that were not done when last seen
        self.uncounted: list[tuple[int, Future[Any]]] | None = None  # items of chunks that were not done when last counted
        self.over = 0  # items, and those of them that failed
        self.failed = 0
        self.item_nanoseconds = -1.0
        self.lock = threading.RLock()
        self.chunks: deque[Future[Any]] = deque()
        self.forget: Callable[[], object] = lambda: None

    def feed(self, everything: bool = False) -> None:
        """Send chunks until enough are on their way; `everything`: all that is left.

        Where there is no memory for the next one, what is on its way comes first: done, it brings memory and this call again.
        Only where nothing of this map is, memory is waited for, or not, as in `submit`; without the lock, which others want.
        """
        urgent = False
        while not self.feed_while_room(everything, urgent):
            try:
                urgent = not self.core.wait_for_room()
            except RuntimeError:
                # No more calls are taken; whoever saw to that may have sent or ended the rest.
                if not self.items:
                    return
                raise

    def feed_while_room(self, everything: bool, urgent: bool) -> bool:
        with self.lock:
            # Many short chunks are not looked through for each that is done.
            if len(self.flying) <= _CHUNKS_AHEAD * self.workers or len(self.flying) >= self.ahead():
                self.learn()
            most = self.ahead()
            while self.sent < len(self.items) and (everything or len(self.flying) < most):
                if not self.fixed:
                    self.size = self.next_size(everything)
                chunk = self.items[self.sent : self.sent + (self.size if self.sent >= self.alone_before else 1)]
                try:
                    future = self.send(chunk, urgent)
                except BaseException as error:
                    if isinstance(error, KeyboardInterrupt):
                        raise
                    self.core.check_accepts()
                    if len(chunk) > 1:
                        self.alone_before = self.sent + len(chunk)
                        continue
                    future = self.failed_item(error, chunk[0])
                while future is None and len(chunk) > 1 and not self.fixed:
                    self.size = (len(chunk) + 1) // 2
                    chunk = chunk[: self.size]
                    future = self.send(chunk, False)
                if future is None:
                    self.learn()
                    return bool(self.flying) and not everything
                urgent = False
                self.sent += len(chunk)
                self.chunks.append(future)
                self.flying.append(future)  # one that failed too: those behind it are tried as results are read
                if self.uncounted is not None:
                    self.uncounted.append((len(chunk), future))
            if self.sent >= len(self.items):
                self.items = []
                self.sent = 0
                self.forget()
            return True

    def ahead(self) -> int:
        """How many chunks may be on their way: more where they are short and their size is given."""
        least = _CHUNKS_AHEAD * self.workers
        if not self.fixed or self.item_nanoseconds < 0:
            return least
        quick = _CHUNK_NANOSECONDS * self.workers / max(self.item_nanoseconds * self.size, 1000.0)
        return max(least, min(int(quick), _MOST_AHEAD))

    def send(self, chunk: list[Any] | range, urgent: bool) -> Future[Any] | None:
        """The chunk's future; None where it is not `urgent` and there is no memory for it."""
        options = None if self.options is None else with_time_left(self.options, self.began)
        return self.core.submit_items(self.fn, chunk, self.tuples, not urgent, options, self.site)

    def failed_item(self, error: BaseException, item: Any) -> Future[Any]:
        from manycore.futures.raised import blamed

        failed: Future[Any] = _tasks.Future()
        arguments = item if self.tuples else (item,)
        failed.set_exception(blamed(error, self.core.check_pickle, self.fn, arguments, None, f" for item {self.sent}"))
        return failed

    def next_size(self, everything: bool) -> int:
        left = len(self.items) - self.sent
        if everything or self.item_nanoseconds < 0:
            return max(1, left // (4 * self.workers)) if everything else 1
        return max(1, min(self.quick_size(), left // (2 * self.workers)))

    def quick_size(self) -> int:
        """Of a chunk that takes a moment."""
        return max(1, min(int(_CHUNK_NANOSECONDS / max(self.item_nanoseconds, 1.0)), self.size * _GROWTH))

    def learn(self) -> None:
        """What is done tells how long an item takes."""
        flying = [future for future in self.flying if not future.done()]
        for future in self.flying if len(flying) < len(self.flying) else ():
            if future.done() and not future.cancelled() and future.exception() is None:
                each = future.result()[2]
                slower = each > self.item_nanoseconds
                self.item_nanoseconds = each if slower else 0.5 * (each + self.item_nanoseconds)
        self.flying = flying

    def counts(self) -> tuple[int, int]:
        """How many items are over, and how many of them failed; where the map was told to count."""
        with self.lock:
            still = []
            for items, future in self.uncounted or ():
                if not future.done():
                    still.append((items, future))
                    continue
                if future.cancelled():  # nobody wanted it
                    continue
                self.over += items
                if future.exception() is not None:
                    self.failed += items
                else:
                    self.failed += len(future.result()[1] or ())
            if self.uncounted is not None:
                self.uncounted = still
            return self.over, self.failed

    def stop(self) -> None:
        """Nobody wants the rest."""
        with self.lock:
            self.items = []
            self.sent = 0
            self.forget()
            chunks, self.chunks, self.flying = self.chunks, deque(), []
        for future in chunks:
            future.cancel()

    def cancel_rest(self) -> None:
        """What has not been sent never will be; who reads so far gets CancelledError."""
        never: Future[Any] = _tasks.Future()
        never.cancel()
        self.end_at(never)

    def end_with(self, error: BaseException) -> None:
        """What has not been sent never will be; who reads so far gets the error."""
        failed: Future[Any] = _tasks.Future()
        failed.set_exception(error)
        self.end_at(failed)

    def end_at(self, last: Future[Any]) -> None:
        with self.lock:
            if self.items:
                self.chunks.append(last)
            self.items = []
            self.sent = 0
            self.forget()

    def take(self) -> tuple[Any, dict[int, BaseException] | None, float] | None:
        """The next chunk's outcome, in order; None after the last."""
        if not self.chunks:
            self.feed()  # what there was no memory for when the last one was done
        with self.lock:
            if not self.chunks:
                return None
            future = self.chunks.popleft()
        try:
            outcome: tuple[Any, dict[int, BaseException] | None, float] = future.result(
                None if self.deadline is None else self.deadline - time.monotonic()
            )
        finally:
            future.cancel()
            del future
        self.feed()
        return outcome


def buffered(
    pool: ProcessPoolExecutor,
    fn: Callable[..., Any],
    rows: Iterator[tuple[Any, ...]],
    deadline: float | None,
    size: int,
    options: tuple[Any, ...] | None = None,
) -> Iterator[Any]:
    """The results in order, while only `size` calls are ahead of the one that is read."""

    with_site = (*(options or PLAIN), _tasks.call_site())

    def submit(executor: ProcessPoolExecutor, row: tuple[Any, ...]) -> Future[Any]:
        return executor._submit_with(with_site, fn, *row)

    futures = [submit(pool, row) for row in itertools.islice(rows, size)]
    futures.reverse()
    return _buffered_results(weakref.ref(pool), submit, rows, deadline, futures)


def _buffered_results(
    owner: Callable[[], Any],
    submit: Callable[[Any, tuple[Any, ...]], Future[Any]],
    rows: Iterator[tuple[Any, ...]],
    deadline: float | None,
    futures: list[Future[Any]],
) -> Iterator[Any]:
    try:
        while futures:
            executor = owner()
            row = next(rows, None) if executor is not None else None
            if executor is not None and row is not None:
                futures.insert(0, submit(executor, row))
            del executor, row
            yield _taken(futures.pop(), deadline)
    finally:
        for future in futures:
            future.cancel()


def _taken(future: Any, deadline: float | None) -> Any:
    try:
        return future.result(None if deadline is None else deadline - time.monotonic())
    finally:
        future.cancel()
        del future
