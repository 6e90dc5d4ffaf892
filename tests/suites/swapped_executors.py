"""Put into an environment's site-packages and imported by a .pth file there, so that every interpreter of the environment, children
with -I too, finds our classes in concurrent.futures. Leaves in a file how many tasks ran on our threads and in our processes."""

import atexit
import concurrent.futures
import concurrent.futures._base
import concurrent.futures.process
import concurrent.futures.thread
import os

import manycore.futures
from manycore import _tasks


class _NoQueue:
    """The tests join the thread that feeds the standard's queue, to show that shutdown() leaves none; ours has none."""

    def join_thread(self):
        pass


class ProcessPoolExecutor(manycore.futures.ProcessPoolExecutor):
    """The documented behaviour, where a worker's death breaks the pool."""

    _call_queue = _NoQueue()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{"on_worker_death": "break", **kwargs})


concurrent.futures.Future = concurrent.futures._base.Future = manycore.futures.Future
concurrent.futures.ThreadPoolExecutor = concurrent.futures.thread.ThreadPoolExecutor = manycore.futures.ThreadPoolExecutor
concurrent.futures.ProcessPoolExecutor = concurrent.futures.process.ProcessPoolExecutor = ProcessPoolExecutor


def _count() -> None:
    path = os.environ.get("MANYCORE_SUITE_COUNTS")
    counted = (_tasks.tasks_run(), _tasks.calls_answered())
    if path and any(counted):
        with open(path, "a") as counts:
            counts.write("{} {}\n".format(*counted))


atexit.register(_count)
