"""Put into an environment's site-packages and imported by a .pth file there, so that every interpreter of the environment, children
with -I too, finds our classes in multiprocessing. Leaves in a file how many calls went through our pools and how many messages
through our queues."""

import atexit
import multiprocessing.connection
import multiprocessing.dummy
import multiprocessing.pool
import multiprocessing.queues
import multiprocessing.synchronize
import os

import manycore.multiprocessing.pipes
import manycore.multiprocessing.pool
import manycore.multiprocessing.queues
import manycore.multiprocessing.synchronize
from manycore import _tasks

multiprocessing.connection.Pipe = manycore.multiprocessing.pipes.Pipe
for _ours in (manycore.multiprocessing.pool, manycore.multiprocessing.queues, manycore.multiprocessing.synchronize):
    _theirs = getattr(multiprocessing, _ours.__name__.rpartition(".")[2])
    for _name in set(_ours.__all__) & set(vars(_theirs)):
        setattr(_theirs, _name, getattr(_ours, _name))


def _count() -> None:
    path = os.environ.get("MANYCORE_SUITE_COUNTS")
    counted = (_tasks.calls_answered(), _tasks.messages_taken())
    if path and any(counted):
        with open(path, "a") as counts:
            counts.write("{} {}\n".format(*counted))


atexit.register(_count)
