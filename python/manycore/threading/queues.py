"""The queues of ``queue`` on locks and conditions that know who has them: what ``manycore check`` gives a program."""

from __future__ import annotations

import queue as standard
from collections import deque
from typing import Any, Generic, TypeVar

from manycore._tasks import Lock
from manycore.threading.primitives import Condition, Semaphore

_T = TypeVar("_T")


class Queue(standard.Queue[_T]):
    """A queue whose waits are known as those of a queue."""

    __module__ = "queue"

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        lock = Lock()
        self.mutex: Any = lock
        self.not_empty = self._condition("empty")
        self.not_full = self._condition("full")
        self.all_tasks_done = self._condition("not done with")

    def _condition(self, state: str) -> Condition:
        condition = Condition(self.mutex)
        condition._of_queue = (type(self).__name__, self.mutex._made_at, state)
        return condition


class LifoQueue(Queue[_T], standard.LifoQueue[_T]):
    """As `queue.LifoQueue`."""

    __module__ = "queue"


class PriorityQueue(Queue[_T], standard.PriorityQueue[_T]):  # type: ignore[type-var]
    """As `queue.PriorityQueue`."""

    __module__ = "queue"


class SimpleQueue(Generic[_T]):
    """As `queue.SimpleQueue`: without a limit, and without knowing when its items are done."""

    __module__ = "queue"

    def __init__(self) -> None:
        self._items: deque[_T] = deque()
        self._count = Semaphore(0)

    def put(self, item: _T, block: bool = True, timeout: float | None = None) -> None:
        self._items.append(item)
        self._count.release()

    def get(self, block: bool = True, timeout: float | None = None) -> _T:
        if timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        if not self._count.acquire(block, timeout if block else None):
            raise standard.Empty
        return self._items.popleft()

    def put_nowait(self, item: _T) -> None:
        self.put(item)

    def get_nowait(self) -> _T:
        return self.get(block=False)

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)
