"""The program's side of the fork server: starts it when it is first wanted, once a process, and asks it for workers.

It ends with the program; where it ends before, another is started.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import multiprocessing
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import process, spawn, util
from types import FunctionType, ModuleType
from typing import Any

import manycore
from manycore import _tasks
from manycore.futures import fork_server, server_fork
from manycore.futures.worker_main import above_standard, parent_descriptor

# Loaded before the server is ready: what each worker needs before it can run any call.
_NEEDED = ("concurrent.futures.process", "manycore.futures.server_context", "cloudpickle")
_START_SECONDS = 60.0  # until something is wrong
_ANSWER_SECONDS = 5.0  # a module that it loads may wait for what only the program has: the next server loads none
_USUAL_START = 0.1
# The very package of the program, and all else from where interpreters have it: neither from the working folder, whose files may
# have names of standard modules, nor in one that has been deleted, where Python 3.13.0 imports nothing.
_COMMAND = """
import os, sys
try:
    os.getcwd()
except OSError:
    os.chdir("/")
sys.path[:] = filter(None, sys.path)
import importlib.util
spec = importlib.util.spec_from_file_location("manycore", {file!r})
sys.modules["manycore"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["manycore"])
from manycore.futures.fork_server import main
main{passed}
"""
_LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})


class ServerGone(OSError):
    """The server has ended, or cannot be started. The next one may do better."""


class ForkServer:
    """Thread-safe. One request at a time is on its way."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pid = 0
        self.socket: socket.socket | None = None
        self.board = -1  # fork_server.py says what is on it
        self.told = 0  # the last process that the server has told of
        self.has_failed = False  # perhaps by what it has loaded
        self.ready = False
        self.begun = 0.0
        self.closed = False
        self.inherits: tuple[Any, ...] = ()  # as _inherited(), when it was started
        self.wanted: dict[str, str | None] = {}  # modules to import before the next fork, and their origins

    def seconds_until_ready(self) -> float:
        if self.ready:
            return 0.0
        return max(0.0, _USUAL_START - (time.monotonic() - self.begun)) if self.begun else _USUAL_START

    def start(self, as_fork: bool = False) -> None:
        """Until it is ready; `as_fork`: of the program, if there is none yet. ServerGone where it cannot be started."""
        with self.lock:
            self._start(as_fork)

    def want(self, module: str | None) -> None:
        """Workers that are forked from now on will need it."""
        if module is not None and module != "__main__" and (spec := _spec(module)) is not None:
            self.wanted[module] = spec.origin

    def fork(self, descriptors: list[int]) -> int:
        """The id of a new process, this one's child, to which the descriptors go. After ServerGone one may have them too."""
        with self.lock:
            self._start()
            answer = int(self._ask(self._wish(), descriptors) or 0)
            self.told = answer
            if answer > 0:
                self._collect_lost()
            if answer == 0:
                self._give_up()
                self.has_failed = True
                raise ServerGone(errno.ECHILD, "manycore's fork server ends before it has forked a worker process")
        if answer < 0:
            raise OSError(-answer, f"manycore's fork server: {os.strerror(-answer)}")
        try:
            os.waitid(os.P_PID, answer, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # somebody has ended the process between, or collected this one
            raise ServerGone(errno.ECHILD, f"manycore's fork server: worker process {answer} is lost") from None
        return answer

    def _wish(self) -> bytes:
        path = [entry for entry in _path() if isinstance(entry, str)]  # all that importing looks at
        wish = json.dumps({"path": path, "modules": {} if self.has_failed else self.wanted}).encode()
        return wish if len(wish) < fork_server.MOST_BYTES else json.dumps({"path": path, "modules": {}}).encode()

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
        if self.board >= 0:
            os.close(self.board)
        self.__init__()  # type: ignore[misc]

    def _ask(self, message: bytes, descriptors: list[int]) -> bytes:
        """Empty where the server has ended."""
        assert self.socket is not None
        try:
            before = _tasks.adopt_orphans(True)
            try:
                socket.send_fds(self.socket, [message], descriptors)
                return self.socket.recv(fork_server.MOST_BYTES)
            finally:
                _tasks.adopt_orphans(before)
        except OSError:
            return b""
        except BaseException:  # Ctrl-C: what is answered now nobody would read
            self._give_up()
            raise

    def _start(self, as_fork: bool = False) -> None:
        inherits = _inherited()
        if self.socket is not None:
            try:
                alive = os.waitpid(self.pid, os.WNOHANG)[0] == 0
            except ChildProcessError:  # collected by somebody who waits for any child
                alive = False
            if alive and self.inherits == inherits:
                return
            self.has_failed = self.has_failed or not alive
            self.pid = self.pid if alive else 0
            self._give_up()
        self.begun = time.monotonic()
        useful = {} if self.has_failed or as_fork else {**self.wanted, **_modules_of_main()}
        self.inherits = inherits
        start = {"preparation": preparation("manycore-fork-server"), "needed": _NEEDED, "useful": useful}
        self.board = above_standard(os.memfd_create("manycore-fork-server"))
        with open(self.board, "wb", closefd=False) as file:
            file.write(bytes(fork_server.START) + pickle.dumps(start))
        self._spawn(as_fork)
        if self.closed:
            self._kill()
        self._wait_until_ready()

    def _spawn(self, as_fork: bool) -> None:
        ours, theirs = (
            socket.socket(fileno=above_standard(end.detach())) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        )
        with theirs:
            passed = (theirs.fileno(), parent_descriptor(), self.board)
            if as_fork:
                self.socket = ours  # before the fork: there it is closed, or who waits for its end would hold it open
                self.pid = server_fork.fork(passed)
                return
            executable = spawn.get_executable()
            command = _COMMAND.format(file=os.path.abspath(manycore.__file__), passed=passed)
            arguments = [executable, *util._args_from_interpreter_flags(), "-c", command]  # type: ignore[attr-defined]
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until it ignores the terminal's Ctrl-C
            try:
                with _standard_numbers_taken():
                    self.pid = util.spawnv_passfds(os.fsencode(executable), arguments, passed)
            except BaseException:
                ours.close()
                raise
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self.socket = ours

    def _wait_until_ready(self) -> None:
        assert self.socket is not None
        try:
            self.socket.settimeout(_START_SECONDS)
            ready = self.socket.recv(fork_server.MOST_BYTES)
            self.socket.settimeout(_ANSWER_SECONDS)
        except OSError as error:
            self._give_up()
            raise ServerGone(error.errno or errno.ECHILD, f"manycore's fork server does not start: {error}") from error
        except BaseException:
            self._give_up()
            raise
        if ready != fork_server.READY:
            self._give_up()
            raise ServerGone(errno.ECHILD, "manycore's fork server does not start: it ends before it is ready")
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
        if self.board >= 0:
            self._collect()
            os.close(self.board)
            self.board = -1

    def _collect(self) -> None:
        """Processes that were adopted and of which the server did not tell any more."""
        for place in (fork_server.BETWEEN, fork_server.IN_STORE, fork_server.TOLD, fork_server.LOST):
            pid = fork_server.noted(self.board, place)
            if pid <= 0 or pid == self.told:
                continue
            with contextlib.suppress(ChildProcessError, ProcessLookupError):  # where they are not this process's
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def _collect_lost(self) -> None:
        """One in store that ended, and whose parent ended, while this process adopted orphans."""
        pid = fork_server.noted(self.board, fork_server.LOST)
        if pid <= 0:
            return
        os.pwrite(self.board, fork_server.PROCESS_ID.pack(0), fork_server.LOST)
        with contextlib.suppress(ChildProcessError):  # where it was not adopted
            for _ in range(20):
                if os.waitpid(pid, os.WNOHANG)[0] != 0:
                    break
                time.sleep(0.001)  # it has closed its descriptors, so it ends

    def _kill(self) -> None:
        """It has nothing to finish. One of a user whom the program was before ends by itself: its socket is closed."""
        if self.pid > 0:
            with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # is it still this process's?
                os.kill(self.pid, signal.SIGKILL)


server = ForkServer()
os.register_at_fork(after_in_child=server.leave_to_parent)
atexit.register(server.stop)


def _path() -> list[str]:
    return [entry if entry != "" else process.ORIGINAL_DIR or "" for entry in sys.path]  # type: ignore[attr-defined]


def preparation(name: str) -> dict[str, Any]:
    """What multiprocessing tells a new interpreter, but for the program's file, which nobody runs again, and the folder, which
    travels as a descriptor: it may have no name any more."""
    try:
        data = spawn.get_preparation_data(name)
    except FileNotFoundError:
        data = _without_folder(name)
    for key in ("init_main_from_name", "init_main_from_path", "authkey", "dir"):
        data.pop(key, None)
    return data


def _without_folder(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "log_to_stderr": util._log_to_stderr,  # type: ignore[attr-defined]
        "sys_path": _path(),
        "sys_argv": sys.argv,
        "orig_dir": process.ORIGINAL_DIR,  # type: ignore[attr-defined]
        "start_method": multiprocessing.get_start_method(),
        **hook(),
    }


def _inherited() -> tuple[Any, ...]:
    """What processes have from whom they are forked: where it has changed, a server is not what the program is any more."""
    root = os.stat("/")
    with open("/proc/self/status", "rb") as file:
        mask = next((line for line in file if line.startswith(b"Umask")), b"")
    return (
        bool(hook()),
        (os.getresuid(), os.getresgid(), os.getgroups(), mask, root.st_dev, root.st_ino),
        (os.getsid(0), os.getpgid(0), os.getpriority(os.PRIO_PROCESS, os.getpid()), os.sched_getaffinity(os.getpid())),
        [resource.getrlimit(number) for number in _LIMITS],
    )


def hook() -> dict[str, Any]:
    """What new interpreters are told of `manycore run`; nothing where the program does not run under it."""
    children = sys.modules.get("manycore.run.children")
    return children.entry() if children is not None else {}


def _spec(module: str) -> Any:
    return getattr(sys.modules.get(module), "__spec__", None)


def _modules_of_main() -> dict[str, str | None]:
    """Those that the program's file has imported, itself or names from them, and their origins: its calls will want some."""
    found: dict[str, str | None] = {}
    for value in list(vars(sys.modules["__main__"]).values()):
        # Its true type: proxies run code when they are asked for their class.
        if not issubclass(type(value), ModuleType | FunctionType | type):
            continue
        name = value.__name__ if issubclass(type(value), ModuleType) else value.__module__
        if isinstance(name, str) and name != "__main__" and (spec := _spec(name)) is not None:
            found[name] = spec.origin
    return found


@contextlib.contextmanager
def _standard_numbers_taken() -> Iterator[None]:
    """While they are closed, multiprocessing's pipes would get them, and it starts nothing then."""
    with contextlib.ExitStack() as opened:
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            opened.callback(os.close, number)
        os.close(number)
        yield
