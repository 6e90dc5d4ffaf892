"""The fork server's own part: a small process that has loaded what worker processes need, and forks them for its program.

It is started by ``server_keeper.py``, which alone holds the other end of its socket, and ends with the program or that socket.
One worker is always forked already and waits for a request. Each becomes a child of the program: the process between it and the
server ends when the request is there, and the program adopts orphans meanwhile. So how a worker ended, and with what memory, is
the program's to ask, and the end of the server is nothing to workers.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import importlib.util
import json
import os
import pickle
import select
import signal
import socket
import struct
import sys
import time
import warnings
from collections import deque
from multiprocessing import process, resource_tracker, spawn, util
from typing import Any, NoReturn

from manycore.futures.worker_main import above_standard

MOST_BYTES = 1 << 17  # of a message
MOST_DESCRIPTORS = 16
READY = b"ready"

# The board is memory that server and program share: which process is between and which in store, written by themselves, and which
# worker was told of last, for when the server ends or nobody reads its answer; which was in store when somebody ended it, perhaps
# with the process between; then what the server is to know from the start.
PROCESS_ID = struct.Struct("=i")
BETWEEN, IN_STORE, TOLD, LOST, START = (place * PROCESS_ID.size for place in range(5))

serving = False  # in the server, not in its workers
inherited: list[int] = []  # in a worker: descriptors that came for it
board = -1


class Inherited:
    """What a descriptor's duplicate in a worker is pickled as."""

    def __init__(self, index: int) -> None:
        self.index = index

    def detach(self) -> int:
        return inherited[self.index]


def main(descriptor: int, program: int, shared: int, forked: bool = False) -> None:
    """Fork workers for whoever holds the other end of the socket, until it is closed. `forked`: from the program itself."""
    global serving, board
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # the terminal's Ctrl-C is the program's to act on
        signal.SIGCHLD: signal.signal(signal.SIGCHLD, signal.SIG_DFL),  # ignored where the program ignores it
    }
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # the program has blocked it until here
    # Modules that are loaded here have been loaded by the program: what they print, it has printed, what they read, it has read.
    nothing = above_standard(os.open(os.devnull, os.O_RDWR))
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    from manycore import _tasks

    _tasks.end_with(program)
    serving, board = True, shared
    with socket.socket(fileno=descriptor) as requests:
        start: dict[str, Any] = pickle.loads(os.pread(board, os.fstat(board).st_size - START, START))
        spawn.prepare(start["preparation"])
        if not forked:
            for name in ("os", "sys", "importlib", "spec", "main"):  # of the command that has brought us here
                vars(sys.modules["__main__"]).pop(name, None)
        for name in start["needed"]:
            _load(name)
        gc.freeze()  # what workers share with this process they need not look through
        requests.send(READY)
        os.dup2(nothing, 2)
        os.close(nothing)
        worker = _serve(requests, deque(start["useful"].items()))
    if worker is None:
        os._exit(0)  # what modules have registered for the end is not this process's
    for number, handler in before.items():
        signal.signal(number, handler)
    _work(worker)


def _serve(requests: socket.socket, useful: deque[tuple[str, str | None]]) -> list[int] | None:
    """None at the end; in a worker, the descriptors that came for it."""
    while True:
        if useful and not select.select([requests], [], [], 0)[0]:
            load(dict([useful.popleft()]))
            continue
        told, teller = os.pipe()
        between = _fork()
        if between == 0:
            os.close(told)
            return _wait_as_worker(requests, teller)
        os.close(teller)
        if between > 0:
            os.waitpid(between, 0)  # from now on the worker is the program's child
            note(BETWEEN, 0)
        with open(told, "rb") as file:
            pid, _, message = file.read().partition(b"\n")
        if between < 0 and (message := requests.recv(MOST_BYTES)):
            pid = b"%d" % between
        if message:
            note(TOLD, int(pid))
            requests.send(pid)
            _load_for(message)
        elif _is_over(requests):
            return None
        else:
            note(LOST, noted(board, IN_STORE))
            time.sleep(0.05)  # somebody has ended it; not again and again without a pause


def _wait_as_worker(requests: socket.socket, teller: int) -> list[int]:
    """Fork the worker before it is asked for; where it is, end, so that the program adopts it. Returns in the worker."""
    note(BETWEEN, os.getpid())
    go, say = os.pipe()
    pid = _fork()
    if pid < 0:
        os.write(teller, b"%d\n" % pid + requests.recv(MOST_BYTES))
        os._exit(0)
    if pid > 0:
        os.close(say)
        os.close(teller)
        requests.close()
        if not os.read(go, 1):
            os.waitpid(pid, 0)  # it has ended; the program, which adopts orphans perhaps, shall not find it
        os._exit(0)
    note(IN_STORE, os.getpid())
    os.close(go)
    message, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, MOST_DESCRIPTORS)
    if not message:
        os._exit(0)
    try:
        os.write(teller, b"%d\n" % os.getpid() + message)
    except BrokenPipeError:  # the server has ended, so the program asks another
        os._exit(0)
    os.close(teller)
    with contextlib.suppress(BrokenPipeError):
        os.write(say, b"g")
    os.close(say)
    os.close(board)
    _load_for(message)
    return descriptors


def note(place: int, pid: int) -> None:
    os.pwrite(board, PROCESS_ID.pack(pid), place)


def _is_over(requests: socket.socket) -> bool:
    try:
        return not requests.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _fork() -> int:
    """As `os.fork`, but an error is a negative number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: one that watches, and a library's, which knows forks
        try:
            return os.fork()
        except OSError as error:
            return -(error.errno or errno.EAGAIN)


def noted(on: int, place: int) -> int:
    return int(PROCESS_ID.unpack(os.pread(on, PROCESS_ID.size, place))[0])


def _load_for(message: bytes) -> None:
    wish = json.loads(message)
    sys.path[:] = wish["path"]
    load(wish["modules"])


def load(modules: dict[str, str | None]) -> None:
    """Import them once for all workers, if they are the program's: of the same origin."""
    for name, origin in modules.items():
        if name not in sys.modules:
            _load(name, origin)


def _load(name: str, *origin: str | None) -> None:
    """One that fails here is the worker's to import, and its error its call's."""
    current = process.current_process()
    current._inheriting = True  # type: ignore[attr-defined]  # a module that starts processes does not belong here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not origin or getattr(importlib.util.find_spec(name), "origin", "") == origin[0]:
                __import__(name)
    except BaseException:  # SystemExit too
        pass
    finally:
        del current._inheriting  # type: ignore[attr-defined]
        util._flush_std_streams()  # type: ignore[attr-defined]  # or each worker would print it


def _seed() -> None:
    """NumPy's global generator has the server's state, as other workers' have; Python's own looks after itself."""
    if (random := sys.modules.get("numpy.random")) is not None:
        random.seed()


def _work(descriptors: list[int]) -> NoReturn:
    """Like multiprocessing's forked processes, with the program's environment, folder and output of this moment."""
    global serving
    serving = False
    code = 1
    if sys.version_info >= (3, 13):  # before, `_bootstrap` ends what multiprocessing has open
        atexit._clear()
        atexit.register(util._exit_function)  # type: ignore[attr-defined]
    try:
        order, program, folder, *rest = descriptors
        inherited[:] = rest[3:]
        for place, number in enumerate(rest[:3]):
            os.dup2(number, place)
            os.close(number)
        with contextlib.suppress(PermissionError):
            os.fchdir(folder)
        os.close(folder)
        current = process.current_process()
        with open(order, "rb") as file:
            current._inheriting = True  # type: ignore[attr-defined]
            try:
                preparation = pickle.load(file)
                environment, tracker = preparation.pop("environment"), preparation.pop("tracker")
                if tracker is not None:
                    resource_tracker._resource_tracker._fd = inherited[tracker]  # type: ignore[attr-defined]
                if environment != dict(os.environ):
                    os.environ.clear()
                    os.environ.update(environment)
                spawn.prepare(preparation)
                _seed()
                task = pickle.load(file)
            except EOFError:  # the program has given it up
                os._exit(0)
            finally:
                del current._inheriting  # type: ignore[attr-defined]
        code = task._bootstrap(parent_sentinel=program)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        with contextlib.suppress(Exception):
            sys.stderr.flush()
    finally:
        if sys.version_info >= (3, 13):
            atexit._run_exitfuncs()
        os._exit(code)
