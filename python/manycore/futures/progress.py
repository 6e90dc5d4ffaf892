"""``progress=`` of every map: a line on the terminal, a bar of tqdm, or a function of the user's. Costs nothing where it is off.

The counts are kept anyway; the keeper's thread looks at them ten times a second.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from manycore.futures.keeper import keeper

_SECONDS = 0.1  # between two looks


class State:
    """How far a map is. `done` calls are over, `failed` of them raised; `total` is None where nobody knows.

    `rate` is calls a second since the map began, `left` the seconds that the rest will take at that rate, or None. `finished` is
    True the last time.
    """

    __slots__ = ("done", "failed", "finished", "left", "rate", "seconds", "total")

    def __init__(self, done: int, failed: int, total: int | None, seconds: float, finished: bool) -> None:
        self.done = done
        self.failed = failed
        self.total = total
        self.seconds = seconds
        self.finished = finished
        self.rate = done / seconds if seconds > 0 else 0.0
        self.left = None if total is None or self.rate == 0 else (total - done) / self.rate

    def __str__(self) -> str:
        """
        >>> print(State(512, 3, 1000, 4.0, False))
        512/1000 done, 3 failed, 128/s, 3.8 s left
        >>> print(State(1000, 0, 1000, 8.0, True))
        1000/1000 done, 125/s in 8.0 s
        """
        of = "" if self.total is None else f"/{self.total}"
        text = f"{self.done}{of} done" + (f", {self.failed} failed" if self.failed else "") + f", {self.rate:.3g}/s"
        if self.finished:
            return f"{text} in {_clock(self.seconds)}"
        return text if self.left is None else f"{text}, {_clock(self.left)} left"


Progress = bool | str | Callable[[State], object] | None


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Line:
    """One line that is written over, on standard error."""

    def __init__(self) -> None:
        self.width = 0

    def __call__(self, state: State) -> None:
        text = str(state)[: _columns() - 1]  # a line that wraps could not be written over
        padding = " " * (self.width - len(text))
        self.width = len(text)
        sys.stderr.write("\r" + text + padding + ("\n" if state.finished else ""))
        sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


class _Bar:
    def __init__(self, total: int | None) -> None:
        try:
            from tqdm import tqdm  # type: ignore[import-untyped]
        except ImportError:
            raise ModuleNotFoundError(
                "progress='tqdm' needs the package tqdm, which is not installed: pip install tqdm, or use progress=True",
                name="tqdm",
            ) from None
        self.bar = tqdm(total=total)

    def __call__(self, state: State) -> None:
        if state.failed:
            self.bar.set_postfix(failed=state.failed, refresh=False)
        self.bar.update(state.done - self.bar.n)
        if state.finished:
            self.bar.close()


def _shower(progress: Progress, total: int | None) -> Callable[[State], object] | None:
    if progress is None or progress is False:
        return None
    if progress is True:
        return _Line() if sys.stderr is not None and sys.stderr.isatty() else None
    if progress == "tqdm":
        return _Bar(total)
    if callable(progress):
        return progress
    raise ValueError(f"progress: expected True, False, 'tqdm' or a function of one argument, got {progress!r}")


class _Shown:
    """One map's display. Rounds come on the keeper's thread, the last one on the thread that reads the results."""

    def __init__(self, show: Callable[[State], object], counts: Callable[[], tuple[int, int]] | None, total: int | None) -> None:
        self.show = show
        self.counts = counts or self.given
        self.total = total
        self.began = time.perf_counter()
        self.lock = threading.Lock()
        self.finished = False
        self.taken = self.raised = 0

    def given(self) -> tuple[int, int]:
        return self.taken + self.raised, self.raised

    def tell(self, state: State) -> None:
        try:
            self.show(state)
        except Exception:
            # Once is enough.
            self.finished = True
            if sys.stderr is not None:
                traceback.print_exc()

    def __call__(self, _late: float = 0.0) -> float | None:
        with self.lock:
            if self.finished:
                return None
            done, failed = self.counts()
            self.finished = done == self.total
            self.tell(State(done, failed, self.total, time.perf_counter() - self.began, self.finished))
            return None if self.finished else _SECONDS

    def finish(self, all_given: bool) -> None:
        with self.lock:
            if self.finished:
                return
            self.finished = True
            done, failed = self.counts()
            if all_given and self.total is not None:
                done = self.total
            self.tell(State(done, failed, self.total, time.perf_counter() - self.began, True))


def of_threads(
    pool: Any, fn: Callable[..., Any], iterables: Any, timeout: float | None, buffersize: int | None, progress: Progress
) -> Iterator[Any]:
    """A thread pool's map with its progress shown."""
    if buffersize is not None:
        return with_progress(pool.map(fn, *iterables, timeout=timeout, buffersize=buffersize), None, None, progress)
    rows = list(zip(*iterables, strict=False)) if len(iterables) != 1 else list(iterables[0])
    columns = (rows,) if len(iterables) == 1 else tuple(zip(*rows, strict=True)) or ((),)
    results = pool.map(fn, *columns, timeout=timeout)
    counts = getattr(results, "_counts", None)  # a subclass with a submit() of its own has other results
    return with_progress(results, counts and (lambda: counts()[:2]), len(rows), progress)


def with_progress(
    results: Iterator[Any], counts: Callable[[], tuple[int, int]] | None, total: int | None, progress: Progress
) -> Iterator[Any]:
    """The same results, with their progress shown. Without `counts`, what has been read counts."""
    shown = begin(counts, total, progress)
    return results if shown is None else _watched(results, shown)


def begin(counts: Callable[[], tuple[int, int]] | None, total: int | None, progress: Progress) -> _Shown | None:
    """Shows progress from now on until its `finish` is called; None where nothing is to be shown."""
    show = _shower(progress, total)
    if show is None:
        return None
    shown = _Shown(show, counts, total)
    keeper.add(shown, _SECONDS)
    return shown


def _watched(results: Iterator[Any], shown: _Shown) -> Iterator[Any]:
    all_given = False
    try:
        for value in results:
            shown.taken += 1
            yield value
            del value
        all_given = True
    except GeneratorExit:
        raise
    except BaseException:
        shown.raised += 1
        raise
    finally:
        getattr(results, "close", lambda: None)()
        shown.finish(all_given)
