"""Put into an environment's site-packages and imported by a .pth file there, so that every interpreter of the environment, children
with -I too, finds our classes in concurrent.futures. Leaves the number of tasks that ran on our threads in a file."""

import atexit
import concurrent.futures
import concurrent.futures._base
import concurrent.futures.thread
import os

import manycore.futures
from manycore import _tasks

concurrent.futures.Future = concurrent.futures._base.Future = manycore.futures.Future
concurrent.futures.ThreadPoolExecutor = concurrent.futures.thread.ThreadPoolExecutor = manycore.futures.ThreadPoolExecutor


def _count() -> None:
    path = os.environ.get("MANYCORE_SUITE_COUNTS")
    if path and _tasks.tasks_run():
        with open(path, "a") as counts:
            counts.write(f"{_tasks.tasks_run()}\n")


atexit.register(_count)
