"""The items of one map of a `Pool`, sent in chunks to who runs them: of a list, or as an iterator gives them.

Chunks stay in order until they are taken, and whoever looks at one that is not done leaves it where it is.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from manycore import _tasks
from manycore.futures.process_map import ChunkedMap

TERMINATED = "the pool was terminated before this call was done"


def wait_for(future: Future[Any], end: float | None) -> bool:
    """Is it done, at the latest at ``end`` of the monotonic clock?"""
    try:
        future.exception(None if end is None else max(end - time.monotonic(), 0.0))
    except CancelledError:
        return True
    except TimeoutError:
        return future.done()
    return True


class SizedMap(ChunkedMap):
    """A map over a list or a range. ``size`` 0: chunks whose size follows the time that items take.

    ``told`` is called with each chunk that is done, on the pool's thread.
    """

    def __init__(
        self,
        team: Any,
        fn: Callable[..., Any],
        items: list[Any] | range,
        tuples: bool,
        size: int,
        told: Callable[[Future[Any]], object] | None = None,
        counted: bool = False,
    ) -> None:
        super().__init__(team.core, team.slots, fn, items, tuples, max(size, 1), None)
        self.fixed = size > 0
        self.told = told
        self.untold: list[Future[Any]] = []  # were sent, and have no callback yet
        self.lengths: dict[Future[Any], int] = {}  # of chunks that were not taken
        self.given = 0  # chunks that were sent, and those of them that are done where somebody is told
        self.done = 0
        self.stopped = False
        if counted:
            self.uncounted = []
        team.maps.add(self)
        self.forget = lambda: team.maps.discard(self)

    def send(self, chunk: list[Any] | range, urgent: bool) -> Future[Any] | None:
        future = super().send(chunk, urgent)
        if future is not None:
            self.note(future, len(chunk))
        return future

    def failed_item(self, error: BaseException, item: Any) -> Future[Any]:
        failed = super().failed_item(error, item)
        self.note(failed, 1)
        return failed

    def note(self, future: Future[Any], length: int) -> None:
        self.given += 1
        self.lengths[future] = length
        self.untold.append(future)

    def outcome(self, future: Future[Any]) -> tuple[list[Any], dict[int, BaseException] | None]:
        """The values of a chunk that is done and the errors of items by index. To be asked once."""
        length = self.lengths.pop(future)
        try:
            values, failures, _ = future.result()
        except (Exception, CancelledError) as error:
            return [None] * length, dict.fromkeys(range(length), error)
        return _tasks.chunk_values(values), failures

    def feed(self, everything: bool = False) -> None:
        super().feed(everything)
        self.tell()

    def tell(self) -> None:
        """Only when a chunk counts as sent: it may be done already."""
        while self.untold:
            future = self.untold.pop()
            if self.told is not None:
                future.add_done_callback(self.chunk_over)

    def chunk_over(self, future: Future[Any]) -> None:
        with self.lock:
            self.done += 1
        if self.told is not None:
            self.told(future)

    def all_given(self) -> bool:
        with self.lock:
            return not self.items

    def all_done(self) -> bool:
        with self.lock:
            return self.all_given() and self.done == self.given

    def end_at(self, last: Future[Any]) -> None:
        """What is not sent never will be; what is sent ends with the workers."""
        with self.lock:
            if not self.all_given():
                self.chunks.append(last)
                self.note(last, 1)
            self.items = []
            self.sent = 0
            self.stopped = True
            self.forget()
        self.tell()

    def stop(self) -> None:
        self.end_with(BrokenProcessPool(TERMINATED))

    def add_failed(self, error: BaseException) -> None:
        failed: Future[Any] = _tasks.Future()
        failed.set_exception(error)
        self.chunks.append(failed)
        self.note(failed, 1)

    def next_chunk(self, end: float | None) -> Future[Any] | None:
        """The next chunk's future, which stays the next one; None after the last, or where there is none in time."""
        if not self.chunks:
            self.feed()
        with self.lock:
            return self.chunks[0] if self.chunks else None

    def taken(self) -> None:
        """The next chunk is done, and nobody needs it any more."""
        with self.lock:
            if self.chunks:
                self.chunks.popleft()
        if self.items:
            self.feed()

    def chunks_left(self) -> int:
        with self.lock:
            unsent = -(-(len(self.items) - self.sent) // self.size)
            return unsent + sum(not future.done() for future in self.chunks)


class FedMap(SizedMap):
    """A map over an iterator, which a thread of its own asks for items, a few chunks ahead of the workers.

    An error of the iterator is the last item's; items before it that would have shared a chunk of a given size go with it, as in
    the standard. ``ended`` is called when there are no more items.
    """

    def __init__(
        self,
        team: Any,
        fn: Callable[..., Any],
        iterable: Iterable[Any],
        size: int,
        told: Callable[[Future[Any]], object] | None = None,
        ended: Callable[[], object] = lambda: None,
        counted: bool = False,
    ) -> None:
        self.waiting: list[Any] = []  # items that are not sent
        self.ended = ended
        self.is_over = False  # the iterator has ended
        super().__init__(team, fn, [], False, size, told or (lambda _: None), counted)
        self.changed = threading.Condition(self.lock)
        self.thread = threading.Thread(target=self.run, args=(iterable, team), name="PoolFeederThread", daemon=True)
        team.feeders.add(self.thread)
        self.thread.start()

    def run(self, iterable: Iterable[Any], team: Any) -> None:
        try:
            if self.fixed:
                iterator = iter(iterable)
                while not self.stopped and (chunk := list(itertools.islice(iterator, self.size))):
                    self.wait_for_turn()
                    self.waiting = chunk
                    del chunk
                    self.flush()
            else:
                for item in iterable:
                    if self.stopped:
                        break
                    self.add(item)
                    del item
                self.flush()
        except BaseException as error:
            with self.lock:
                if not self.fixed:
                    self.flush()
                self.add_failed(error)
            self.tell()
        with self.lock:
            self.is_over = True
            self.forget()
            self.changed.notify_all()
        self.ended()
        team.feeder_ended(self.thread)

    def add(self, item: Any) -> None:
        with self.lock:
            self.waiting.append(item)
            full = len(self.waiting) >= self.size
            if not full and len(self.flying) >= self.ahead():
                return  # whoever hears of a chunk that is done sends it
        if full:
            self.wait_for_turn()
        self.flush()

    def wait_for_turn(self) -> None:
        while not self.stopped:
            with self.lock:
                if len(self.flying) >= self.ahead():
                    self.learn()
                if len(self.flying) < self.ahead():
                    return
                oldest = self.flying[0]
            wait_for(oldest, None)

    def flush(self) -> None:
        """Send what waits, unless the map was stopped."""
        with self.lock:
            chunk, self.waiting = self.waiting, []
            if not chunk or self.stopped:
                return
            future = self.send(chunk, True)
            assert future is not None
            self.chunks.append(future)
            self.flying.append(future)
            if self.uncounted is not None:
                self.uncounted.append((len(chunk), future))
            if not self.fixed and self.item_nanoseconds >= 0:
                self.size = self.quick_size()
            self.changed.notify_all()
        self.tell()

    def chunk_over(self, future: Future[Any]) -> None:
        """Items that wait for company wait no longer than for this."""
        with self.lock:
            self.learn()
            if not self.fixed:
                self.flush()
        super().chunk_over(future)

    def feed(self, everything: bool = False) -> None:
        self.tell()

    def all_given(self) -> bool:
        with self.lock:
            return self.is_over or self.stopped

    def end_at(self, last: Future[Any]) -> None:
        super().end_at(last)
        with self.lock:
            self.waiting = []
            self.changed.notify_all()

    def next_chunk(self, end: float | None) -> Future[Any] | None:
        with self.changed:
            while not self.chunks and not self.all_given():
                if not self.changed.wait(None if end is None else end - time.monotonic()):
                    break
            return self.chunks[0] if self.chunks else None
