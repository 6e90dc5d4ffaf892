"""The program's side of the fork server: a multiprocessing context whose processes are forked from a small process and not from
the program, whose memory would have to be mapped for each anew.

The server starts when it is first wanted, and once a process. It ends with the program; where it ends before, another is started.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import importlib.util
import io
import json
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
import weakref
from multiprocessing import context, popen_fork, process, reduction, resource_tracker, spawn, util
from types import FunctionType, ModuleType
from typing import IO, Any

from manycore import _tasks
from manycore.futures import fork_server
from manycore.futures.worker_main import parent_descriptor

# Loaded before the server is ready: what each worker needs before it can run any call.
_NEEDED = ("concurrent.futures.process", "manycore.futures.server_context", "cloudpickle")
_START_SECONDS = 60.0  # until something is wrong
_USUAL_START = 0.1
_ATTEMPTS = 3  # to fork, each with another server where one ends meanwhile


class ServerGone(OSError):
    """The server has ended, or cannot be started. The next one may do better."""


class ForkServer:
    """Thread-safe. One request at a time is on its way."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pid = 0
        self.socket: socket.socket | None = None
        self.ready = False
        self.begun = 0.0
        self.closed = False
        self.hook: str | None = None  # as _hook(), when it was started
        self.wanted: dict[str, None] = {}  # modules to import before the next fork

    def seconds_until_ready(self) -> float:
        if self.ready:
            return 0.0
        return max(0.0, _USUAL_START - (time.monotonic() - self.begun)) if self.begun else _USUAL_START

    def start(self) -> None:
        """Until it is ready. ServerGone where it cannot be started."""
        with self.lock:
            self._start()

    def want(self, module: str | None) -> None:
        """Workers that are forked from now on will need it."""
        if module is not None and module != "__main__":
            self.wanted[module] = None

    def fork(self, descriptors: list[int]) -> int:
        """The id of a new process, this one's child, to which the descriptors go. After ServerGone one may have them too."""
        with self.lock:
            self._start()
            answer = self._ask(json.dumps(list(self.wanted)).encode(), descriptors)
            if not answer:
                self._give_up()
                raise ServerGone(errno.ECHILD, "manycore's fork server ends before it has forked a worker process")
        if int(answer) <= 0:
            raise OSError(-int(answer), f"manycore's fork server: {os.strerror(-int(answer))}")
        return int(answer)

    def stop(self) -> None:
        """At the program's end."""
        self.closed = True
        self._kill()  # so that who waits for it now lets go of the lock
        if self.lock.acquire(timeout=5):
            self._give_up()
            self.lock.release()

    def leave_to_parent(self) -> None:
        """In a child of fork."""
        if self.socket is not None:
            self.socket.close()
        self.__init__()  # type: ignore[misc]

    def _ask(self, message: bytes, descriptors: list[int]) -> bytes:
        assert self.socket is not None
        before = _tasks.adopt_orphans(True)
        try:
            socket.send_fds(self.socket, [message], descriptors)
            return self.socket.recv(fork_server.MOST_BYTES)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        except BaseException:  # Ctrl-C: what is answered now nobody would read
            self._give_up()
            raise
        finally:
            _tasks.adopt_orphans(before)

    def _start(self) -> None:
        if self.socket is not None:
            try:
                alive = os.waitpid(self.pid, os.WNOHANG)[0] == 0
            except ChildProcessError:  # collected by somebody who waits for any child
                alive = False
            if alive and self.hook == _hook():
                return
            self.pid = self.pid if alive else 0
            self._give_up()
        self.begun = time.monotonic()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            program = parent_descriptor()
            command = (
                # Not the working folder, whose files may have names of standard modules.
                f"import sys; sys.path[:] = [*filter(None, sys.path), {_folder_of_package()!r}]; "
                f"from manycore.futures.fork_server import main; main({theirs.fileno()}, {program})"
            )
            executable = spawn.get_executable()
            arguments = [executable, *util._args_from_interpreter_flags(), "-c", command]  # type: ignore[attr-defined]
            try:
                self.pid = util.spawnv_passfds(os.fsencode(executable), arguments, [theirs.fileno(), program])
            except BaseException:
                ours.close()
                raise
        self.socket = ours
        if self.closed:
            self._kill()
        ours.settimeout(_START_SECONDS)
        try:
            self.hook = _hook()
            start = {"preparation": _preparation("manycore-fork-server"), "needed": _NEEDED, "useful": _modules_of_main()}
            ours.send(pickle.dumps(start))
            ready = ours.recv(fork_server.MOST_BYTES)
        except OSError as error:
            self._give_up()
            raise ServerGone(error.errno or errno.ECHILD, f"manycore's fork server does not start: {error}") from error
        except BaseException:
            self._give_up()
            raise
        if ready != fork_server.READY:
            self._give_up()
            raise ServerGone(errno.ECHILD, "manycore's fork server does not start: it ends before it is ready")
        ours.settimeout(None)
        self.ready = True

    def _give_up(self) -> None:
        self.ready = False
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.pid > 0:
            self._kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.pid = 0

    def _kill(self) -> None:
        """It has nothing to finish."""
        if self.pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


server = ForkServer()
os.register_at_fork(after_in_child=server.leave_to_parent)
atexit.register(server.stop)


def _folder_of_package() -> str:
    import manycore

    return os.path.dirname(os.path.dirname(os.path.abspath(manycore.__file__)))


def _preparation(name: str) -> dict[str, Any]:
    """What multiprocessing tells a new interpreter, but for the program's file, which nobody runs again."""
    data = spawn.get_preparation_data(name)
    for key in ("init_main_from_name", "init_main_from_path", "authkey"):
        data.pop(key, None)
    return data


def _hook() -> str | None:
    """Under which key new interpreters are told of `manycore run`; None where the program does not run under it."""
    hook, children = (sys.modules.get(f"manycore.run.{name}") for name in ("import_hook", "children"))
    return children.KEY if hook is not None and children is not None and hook.is_installed() else None


def _modules_of_main() -> list[str]:
    """Those that the program's file has imported, itself or names from them: its calls will want some."""
    names: dict[str, None] = {}
    for value in list(vars(sys.modules["__main__"]).values()):
        # Its true type: proxies run code when they are asked for their class.
        if not issubclass(type(value), ModuleType | FunctionType | type):
            continue
        name = value.__name__ if issubclass(type(value), ModuleType) else value.__module__
        if isinstance(name, str) and name != "__main__" and getattr(sys.modules.get(name), "__spec__", None) is not None:
            names[name] = None
    return list(names)


def _close(file: IO[bytes]) -> None:
    """A process that is killed at once, and reads nothing, is noticed as one that dies later."""
    with contextlib.suppress(BrokenPipeError):
        file.close()


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
                    raise

    def _launch_with(self, order: bytes) -> None:
        with contextlib.ExitStack() as opened:
            # Of this attempt alone: a process that nobody knows of, since the server has ended, finds nothing in it and ends.
            read, write = os.pipe()
            opened.callback(os.close, read)
            file = open(write, "wb")  # noqa: SIM115
            opened.callback(_close, file)
            outputs = []
            for number in (1, 2):
                try:
                    os.fstat(number)
                except OSError:
                    number = os.open(os.devnull, os.O_WRONLY)
                    opened.callback(os.close, number)
                outputs.append(number)
            self.pid = server.fork([read, *outputs, parent_descriptor(), *self.descriptors])
            self.sentinel = _tasks.open_process(self.pid)
            self.finalizer = util.Finalize(self, util.close_fds, (self.sentinel,))  # type: ignore[attr-defined]
            with contextlib.suppress(BrokenPipeError):
                file.write(order)

    def _order(self, process_object: ServerProcess) -> bytes:
        tracker = resource_tracker._resource_tracker._fd  # type: ignore[attr-defined]
        data = {
            **_preparation(process_object.name),
            "authkey": process.current_process().authkey,
            "environment": dict(os.environ),
            "tracker": None if tracker is None else self.duplicate_for_child(tracker),
        }
        if (hook := _hook()) is not None:  # forked workers have it
            data.pop(hook, None)
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


# Of functions of `__main__`, by themselves: may they be sent by value? They go with the globals that they use.
_travelling: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
_MOST_TRAVELLING = 1 << 20  # bytes


def travels(function: Any) -> bool:
    """False for a function of ``__main__`` that uses what cannot be pickled, or much: a fork of the program has that already."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if getattr(function, "__module__", None) != "__main__":
        return True
    try:
        known = _travelling.get(function)
        if known is None:
            known = _travelling[function] = _travels(function)
        return known
    except TypeError:  # nothing that is kept by reference or hashed
        return _travels(function)


def _travels(function: Any) -> bool:
    import cloudpickle  # type: ignore[import-untyped]

    buffers: list[pickle.PickleBuffer] = []
    try:
        size = len(cloudpickle.dumps(function, 5, buffer_callback=buffers.append))
    except Exception:
        return False
    return size + sum(buffer.raw().nbytes for buffer in buffers) <= _MOST_TRAVELLING


@functools.cache
def _has_cloudpickle() -> bool:
    return importlib.util.find_spec("cloudpickle") is not None


def usable() -> bool:
    """May workers come from the server? Not where the program has chosen a start method other than the interpreter's own, in a
    worker process, or where functions of ``__main__`` could not be sent by value."""
    if fork_server.serving or multiprocessing.parent_process() is not None or getattr(sys, "frozen", False):
        return False
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen in (None, multiprocessing.get_all_start_methods()[0]) and _has_cloudpickle()
