"""Put into an environment's site-packages and imported by a .pth file there, so that every interpreter of the environment, children
with -I too, finds our classes in multiprocessing. Leaves in a file how many calls went through our pools."""

import atexit
import multiprocessing.dummy
import multiprocessing.pool
import os

import manycore.multiprocessing.pool
from manycore import _tasks

for _name in manycore.multiprocessing.pool.__all__:
    if hasattr(multiprocessing.pool, _name):
        setattr(multiprocessing.pool, _name, getattr(manycore.multiprocessing.pool, _name))


def _count() -> None:
    path = os.environ.get("MANYCORE_SUITE_COUNTS")
    counted = (_tasks.calls_answered(), 0)
    if path and any(counted):
        with open(path, "a") as counts:
            counts.write("{} {}\n".format(*counted))


atexit.register(_count)
