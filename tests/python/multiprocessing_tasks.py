"""Functions that processes of the tests of manycore.multiprocessing run: importable, so that every start method finds them."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

SET_BY_INITIALIZER: list[Any] = []


def square(x: Any) -> Any:
    return x * x


def add(a: int, b: int) -> int:
    return a + b


def with_keywords(*args: object, **kwargs: object) -> tuple[Any, Any]:
    return args, kwargs


def pid(*_: object) -> int:
    return os.getpid()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail_at(at: int, x: int) -> int:
    if x == at:
        raise ValueError(f"item {x}")
    return x


def fail_at_three(x: int) -> int:
    return fail_at(3, x)


def killed_at_three(x: int) -> int:
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def leave(code: int) -> None:
    sys.exit(code)


def a_lock(*_: object) -> Any:
    return threading.Lock()


def remember(value: Any) -> None:
    SET_BY_INITIALIZER.append(value)


def remembered(_: object = None) -> list[Any]:
    return SET_BY_INITIALIZER


def refuse() -> None:
    raise RuntimeError("no worker today")


def numbers_until_error(count: int) -> Iterator[int]:
    yield from range(count)
    raise KeyError("the iterator's own")


END = "the end"


def echo(there: Any, back: Any) -> None:
    while not (isinstance(value := there.get(), str) and value == END):
        back.put(value)
        if hasattr(there, "task_done"):
            there.task_done()


def serve(line: Any) -> None:
    while line.get() != END:
        time.sleep(0.001)
        line.task_done()


def put_many(line: Any, count: int, size: int, told: Any = None) -> None:
    if told is not None:
        told.put("begun")
    for _ in range(count):
        line.put(b"x" * size)
    if told is not None:
        told.put("all put")


def put_many_and_cancel(line: Any, count: int, size: int) -> None:
    line.cancel_join_thread()
    put_many(line, count, size)


def put_for_ever(line: Any) -> None:
    for i in itertools.count():
        line.put((os.getpid(), i, b"x" * (i % 3 * 60_000)))


def get_for_ever(line: Any) -> None:
    while True:
        line.get()


def count_until_end(line: Any, counted: Any) -> None:
    seen = []
    while (value := line.get()) != END:
        if isinstance(value, tuple) and value[0] == "mine":
            seen.append(value[1])
    counted.put(seen)


def count_up(lock: Any, number: Any, times: int) -> None:
    for _ in range(times):
        with lock:
            number.value += 1


def use_all(recursive: Any, semaphore: Any, condition: Any, event: Any, barrier: Any, array: Any) -> None:
    with recursive, recursive, array.get_lock():
        array[:] = [1, 2, 3]
    with condition:
        semaphore.release()
        condition.wait(60)
    event.set()
    barrier.wait(60)


def expect_locked(lock: Any) -> None:
    sys.exit(1 if lock.acquire(False) else 0)


def hold_for_ever(lock: Any, ready: Any) -> None:
    with lock:
        ready.set()
        time.sleep(600)


def take_and_tell(lock: Any, told: Any) -> None:
    with lock:
        told.put(os.getpid())
        time.sleep(0.05)


def fill(array: Any, value: Any) -> None:
    array[...] = value


def fill_all(first: Any, second: Any, third: Any, turned: Any) -> None:
    first[:], second[:], third[:] = 1, 2, 3
    turned[-1, -1] = 4


def fill_what_comes(there: Any, back: Any) -> None:
    while (item := there.get()) is not None:
        fill(*item)
        back.put("done")


def fill_and_hold(array: Any, ready: Any) -> None:
    array[:] = 8
    ready.put("filled")
    time.sleep(600)


def echo_on_pipe(end: Any, other: Any) -> None:
    other.close()  # or this process would hold it open
    while True:
        try:
            end.send(end.recv())
        except EOFError:
            return


def send_from_one_to_other(first: Any, second: Any, array: Any) -> None:
    first.send(array)
    sys.exit(0 if (second.recv() == array).all() else 1)
