"""``wrap_future``: a pool's future for an event loop.

As ``asyncio.wrap_future``, which before Python 3.13 never wakes who awaits a call that raised StopIteration.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from typing import TypeVar

_T = TypeVar("_T")

if sys.version_info >= (3, 13):
    wrap_future = asyncio.wrap_future
else:

    def wrap_future(future: concurrent.futures.Future[_T]) -> asyncio.Future[_T]:
        loop = asyncio.get_event_loop()
        awaited: asyncio.Future[_T] = loop.create_future()

        def copy() -> None:
            if awaited.cancelled():
                return
            if future.cancelled():
                awaited.cancel()
                return
            error = future.exception()
            if error is None:
                awaited.set_result(future.result())
            elif isinstance(error, StopIteration):
                text = "StopIteration interacts badly with generators and cannot be raised into a Future"
                raised = RuntimeError(text)
                raised.__cause__ = error
                awaited.set_exception(raised)
            else:
                awaited.set_exception(asyncio.futures._convert_future_exc(error))  # type: ignore[attr-defined]

        def done(_: object) -> None:
            if not (awaited.cancelled() and loop.is_closed()):
                loop.call_soon_threadsafe(copy)

        def cancel(_: object) -> None:
            if awaited.cancelled():
                future.cancel()

        awaited.add_done_callback(cancel)
        future.add_done_callback(done)
        return awaited
