"""What a worker process of `Pool` runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manycore.futures.worker_main import Cores, Descriptor, begin, serve


def main(
    descriptors: tuple[Descriptor, ...],
    slot: int,
    cores: Cores,
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
) -> None:
    """As `manycore.futures.worker_main.main`, but what calls raise is told as the standard's workers of `Pool` do.

    An initializer that fails ends the process, with its traceback on standard error.
    """
    from multiprocessing.pool import ExceptionWithTraceback, MaybeEncodingError  # type: ignore[attr-defined]

    from manycore import _tasks

    begin(descriptors, cores)
    if initializer is not None:
        initializer(*initargs)
    _tasks.set_error_forms(ExceptionWithTraceback, MaybeEncodingError)
    serve(descriptors, slot)
