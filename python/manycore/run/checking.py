"""``manycore check``: the program's own modules get locks, queues and futures that are watched; a report ends the run.

The exit status is 3 where a deadlock was found, also one that is only suspected: then the program may have hung.
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import time

from manycore import _tasks
from manycore.run import stand_ins
from manycore.threading import deadlock

FOUND = 3
# How long a program may stand still, all of its threads in what was reported, before the check ends it.
STANDSTILL = 1.0
TITLES = {
    "deadlock": "deadlocks",
    "suspected": "suspected deadlocks",
    "order": "orders of locks that may lead to one",
    "grown": "pools that were given threads",
}


def start() -> None:
    """Swap what user code imports from here on, watch all of it, and report at the end."""
    stand_ins.check()
    deadlock.deadlocks(order=True)
    deadlock.when_hopeless = _watch_standstill
    process = os.getpid()

    def finish() -> None:
        if os.getpid() == process:  # a forked child that ends normally is not the program
            _end()

    # The first one registered is the last one called.
    atexit.register(finish)


_watching = False


def _end() -> None:
    deadlock.flush()
    sys.stdout.flush()
    print(text(), file=sys.stderr, flush=True)
    if any(kind in ("deadlock", "suspected") for kind, _ in deadlock.found):
        os._exit(FOUND)


def text() -> str:
    """What was watched, and what was found."""
    made, taken = _tasks.lock_counts()
    calls = _tasks.tasks_run()
    lines = [f"manycore check: {made} locks were made and taken {taken} times, {calls} calls ran in pools of threads"]
    for kind, title in TITLES.items():
        texts = [text for found, text in deadlock.found if found == kind]
        lines.append(f"{title}: {len(texts) or 'none'}")
        lines += [f"  {line}" for text in texts for line in text.split("\n")]
    return "\n".join(lines)


def _watch_standstill() -> None:
    global _watching
    if not _watching:
        _watching = True
        _thread.start_new_thread(_end_standstill, (_tasks.waits_version(),))


def _end_standstill(version: int) -> None:
    """Nobody was left to go on: where no wait has ended meanwhile, none ever will."""
    global _watching
    time.sleep(STANDSTILL)
    _watching = False
    if version == _tasks.waits_version():
        print("manycore check: the program stands still and is ended", file=sys.stderr, flush=True)
        _end()
