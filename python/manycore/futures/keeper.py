"""One thread that looks after what runs elsewhere: maps that are measured, lines of progress, pools that nobody uses.

It sleeps between its rounds and ends when there is nothing to look after. It runs no function of the user's, but for what
``progress=`` was given.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable

from manycore import _tasks

# Sleeping for so short a time tells by its end whether somebody held the GIL: who wakes gets it at once or after a switch
# interval.
SHORTEST = 0.00025
# A ward is called with how late the round comes after a short sleep; it answers how long to sleep until the next, or None at the
# end.
Ward = Callable[[float], float | None]


class Keeper:
    """Calls each ward again and again, until it answers None. Thread-safe."""

    def __init__(self) -> None:
        self._wards: dict[Ward, float] = {}  # with the time of the next round
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None

    def add(self, ward: Ward, first: float = SHORTEST) -> None:
        """Look after `ward`, for the first time in so many seconds."""
        with self._changed:
            self._wards[ward] = time.monotonic() + first
            if self._thread is not None:
                self._changed.notify()
                return
            self._thread = threading.Thread(target=self._run, name="manycore-keeper", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter ends, or the system has no thread left: nobody looks after it
                self._thread = None
                self._wards.clear()

    def _run(self) -> None:
        _tasks.never_wait_here()
        late = 0.0
        while True:
            with self._changed:
                if not self._wards:
                    self._thread = None
                    return
                now = time.monotonic()
                due = [ward for ward, when in self._wards.items() if when <= now]
                pause = min(self._wards.values()) - now
                if not due and pause > 2 * SHORTEST:
                    self._changed.wait(pause)
                    continue
            if not due:
                began = time.perf_counter()
                time.sleep(pause)
                late = time.perf_counter() - began - pause
                continue
            for ward in due:
                again = self._round(ward, late)
                with self._changed:
                    if again is None:
                        self._wards.pop(ward, None)
                    else:
                        self._wards[ward] = time.monotonic() + again
            late = 0.0

    def _round(self, ward: Ward, late: float) -> float | None:
        try:
            return ward(late)
        except BaseException:  # one that ended this thread would end all others' rounds
            if sys.stderr is not None:
                traceback.print_exc()
            return None

    def forget(self) -> None:
        """In a forked child: the thread and what it looked after are the parent's."""
        self.__init__()  # type: ignore[misc]


keeper = Keeper()
os.register_at_fork(after_in_child=keeper.forget)
