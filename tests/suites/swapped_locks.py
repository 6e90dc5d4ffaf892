"""Put into an environment's site-packages and imported by a .pth file there, so that every interpreter of the environment finds our locks in
threading, and queue builds on them. Leaves in a file how many locks were made and taken, and beside it what was found to be a deadlock."""

import atexit
import os
import threading

import manycore.threading
from manycore import _tasks
from manycore.threading import deadlock

for _name in ("Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "Barrier"):
    setattr(threading, _name, getattr(manycore.threading, _name))


def _count() -> None:
    path = os.environ.get("MANYCORE_SUITE_COUNTS")
    made, taken = _tasks.lock_counts()
    if path and made:
        with open(path, "a") as counts:
            counts.write(f"{made} {taken}\n")
        with open(path + ".found", "a") as found:
            for kind, text in deadlock.found:
                if kind != "order":
                    found.write(text + "\n")


atexit.register(_count)
