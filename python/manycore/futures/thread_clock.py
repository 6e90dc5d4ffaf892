"""What a thread does, seen from another one: whether it runs with or without the GIL, or waits.

Time in which it did neither, because other threads had the GIL or its core, is left out: it says nothing of what the thread runs.
"""

from __future__ import annotations

import sys
import time

_RELEASED = 0.0015  # seconds without the GIL that tell that it is let go of
_TOO_LONG = 0.1  # then there is something to choose by, whatever was seen


class ThreadClock:
    """Its seconds with the GIL (`held`), running without it (`released`) and waiting (`waited`)."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.held = self.released = self.waited = 0.0
        self.began = self.before = time.perf_counter()
        self.used = self.processor()

    def processor(self) -> float:
        """What the thread has used of the processor so far; the kernel refuses where it is gone."""
        try:
            return time.clock_gettime((~self.thread) << 3 | 6)
        except OSError:
            return self.used

    def is_asleep(self) -> bool:
        try:
            with open(f"/proc/self/task/{self.thread}/stat", "rb", buffering=0) as file:
                return file.read().rpartition(b") ")[2][:1] in b"SD"
        except OSError:
            return True

    def look(self, late: float) -> None:
        """Once in a while. `late`: how much longer than asked for the caller slept, which waits for the GIL when it wakes."""
        now, used = time.perf_counter(), self.processor()
        passed, ran = now - self.before, used - self.used
        self.before, self.used = now, used
        if late > min(0.001, sys.getswitchinterval() / 2):
            self.held += min(passed, ran)
        elif ran > 0.3 * passed:
            self.released += passed
        elif self.is_asleep():
            self.waited += passed

    @property
    def seconds(self) -> float:
        return max(self.held + self.released + self.waited, 1e-6)

    def knows(self) -> bool:
        """Whether it has seen enough to choose by."""
        without = self.released + self.waited
        if without > _RELEASED and without >= self.held:
            return True
        return self.held > 0.8 * sys.getswitchinterval() or self.before - self.began > _TOO_LONG
