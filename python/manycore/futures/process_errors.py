"""What a call ends with whose worker process died."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from types import CodeType

__all__ = ["NOT_USABLE", "TERMINATED", "WorkerDied", "broken_error", "death_error", "ended_error"]

NOT_USABLE = "A child process terminated abruptly, the process pool is not usable anymore"
TERMINATED = "A process in the process pool was terminated abruptly while the future was running or pending."


class WorkerDied(BrokenProcessPool):
    """The worker process ended while it ran this call. The pool goes on, unless that was `terminate_workers` or `kill_workers`.

    `exit_code` is negative for a signal, as in multiprocessing, and None where it is not known; `peak_bytes` is the resident
    memory that the worker had at most, 0 where it is not known (a spawned worker that stayed below the peak of the program that
    spawned it). `name` is the call's: its function's unless
    `options(name=)` gave one.
    """

    def __init__(self, text: str, pid: int = 0, exit_code: int | None = None, peak_bytes: int = 0, name: str = "") -> None:
        super().__init__(text)
        self.pid = pid
        self.exit_code = exit_code
        self.peak_bytes = peak_bytes
        self.name = name


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"was ended by {name}"


def _line_of(code: CodeType, instruction: int) -> int:
    for begin, end, line in code.co_lines():
        if begin <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


def death_error(
    pid: int,
    exit_code: int | None,
    peak_bytes: int,
    function: Callable[..., object] | str,
    code: CodeType | None,
    instruction: int,
    others: str = "other calls are not concerned",
) -> WorkerDied:
    name = function if isinstance(function, str) else getattr(function, "__qualname__", None) or repr(function)
    where = f", submitted at {code.co_filename}:{_line_of(code, instruction)}" if code is not None else ""
    memory = f" (peak memory {peak_bytes / 2**20:.0f} MiB)" if peak_bytes else ""
    text = f"{name}: its worker process {pid} {_ending(exit_code)}{memory}{where}; {others}"
    return WorkerDied(text, pid, exit_code, peak_bytes, name)


def ended_error(how: str) -> Callable[..., WorkerDied]:
    """As `death_error` where the pool itself ends its workers, by its method of that name."""
    return functools.partial(death_error, others=f"{how}() ended the pool with all its workers")


def broken_error(*_facts: object) -> BrokenProcessPool:
    return BrokenProcessPool(TERMINATED)
