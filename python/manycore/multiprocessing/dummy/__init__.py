"""``multiprocessing.dummy``: threads in the place of processes. The standard's, with our pool of threads."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import dummy as _standard
from multiprocessing.dummy import *  # noqa: F403
from typing import Any

from manycore.multiprocessing.pool import ThreadPool

__all__ = _standard.__all__


def __getattr__(name: str) -> Any:
    return getattr(_standard, name)


def Pool(  # type: ignore[no-redef]
    processes: int | None = None, initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = ()
) -> ThreadPool:
    return ThreadPool(processes, initializer, initargs)
