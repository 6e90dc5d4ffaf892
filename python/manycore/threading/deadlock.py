"""What to do about threads that wait for each other.

The engine finds closed sets of waits and asks ``judge`` about each. A set is *certain* when everything in it has one owner: an
``RLock``, a thread that is joined, a call that runs or waits for a thread of a full pool. Then one of the waits ends with a
``DeadlockError``. It is *suspected* when there is something in it that any thread may set free. Such a set is reported, never
raised, and only where no other thread is left that looks as if it would.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections import deque

from manycore import _front, _tasks
from manycore._tasks import DeadlockError
from manycore.threading import reach, words
from manycore.threading.words import Wait

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

POLICIES = ("raise", "report", "grow", "off")
MOST_GROWTH = 32
# A set in which something may be set free by anybody has to last so long before it is reported.
PATIENCE = 0.4
# Waits that any thread may end.
OWNERLESS = frozenset({"event", "condition", "semaphore"})

_policy = "raise"
# Called when something has been reported that lasts while no other thread goes on.
when_hopeless: Callable[[], None] | None = None
found: list[tuple[str, str]] = []  # what was reported or raised: "deadlock", "suspected", "order" or "grown", and the text
_reports: deque[tuple[int, str]] = deque()
_reporting = False
_inner = (os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,)
_standard_files = (threading.__file__, os.path.join(os.path.dirname(threading.__file__), "queue.py"))


def start() -> None:
    """Begin with the policy of the option ``deadlocks``."""
    _tasks.set_deadlock_judge(judge)
    deadlocks(policy=_front.get_option("deadlocks"), order=_front.get_option("lock_order"))


def deadlocks(policy: str | None = None, order: bool | None = None) -> dict[str, Any]:
    """Set what happens when threads wait for each other for ever; answers what is in force.

    ``policy``: "raise" a ``DeadlockError`` in one of them where it is certain, and report through the logger ``manycore`` what is
    suspected; "report" both; "grow": as "raise", but a pool all of whose threads wait for calls that wait for a thread of it
    gets more threads, 32 at most; "off". ``order``: watch in which order locks are taken, and warn of orders that may lead
    to a deadlock before they do.

    >>> deadlocks(policy="raise")["policy"]
    'raise'
    """
    global _policy
    if policy is not None:
        if policy not in POLICIES:
            raise ValueError(f"deadlocks: policy {policy!r} is not known; expected one of {', '.join(POLICIES)}")
        _policy = policy
        _tasks.watch_waits(policy != "off")
    if order is not None:
        _tasks.watch_lock_order(_tell_order if order else None)
        _order_watched[:] = [bool(order)]
    _tasks.keep_places(_policy != "off" or _order_watched[0], is_inner)
    return {"policy": _policy, "order": _order_watched[0]}


_order_watched = [False]


def is_inner(filename: str) -> bool:
    """Is this a file in which locks are made for somebody else's use?"""
    return filename.startswith(_inner) or filename in _standard_files


def judge(certain: bool, circle: list[Any], stuck: list[Any], idle: list[int]) -> Any:
    """An exception for one of the waits; True: it has been told of; None: not now; False: ask again soon."""
    if _policy == "off" or sys.is_finalizing():
        return None
    members = [Wait(*member) for member in circle]
    threads = {Wait(*member).thread for member in stuck}
    frames = sys._current_frames()
    waiting = sys._getframe().f_back  # this thread waits too, below these lines
    if waiting is not None:
        frames[_thread.get_ident()] = waiting
    others = [frame for name, frame in frames.items() if name not in threads and name not in idle]
    # Handlers of signals run on the main thread while it waits, and may do anything.
    handled = threading.main_thread().ident in threads and _has_handlers()
    if handled and any(signal.getitimer(signal.ITIMER_REAL)):
        return None
    verdict = _of_certain(members, others, handled) if certain else _of_suspected(members, others, handled)
    if verdict is None or verdict is False:
        return verdict
    if certain and _policy == "grow" and _grow(members):
        return False
    text = words.message(members, frames, certain=verdict == "certain")
    found.append(("deadlock" if certain else "suspected", text))
    if verdict == "certain" and _policy != "report":
        return DeadlockError(text)
    report("error" if certain else "warning", text)
    if when_hopeless is not None and not others:
        when_hopeless()
    return True


def _of_certain(members: list[Wait], others: list[Any], handled: bool) -> str | None:
    """Calls that have not begun may be cancelled by others; the rest has one owner each."""
    things = [member.thing for member in members if member.cancellable]
    if not things:
        return "suspected" if handled else "certain"
    reaching = [frame for frame in others if reach.could(frame, things, ())]
    if any(reach.could(frame, things, ("cancel", "cancel_futures")) for frame in reaching):
        return None
    return "suspected" if reaching or handled else "certain"


def _of_suspected(members: list[Wait], others: list[Any], handled: bool) -> str | bool | None:
    free = [member for member in members if member.kind in OWNERLESS or (member.kind == "future" and not member.wakers)]
    if free and (others or handled):
        return None
    names = {thread.ident: thread for thread in threading.enumerate()}
    if free and all(member.thread in names and names[member.thread].daemon for member in members):
        return None  # nobody waits for threads that only serve
    loose = [member.thing for member in members if member.kind == "lock" and not member.thing._in_with]
    if loose and (handled or any(reach.could(frame, loose, ("release", "release_lock"), True) for frame in others)):
        return None
    if min(member.seconds for member in members) < PATIENCE:
        return False
    return "suspected"


def _has_handlers() -> bool:
    """Has the program handlers of its own, apart from what ends a wait by Ctrl-C?"""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler) and handler is not signal.default_int_handler:
            return True
    return False


def _grow(members: list[Wait]) -> bool:
    for member in members:
        if member.cancellable and _tasks.grow_pool_of(member.thing, MOST_GROWTH) > 0:
            text = f"all threads of a pool wait for calls that wait for one of them: it has a thread more ({words.thing(member)})"
            found.append(("grown", text))
            report("warning", text)
            return True
    return False


def _tell_order(edges: list[Any]) -> None:
    text = words.order(edges)
    found.append(("order", text))
    report("warning", text)


def report(level: str, text: str) -> None:
    """Log it from a thread of its own: who found it may have locks that handlers of the logger want."""
    global _reporting
    _reports.append((_LEVELS[level], text))
    if not _reporting:
        _reporting = True
        _thread.start_new_thread(_log_reports, ())


_LEVELS = {"error": 40, "warning": 30}


def _log_reports() -> None:
    global _reporting
    import logging

    try:
        while _reports:
            level, text = _reports.popleft()
            logging.getLogger("manycore").log(level, "%s", text)
    finally:
        _reporting = False
        # Python 3.11 keeps a thread object of everybody who logs.
        threading._active.pop(_thread.get_ident(), None)  # type: ignore[attr-defined]


def flush(seconds: float = 2.0) -> None:
    """Until everything has been logged."""
    end = time.monotonic() + seconds
    while (_reporting or _reports) and time.monotonic() < end:
        time.sleep(0.001)
