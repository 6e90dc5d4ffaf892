"""What a worker process runs: the pool's initializer, then calls from its ring until the pool says to leave.

Only this module and the extension are imported in a worker that starts anew (spawn, forkserver).
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing import context, reduction
from typing import Any, NamedTuple


class Descriptor:
    """A file descriptor that travels to a new process, by whatever way it is started."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        popen: Any = context.get_spawning_popen()
        if getattr(popen, "method", None) == "spawn" and self.number in popen._fds:
            return _arrived, (popen.DupFd(self.number),)  # it takes none twice
        return _arrived, (reduction.DupFd(self.number),)


# Read by OpenMP, BLAS and others when they are loaded.
_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
)
_SHARE = "MANYCORE_SHARE"  # read by src/sched/budget.cpp


class Cores(NamedTuple):
    """Of the one core budget, what a worker has: 0 is all. ``exactly``: somebody has asked for so many threads inside it."""

    number: int
    exactly: bool = False

    def keep_to(self) -> None:
        from manycore import _tasks

        if self.number == 0:
            return
        before = os.environ.get(_SHARE)

        def is_users(name: str) -> bool:
            return os.environ.get(name, "") not in ("", before)

        if self.exactly or not is_users("OMP_NUM_THREADS"):  # which says it for all
            for name in _VARIABLES:
                if self.exactly or not is_users(name):
                    os.environ[name] = str(self.number)
        os.environ[_SHARE] = str(self.number)
        _tasks.limit_budget(self.number, self.exactly)


def part_of_cores(workers: int) -> Cores:
    """Of each of so many workers, of what the caller has. One worker has all, and so has each where there is only one core."""
    from manycore import _tasks

    share = _tasks.share()
    return Cores(max(share // workers, 1) if workers > 1 and share > 1 else 0)


def _arrived(duplicate: Any) -> Descriptor:
    return Descriptor(duplicate.detach())


def main(
    descriptors: tuple[Descriptor, ...],
    slot: int,
    cores: Cores,
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
) -> None:
    """Serve an executor, once the initializer has been called."""
    begin(descriptors, cores)
    if initializer is not None:
        try:
            initializer(*initargs)
        except BaseException:
            from concurrent.futures._base import LOGGER

            LOGGER.critical("Exception in initializer:", exc_info=True)
            # Without a word to the pool, which takes that for what it is.
            return
    serve(descriptors, slot)


def begin(descriptors: tuple[Descriptor, ...], cores: Cores) -> None:
    """End with the pool's process from now on, and keep to this worker's part of the cores.

    `descriptors`: of the memory with the rings, of the pool's blocks, of this worker's, and of the pool's process.
    """
    from manycore import _tasks

    _tasks.end_with(descriptors[3].number)
    cores.keep_to()


def serve(descriptors: tuple[Descriptor, ...], slot: int) -> None:
    """Run what the pool in whose memory `slot` is this process's sends, until there is no more."""
    from manycore import _tasks

    memory, blocks, results = (descriptor.number for descriptor in descriptors[:3])
    try:
        _tasks.run_worker(memory, slot, blocks, results)
    except KeyboardInterrupt:
        sys.exit(1)  # Ctrl-C between two calls: the program says what there is to say
    finally:
        _end_as_programs_do()


def _end_as_programs_do() -> None:
    """Ends pools that calls have left open, ours and others', before multiprocessing waits for their processes."""
    functions: list[Callable[[], object]] = threading._threading_atexits  # type: ignore[attr-defined]
    while functions:
        functions.pop()()


def above_standard(descriptor: int) -> int:
    """The same by another number, where it has that of a standard stream, which was closed."""
    if descriptor > 2:
        return descriptor
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return higher


def parent_descriptor() -> int:
    """One for the whole life of this process."""
    global _parent
    if _parent is None or _parent[0] != os.getpid():
        from manycore import _tasks

        _parent = (os.getpid(), above_standard(_tasks.open_process(os.getpid())))
    return _parent[1]


_parent: tuple[int, int] | None = None
