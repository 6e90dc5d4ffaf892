"""``cancel``: a future's task is cancelled, or stopped where it runs."""

from __future__ import annotations

import concurrent.futures
from typing import Any

from manycore import _tasks


def cancel(future: concurrent.futures.Future[Any], force: bool = False) -> bool:
    """Cancel the call of ``future``; if it runs already, have it stop.

    True: it is cancelled, or it runs and has been told to stop. False: it is done, or it runs and nobody can tell it (a parent
    process's call, another library's executor). It never waits; what the call ended with, the future says as always.

    What has not begun is cancelled, as by ``future.cancel()``. A call that runs stops where manycore's loops notice: the next or
    running operation that makes an array of some size raises ``CancelledError`` in it, and so do all that follow, however often
    it is caught. A call that ends with that error leaves its future cancelled; one that ends otherwise, because it has no such
    loop or knows better, leaves its result or exception. Loops that write into an array that was there before finish first, as do
    NumPy, BLAS and Python's own code. It works the same on threads and in worker processes.

    ``force=True`` kills the process that runs the call and whatever it has started. The future is then cancelled unless it was
    done in that moment; no other call is lost, since those behind it go to other workers, and the pool starts a new one. A call
    that runs on a thread raises ``ValueError``: a thread cannot be ended.

    >>> from manycore.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(1) as pool:
    ...     done = pool.submit(pow, 2, 10)
    ...     print(done.result(), cancel(done))
    1024 False
    """
    if isinstance(future, _tasks.Future):
        return _tasks.stop_call(future, force)
    if isinstance(future, concurrent.futures.Future):
        return future.cancel()
    raise TypeError(
        f"cancel: expected a future of an executor, got {type(future).__name__}; "
        "a task of asyncio is cancelled by its own cancel(), and a coroutine has no future yet"
    )
