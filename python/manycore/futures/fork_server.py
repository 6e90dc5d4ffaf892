"""The fork server's own part: a small process that has loaded what worker processes need, and forks them for its program.

It is started by ``server_context.py``, which alone holds the other end of its socket, and ends with the program or that socket.
One worker is always forked already and waits for a request. Each becomes a child of the program: the process between it and the
server ends when the request is there, and the program adopts orphans meanwhile. So how a worker ended, and with what memory, is
the program's to ask, and the end of the server is nothing to workers.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import pickle
import select
import signal
import socket
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterable
from multiprocessing import process, resource_tracker, spawn
from typing import Any, NoReturn

MOST_BYTES = 1 << 17  # of a message
MOST_DESCRIPTORS = 16
READY = b"ready"

serving = False  # in the server, not in its workers
inherited: list[int] = []  # in a worker: descriptors that came for it


class Inherited:
    """What a descriptor's duplicate in a worker is pickled as."""

    def __init__(self, index: int) -> None:
        self.index = index

    def detach(self) -> int:
        return inherited[self.index]


def main(descriptor: int, program: int) -> None:
    """Fork workers for whoever holds the other end of the socket, until it is closed."""
    global serving
    from manycore import _tasks

    _tasks.end_with(program)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the program's to act on
    serving = True
    with socket.socket(fileno=descriptor) as requests:
        start: dict[str, Any] = pickle.loads(requests.recv(MOST_BYTES))
        spawn.prepare(start["preparation"])
        vars(sys.modules["__main__"]).pop("main", None)
        load(start["needed"])
        gc.freeze()  # what workers share with this process they need not look through
        requests.send(READY)
        worker = _serve(requests, deque(start["useful"]))
    if worker is None:
        os._exit(0)  # what modules have registered for the end is not this process's
    signal.signal(signal.SIGINT, before)
    _work(worker)


def _serve(requests: socket.socket, useful: deque[str]) -> list[int] | None:
    """None at the end; in a worker, the descriptors that came for it."""
    while True:
        if useful and not select.select([requests], [], [], 0)[0]:
            load([useful.popleft()])
            continue
        told, teller = os.pipe()
        between = _fork()
        if between == 0:
            os.close(told)
            return _wait_as_worker(requests, teller)
        os.close(teller)
        if between > 0:
            os.waitpid(between, 0)  # from now on the worker is the program's child
        with open(told, "rb") as file:
            pid, _, message = file.read().partition(b"\n")
        if between < 0 and (message := requests.recv(MOST_BYTES)):
            pid = b"%d" % between
        if message:
            requests.send(pid)
            load(json.loads(message))
        elif _is_over(requests):
            return None
        else:
            time.sleep(0.05)  # somebody has ended it; not again and again without a pause


def _wait_as_worker(requests: socket.socket, teller: int) -> list[int]:
    """Fork the worker before it is asked for; where it is, end, so that the program adopts it. Returns in the worker."""
    go, say = os.pipe()
    pid = _fork()
    if pid < 0:
        os.write(teller, b"%d\n" % pid + requests.recv(MOST_BYTES))
        os._exit(0)
    if pid > 0:
        os.close(say)
        os.close(teller)
        requests.close()
        os.read(go, 1)  # nothing where it has ended
        os._exit(0)
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
    load(json.loads(message))
    return descriptors


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


def load(modules: Iterable[str]) -> None:
    """Import them once for all workers; one that fails here is the worker's to import, and its error its call's."""
    current = process.current_process()
    for name in modules:
        if name in sys.modules:
            continue
        current._inheriting = True  # type: ignore[attr-defined]  # a module that starts processes does not belong here
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                __import__(name)
        except BaseException:  # SystemExit too
            pass
        finally:
            del current._inheriting  # type: ignore[attr-defined]


def _work(descriptors: list[int]) -> NoReturn:
    """Like multiprocessing's forked processes, with the program's environment, folder and output of this moment."""
    global serving
    serving = False
    code = 1
    try:
        order, output, errors, program, *rest = descriptors
        inherited[:] = rest
        for number, place in ((output, 1), (errors, 2)):
            os.dup2(number, place)
            os.close(number)
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
        os._exit(code)
