"""`Queue`, `JoinableQueue` and `SimpleQueue`: the standard's, with messages in shared memory.

What is put is pickled at once and is there for other processes when `put` is back. Only what the shared memory has no room for
waits in the process and is sent by a thread, as the standard does with everything. A process that is killed, whatever it was
doing with a queue, harms nobody else who uses it.
"""

from __future__ import annotations

import collections
import threading
import weakref
from multiprocessing import connection, context, util
from multiprocessing import queues as standard
from queue import Empty, Full
from typing import Any

from manycore import _tasks
from manycore.futures.worker_main import Descriptor

__all__ = ["Empty", "Full", "JoinableQueue", "Queue", "SimpleQueue"]

_END = object()


def _sent(box: _tasks.Mailbox) -> tuple[Descriptor, ...]:
    return tuple(map(Descriptor, box.descriptors))


def _arrived(descriptors: tuple[Descriptor, ...]) -> _tasks.Mailbox:
    return _tasks.Mailbox(0, *(descriptor.number for descriptor in descriptors))


class _End:
    """What ``_reader`` and ``_writer`` are asked for: by pools of the standard, and by who waits for descriptors."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.closed = False

    def _box(self) -> _tasks.Mailbox:
        box: _tasks.Mailbox | None = self._queue._box
        if self.closed or box is None:
            raise OSError("handle is closed")
        return box

    def fileno(self) -> int:
        return self._box().watch()

    def poll(self, timeout: float | None = 0.0) -> bool:
        return self._box().counts()[0] > 0 or bool(timeout != 0.0 and connection.wait([self.fileno()], timeout))

    def recv(self) -> Any:
        return self._box().get(None)

    def send(self, obj: Any) -> None:
        _put(self._box(), obj)

    def close(self) -> None:
        self.closed = True


def _put(box: _tasks.Mailbox, obj: Any) -> None:
    box.reserve(None)
    try:
        box.put(obj, True)
    except BaseException:
        box.give_back()
        raise


class Queue(standard.Queue):  # type: ignore[type-arg]  # not to be subscripted
    """As `multiprocessing.Queue`."""

    def __init__(self, maxsize: int = 0, *, ctx: Any) -> None:
        # More than that is what the standard, which counts by a semaphore, refuses.
        self._box = _tasks.Mailbox(maxsize if 0 < maxsize <= _SEM_VALUE_MAX else 0)
        self._set_up()

    def _set_up(self) -> None:
        self._maxsize = self._box.most or _SEM_VALUE_MAX
        self._ignore_epipe = False
        self._reader, self._writer = _End(self), _End(self)
        self._reset()
        util.register_after_fork(self, type(self)._after_fork)

    def __getstate__(self) -> Any:
        context.assert_spawning(self)
        return _sent(self._box)

    def __setstate__(self, state: Any) -> None:
        self._box = _arrived(state)
        self._set_up()

    def _after_fork(self) -> None:
        self._reset()

    def _reset(self, after_fork: bool = False) -> None:
        # Reentrant: pickling may put into the same queue.
        self._order = threading.RLock()
        self._notempty = threading.Condition(self._order)
        self._buffer: collections.deque[Any] = collections.deque()  # what there was no room for
        self._thread: threading.Thread | None = None
        self._jointhread: Any = None
        self._joincancelled = False
        self._closed = self._used = False
        self._close: Any = None

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        if self._closed:
            raise ValueError(f"Queue {self!r} is closed")
        if not self._box.reserve(timeout if block else 0):
            raise Full
        self._used = True
        with self._order:
            if not self._buffer:
                try:
                    if self._box.put(obj, False):
                        return
                except Exception as error:
                    self._not_sent(error, obj)
                    return
            if self._thread is None:
                self._start_thread()
            self._buffer.append(obj)
            self._notempty.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if self._closed:
            raise ValueError(f"Queue {self!r} is closed")
        return self._box.get(timeout if block else 0)

    def qsize(self) -> int:
        return self._box.counts()[1]

    def empty(self) -> bool:
        if self._closed and self._used:  # as in the standard, whose close() does nothing before
            raise OSError(f"Queue {self!r} is closed")
        return self._box.counts()[0] == 0

    def full(self) -> bool:
        return 0 < self._box.most <= self.qsize()

    def close(self) -> None:
        self._closed = True
        close, self._close = self._close, None
        if close is not None:
            close()

    def _not_sent(self, error: Exception, obj: Any) -> None:
        self._box.give_back()
        self._on_queue_feeder_error(error, obj)  # type: ignore[attr-defined]

    def _start_thread(self) -> None:
        self._buffer.clear()
        thread = threading.Thread(target=self._send_what_waits, name="QueueFeederThread", daemon=True)
        self._thread = thread
        thread.start()
        if not self._joincancelled:
            joins = self._finalize_join  # type: ignore[attr-defined]
            self._jointhread = util.Finalize(thread, joins, [weakref.ref(thread)], exitpriority=-5)
        self._close = util.Finalize(self, _finish, [self._buffer, self._notempty], exitpriority=10)

    def _send_what_waits(self) -> None:
        buffer, more, box, not_sent = self._buffer, self._notempty, self._box, self._not_sent
        del self
        while True:
            with more:
                while not buffer:
                    more.wait()
                obj = buffer[0]
            if obj is _END:
                return
            try:
                box.put(obj, True)
            except Exception as error:
                if util.is_exiting():
                    util.info("error in queue thread: %s", error)
                    return
                not_sent(error, obj)
            # Only now: nobody else may send before it.
            with more:
                buffer.popleft()
            del obj


def _finish(buffer: collections.deque[Any], more: threading.Condition) -> None:
    with more:
        buffer.append(_END)
        more.notify()


class JoinableQueue(Queue):
    """As `multiprocessing.JoinableQueue`."""

    def task_done(self) -> None:
        if not self._box.task_done():
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        self._box.wait_all_done(None)


class SimpleQueue(standard.SimpleQueue):  # type: ignore[type-arg]
    """As `multiprocessing.SimpleQueue`: who puts waits where there is no room in the shared memory."""

    _box: _tasks.Mailbox | None

    def __init__(self, *, ctx: Any) -> None:
        self._set_up(_tasks.Mailbox())

    def _set_up(self, box: _tasks.Mailbox) -> None:
        self._box = box
        self._reader, self._writer = _End(self), _End(self)
        self._rlock, self._wlock = threading.Lock(), threading.Lock()  # the standard's pools ask for them

    def _open(self) -> _tasks.Mailbox:
        if self._box is None:
            raise OSError("handle is closed")
        return self._box

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
        self._box = None

    def empty(self) -> bool:
        return self._open().counts()[0] == 0

    def __getstate__(self) -> Any:
        context.assert_spawning(self)
        return _sent(self._open())

    def __setstate__(self, state: Any) -> None:
        self._set_up(_arrived(state))

    def get(self) -> Any:
        return self._open().get(None)

    def put(self, obj: Any) -> None:
        _put(self._open(), obj)


_SEM_VALUE_MAX = 2**31 - 1
