"""What this process has open, so that a test can tell what it left behind from what others before it close meanwhile."""

from __future__ import annotations

import contextlib
import os
from collections import Counter


def open_files() -> Counter[tuple[int, int]]:
    """How often each file is open, by device and inode: ``open_files() - before`` is what has come."""
    found: Counter[tuple[int, int]] = Counter()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the folder's own is closed by now
            about = os.fstat(int(name))
            found[about.st_dev, about.st_ino] += 1
    return found
