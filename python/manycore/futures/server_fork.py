"""The fork server as a fork of the program, which has loaded what workers need: ready in a few milliseconds.

Only of a program that is small and does nothing else at that moment, early in its life, on the main thread: a fork has all that
the program has open, and none of its threads.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sys
import threading
import types
import warnings
from multiprocessing import util
from typing import Any, NoReturn

from manycore import _tasks
from manycore.futures import fork_server

_MOST_BYTES = 256 << 20  # of memory; all of it stays as it is as long as the server lives
_HARMLESS = re.compile(r"/(?!dev/)|/dev/(null|u?random|shm/)|anon_inode:\[pidfd\]")
_kept: list[Any] = []  # of the program, in the server: nothing of it is to be finalized there


def is_possible() -> bool:
    if multiprocessing.get_all_start_methods()[0] != "fork" or threading.current_thread() is not threading.main_thread():
        return False
    if threading.active_count() > 1 or sys.gettrace() is not None or sys.getprofile() is not None:
        return False
    try:
        threads = len(os.listdir("/proc/self/task"))
        with open("/proc/self/statm", "rb") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return False
    # OpenBLAS ends its threads before a fork. Others', of OpenMP for one, would be missed by the workers.
    return resident <= _MOST_BYTES and threads <= 1 + _tasks.thread_limits()[2] and not _has_connections()


def _has_connections() -> bool:
    """Has the program opened sockets, pipes or devices? Their other ends would wait for the server to close them too. What it was
    started with is inheritable still, and nothing that it opened."""
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if number > 2 and not os.get_inheritable(number) and not _HARMLESS.match(os.readlink(f"/proc/self/fd/{number}")):
                return True
    return False


def fork(passed: tuple[int, int, int]) -> int:
    """The server's process id. `passed` as `fork_server.main` takes them."""
    board = os.dup(passed[2])  # the program's is closed in every child of fork
    util._flush_std_streams()  # type: ignore[attr-defined]  # or workers would print what waits there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of OpenBLAS's threads
            pid = os.fork()
        if pid == 0:
            _serve((*passed[:2], board))
    finally:
        os.close(board)
    return pid


def _serve(passed: tuple[int, int, int]) -> NoReturn:
    code = 1
    try:
        _forget_program()
        fork_server.main(*passed, forked=True)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _forget_program() -> None:
    """As in an interpreter that has only imported what the program has."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _kept.append(sys.modules["__main__"])
    sys.modules["__main__"] = types.ModuleType("__main__")
    for name, module in list(sys.modules.items()):
        if getattr(getattr(module, "__spec__", None), "_initializing", False):  # workers import it anew, to its end
            _kept.append(sys.modules.pop(name))
