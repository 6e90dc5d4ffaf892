"""A multiprocessing context whose processes are forked from the fork server, which is small, and not from the program.

The program's memory would have to be mapped for each anew.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import context, popen_fork, process, reduction, resource_tracker, spawn, util
from typing import IO

from manycore import _tasks
from manycore.futures import fork_server
from manycore.futures.server_keeper import ServerGone, hook, preparation, server
from manycore.futures.worker_main import parent_descriptor

_ATTEMPTS = 3  # to fork, each with another server where one ends meanwhile


@contextlib.contextmanager
def _closing(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """A process that is killed at once, and reads nothing, is noticed as one that dies later."""
    try:
        yield file
    finally:
        with contextlib.suppress(BrokenPipeError):
            file.close()


def _open_folder() -> int:
    """The working folder, which may have been deleted, or be out of bounds by now."""
    try:
        return os.open(".", os.O_PATH | os.O_DIRECTORY)
    except PermissionError:
        return os.open("/proc/self/cwd", os.O_PATH | os.O_DIRECTORY)


class Popen(popen_fork.Popen):
    method = "server"
    DupFd = fork_server.Inherited

    def __init__(self, process_object: ServerProcess) -> None:
        self.descriptors: list[int] = []
        super().__init__(process_object)

    def duplicate_for_child(self, descriptor: int) -> int:
        self.descriptors.append(descriptor)
        return len(self.descriptors) - 1

    def _launch(self, process_object: ServerProcess) -> None:
        order = self._order(process_object)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._launch_with(order)
                return
            except ServerGone:
                if attempt == _ATTEMPTS:
                    super()._launch(process_object)  # type: ignore[misc]  # as a fork of the program

    def _launch_with(self, order: bytes) -> None:
        with contextlib.ExitStack() as opened:

            def descriptor(number: int) -> int:
                opened.callback(os.close, number)
                return number

            streams = []
            for number in range(3):
                try:
                    streams.append(descriptor(os.dup(number)))
                except OSError:
                    streams.append(descriptor(os.open(os.devnull, os.O_RDWR)))
            folder = descriptor(_open_folder())
            # Of this attempt alone: a process that nobody knows of, since the server has ended, finds nothing in it and ends.
            read, write = os.pipe()
            file = opened.enter_context(_closing(open(write, "wb")))  # noqa: SIM115
            with open(read, "rb"):  # until it is the process's alone, so that its end is the end of writing
                self.pid = server.fork([read, parent_descriptor(), folder, *streams, *self.descriptors])
            try:
                self.sentinel = _tasks.open_process(self.pid)
            except OSError as error:
                with contextlib.suppress(ProcessLookupError, ChildProcessError):  # somebody has ended and collected it
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                raise ServerGone(*error.args) from error
            self.finalizer = util.Finalize(self, util.close_fds, (self.sentinel,))  # type: ignore[attr-defined]
            with contextlib.suppress(BrokenPipeError):
                file.write(order)

    def _order(self, process_object: ServerProcess) -> bytes:
        tracker = resource_tracker._resource_tracker._fd  # type: ignore[attr-defined]
        data = {
            **preparation(process_object.name),
            "authkey": process.current_process().authkey,
            "environment": dict(os.environ),
            "tracker": None if tracker is None else self.duplicate_for_child(tracker),
        }
        for key in hook():
            data.pop(key, None)  # the server has it
        file = io.BytesIO()
        context.set_spawning_popen(self)  # type: ignore[arg-type]
        try:
            reduction.dump(data, file)
            reduction.dump(process_object, file)
        finally:
            context.set_spawning_popen(None)
        return file.getvalue()


class ServerProcess(process.BaseProcess):
    _start_method = None  # pools in workers are of the program's

    @staticmethod
    def _Popen(process_object: ServerProcess) -> Popen:
        return Popen(process_object)


class ServerContext(context.BaseContext):
    _name = "server"
    Process = ServerProcess


_context = ServerContext()


def started() -> ServerContext:
    """The context, whose server is ready. OSError where it cannot be started."""
    server.start()
    return _context


@functools.cache
def _has_cloudpickle() -> bool:
    return importlib.util.find_spec("cloudpickle") is not None


def usable() -> bool:
    """May workers come from the server? Not where the program has chosen a start method other than the interpreter's own, in a
    worker process, where functions of ``__main__`` could not be sent by value, or where an interpreter is embedded."""
    if fork_server.serving or multiprocessing.parent_process() is not None:
        return False
    if getattr(sys, "frozen", False) or not sys.orig_argv or not spawn.get_executable():
        return False
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen in (None, multiprocessing.get_all_start_methods()[0]) and _has_cloudpickle()
