"""One map of `Executor`: it begins as a row on one thread, is watched by the keeper, and goes on where that is best."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from manycore import _tasks
from manycore.futures.choice import SOME_MAY_WAIT, Explanation, Measured, calls, choose, permission_gain
from manycore.futures.keeper import SHORTEST
from manycore.futures.thread_clock import ThreadClock

if TYPE_CHECKING:
    from manycore.futures.automatic import Shared
    from manycore.futures.process_map import ChunkedMap

_WATCH = (0.005, 0.05)  # pauses between looks at a row that stays one


class AutomaticMap:
    """Shared by the results' iterator, the keeper and the task that moves the rest to processes.

    `settled` is set once nothing will move any more but by calls that turn out to wait.
    """

    def __init__(
        self, shared: Shared, fn: Callable[..., Any], items: list[Any], tuples: bool, timeout: float | None, counted: bool
    ) -> None:
        self.shared = shared
        self.fn = fn
        self.name = getattr(fn, "__qualname__", None) or repr(fn)
        self.tuples = tuples
        self.counted = counted
        self.site = _tasks.call_site() if shared.may_use_processes else None
        self.count = len(items)
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.lock = threading.Lock()
        self.settled = threading.Event()
        self.rest: Iterator[Any] | None = None
        self.chunks: ChunkedMap | None = None
        self.sample = items[-1:] if shared.may_use_processes else []
        self.explanation = self.explain("inline", "no call has been timed yet")
        self.pause = _WATCH[0]
        self.head = shared.threads()._map_row(fn, items, tuples, timeout)
        self.begin_measuring()

    def explain(self, where: str, reason: str, seen: Measured | None = None, permission: str = "") -> Explanation:
        return Explanation(self.name, self.count, where, reason, seen, permission)

    def begin_measuring(self) -> None:
        self.clock: ThreadClock | None = None
        self.watching = False

    # The keeper's rounds.

    def __call__(self, late: float) -> float | None:
        try:
            over, _, begun, items, abandoned, thread = self.head._counts()
            if abandoned or begun >= items:
                self.explanation = self.so_far()
                self.settle()
                return None
            return self.watch(over) if self.watching else self.measure(late, over, begun, items - begun, thread)
        except BaseException:  # such as of a function's __repr__: the row goes on as it is
            self.settle()
            raise

    def so_far(self) -> Explanation:
        """As the explanation, with what has happened since where none of the calls was timed."""
        explanation = self.explanation
        if explanation.measured is not None or self.rest is not None:
            return explanation
        over, _, begun, items, abandoned, _ = self.head._counts()
        if items == 0 and self.count == 0:
            reason = "there was nothing to call"
        elif abandoned and over < self.count:
            reason = f"nobody asked for more results after {calls(over)}, before any was timed"
        elif over >= self.count:
            reason = "they were over before any was timed"
        elif begun >= self.count:
            reason = "all had begun before any was timed"
        else:
            return explanation
        return self.explain("inline", reason)

    def settle(self) -> None:
        self.sample = []
        self.settled.set()

    def measure(self, late: float, over: int, begun: int, left: int, thread: int) -> float | None:
        if self.clock is None:
            if thread != 0:  # its thread has come
                self.clock, self.calls_before = ThreadClock(thread), over
            return SHORTEST
        clock = self.clock
        clock.look(late)
        if not clock.knows():
            return SHORTEST
        seen = Measured(
            calls=over - self.calls_before,
            seconds=clock.seconds,
            processor_seconds=clock.held + clock.released,
            gil_held=clock.held / clock.seconds,
            left=left,
            workers=self.shared.workers,
            cores=self.shared.cores,
            start_seconds=self.shared.seconds_until_processes(),
        )
        return self.settle_on(seen)

    def settle_on(self, seen: Measured) -> float | None:
        where, reason = choose(seen, self.shared.may_use_processes)
        if where == "processes":
            # Pickling is the user's code, and starting processes takes milliseconds: not here.
            try:
                self.shared.threads().submit(self.move, seen)
            except RuntimeError:  # shut down without waiting
                self.settle()
            return None
        if where == "threads":
            self.head._widen()
        self.stay(where, reason, seen)
        if where == "threads":
            return None
        self.watching, self.seen_over, self.seen_at = True, -1, time.perf_counter()
        return self.pause

    def stay(self, where: str, reason: str, seen: Measured) -> None:
        permission = "" if self.shared.may_use_processes else permission_gain(seen)
        self.explanation = self.explain(where, reason, seen, permission)
        self.settle()

    def watch(self, over: int) -> float | None:
        """A row goes on; calls may become longer, or one may wait for another that stands behind it."""
        now = time.perf_counter()
        calls, seconds = over - self.seen_over, now - self.seen_at
        first = self.seen_over < 0
        self.seen_over, self.seen_at = over, now
        if not first and self.shared.workers > 1 and seconds > SOME_MAY_WAIT * max(calls, 1):
            self.begin_measuring()
            return SHORTEST
        self.pause = min(_WATCH[1], 2 * self.pause)
        return self.pause

    # The task that moves the rest.

    def move(self, seen: Measured) -> None:
        _tasks.leave_out_of_report()  # nothing that the program submitted
        try:
            weighed = self.weigh(seen)
        except BaseException as error:  # such as a SystemExit of the user's __reduce__
            self.head._widen()
            self.stay("threads", f"calls hold the GIL, but cannot be pickled: {error}", seen)
            return
        where, reason = choose(weighed, True)
        if where == "processes":
            self.send_rest(weighed, reason)
            return
        where, reason = choose(weighed, False)
        self.head._widen()
        self.stay(where, reason, weighed)

    def weigh(self, seen: Measured) -> Measured:
        sample = self.sample[0] if self.sample else None
        buffers: list[pickle.PickleBuffer] = []
        began = time.perf_counter()
        size = len(pickle.dumps(sample, 5, buffer_callback=buffers.append))
        # In a chunk an item does not pay for a pickler of its own.
        seconds = max(0.1e-6, time.perf_counter() - began - 1e-6)
        pickle.dumps(self.fn, 5)
        size += sum(buffer.raw().nbytes for buffer in buffers)
        from dataclasses import replace

        return replace(seen, pickled_bytes=size, pickle_seconds=seconds, left=self.count - self.head._counts()[2])

    def send_rest(self, seen: Measured, reason: str) -> None:
        # Who reads the results comes to the end of the head only now, and waits for the lock.
        with self.lock:
            rest = self.head._take_rest()
            try:
                self.chunks = self.shared.start_in_processes(self.fn, rest, self.tuples, self.deadline, self.counted, self.site)
                self.rest = _tasks.ChunkResults(self.chunks.take, self.chunks.stop)
            except BaseException as error:
                self.rest = self.row_of(rest)
                self.stay("threads", f"calls hold the GIL, but no worker process can be had: {error}", seen)
                return
        self.explanation = self.explain("processes", reason, seen)
        self.settle()

    def row_of(self, rest: list[Any]) -> Iterator[Any]:
        left = None if self.deadline is None else self.deadline - time.monotonic()
        try:
            row = self.shared.threads()._map_row(self.fn, rest, self.tuples, left)
            row._widen()
            return row
        except BaseException as error:  # shut down meanwhile: who reads the results learns that they end too early
            return _raising(error)

    # The results.

    def results(self) -> Iterator[Any]:
        """In order. Who stops reading, by close() or by an exception, cancels what has not begun."""
        try:
            yield from self.head
            with self.lock:
                rest = self.rest
            if rest is not None:
                yield from rest
        finally:
            self.head.close()
            self.stop_rest()

    def stop_rest(self) -> None:
        with self.lock:
            if self.chunks is not None:
                self.chunks.stop()
            elif self.rest is not None:
                self.rest.close()  # type: ignore[attr-defined]

    def cancel(self) -> None:
        """What has not begun never will; who reads the results gets CancelledError there."""
        self.head._cancel_rest()

    def counts(self) -> tuple[int, int]:
        """How many calls are over, and how many of them raised."""
        over, failed = self.head._counts()[:2]
        chunks = self.chunks
        if chunks is not None:
            more = chunks.counts()
            return over + more[0], failed + more[1]
        if isinstance(self.rest, _tasks.MapResults):
            row = self.rest._counts()
            return over + row[0], failed + row[1]
        return over, failed


def _raising(error: BaseException) -> Iterator[Any]:
    raise error
    yield
