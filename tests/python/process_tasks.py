"""Functions that worker processes of the tests run: importable, so that every start method finds them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

GLOBAL = "at import"


def double(x: Any) -> Any:
    return x * 2


def worker_pid(*_: object) -> int:
    return os.getpid()


def with_keywords(*args: object, **kwargs: object) -> tuple[Any, Any]:
    return args, kwargs


def fail(text: str) -> None:
    raise ValueError(text)


def fail_at(x: int, at: int) -> int:
    if x == at:
        raise ValueError(f"item {x}")
    return x


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die(how: str) -> None:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "segfault":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        ctypes.string_at(0)
    elif how == "exit":
        os._exit(7)
    elif how == "abort":
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()


def leave_quietly() -> None:
    sys.exit(3)


def set_global(value: str) -> None:
    global GLOBAL
    GLOBAL = value


def get_global() -> str:
    return GLOBAL


def fail_to_start() -> None:
    raise RuntimeError("no start")


def die_once(path: str) -> str:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        die("kill")
    return "second time"


class DiesWhenPickled:
    def __reduce__(self) -> Any:
        if os.environ.get("PROCESS_TEST_PARENT") != str(os.getpid()):
            die("kill")
        return (DiesWhenPickled, ())


class DiesWhenUnpickled:
    def __reduce__(self) -> Any:
        return (die, ("kill",))


class FailsWhenPickled:
    def __reduce__(self) -> Any:
        raise ArithmeticError("not to be pickled")


class FailsWhenUnpickled:
    def __reduce__(self) -> Any:
        return (fail, ("not to be unpickled",))


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("unpicklable")
        self.lock = threading.Lock()


def return_unpicklable() -> object:
    return FailsWhenPickled()


def return_unreadable() -> object:
    return FailsWhenUnpickled()


def raise_unpicklable() -> None:
    raise UnpicklableError


def die_while_sending() -> object:
    return DiesWhenPickled()


def total(array: Any) -> tuple[int, float]:
    return os.getpid(), float(array.sum())


def write_first(array: Any) -> float:
    array[0] = -1.0
    return float(array[0])


def ones(count: int) -> Any:
    import numpy

    return numpy.ones(count)


def length(data: Any) -> int:
    return len(data)


def big_bytes(count: int) -> bytes:
    return b"x" * count


def start_child_and_wait(path: str) -> None:
    child = os.fork()
    if child == 0:
        with open(path + ".new", "w") as file:
            file.write(f"{os.getpid()} {os.getppid()}")
        os.rename(path + ".new", path)
        while True:
            signal.pause()
    while True:
        time.sleep(1)


def reciprocal(x: int) -> float:
    return 1 / x


def identity_or_text(x: int) -> int | str:
    return str(x) if x % 100 == 99 else x


def identity(x: Any) -> Any:
    return x


POOL: Any = None


def double_in_own_pool(x: int) -> int:
    """Through the pool that this worker inherited, which has to be one of its own here."""
    answer = POOL.submit(double, x).result(30)
    POOL.shutdown()
    return int(answer)


def limit_memory() -> None:
    """This process may take 256 MiB more than it has."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def start_child() -> int:
    child = os.fork()
    while child == 0:
        signal.pause()
    return child


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def fork_and_wait() -> tuple[int, int]:
    child = os.fork()
    if child == 0:
        os._exit(5)
    return os.getpid(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def sum_in_own_pool(count: int) -> int:
    from manycore.futures.process import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(double, range(count)))


def pids_of_own_pool() -> list[int]:
    from manycore.futures.process import ProcessPoolExecutor

    global GLOBAL
    pool = ProcessPoolExecutor(2)
    GLOBAL = pool  # type: ignore[assignment]  # it ends with the process and no sooner
    pool.submit(nap, 0).result()
    return list(pool._processes or ())


def ignore_signals() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return os.getpid()


def raise_at_signal() -> int:
    def handle(*_: object) -> None:
        raise InterruptedError("by a signal")

    signal.signal(signal.SIGUSR1, handle)
    return os.getpid()


ALARMS = 0


def set_alarms() -> None:
    def handle(*_: object) -> None:
        global ALARMS
        ALARMS += 1

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)


def alarms() -> tuple[int, int]:
    signal.setitimer(signal.ITIMER_REAL, 0)
    return os.getpid(), ALARMS


def interrupt_itself() -> None:
    raise KeyboardInterrupt


def groups() -> tuple[int, int]:
    return os.getpgid(0), os.getsid(0)


class Held:
    def name(self) -> str:
        return "held"


def fill_memory() -> int:
    return len(b"x" * (1 << 40))


def grow_and_die(count: int) -> None:
    data = bytearray(os.urandom(1)) * count
    die("kill")
    del data


def slow_double(x: int) -> int:
    time.sleep(0.01)
    return 2 * x


KEPT: list[Any] = []


def total_slowly(array: Any, seconds: float) -> float:
    time.sleep(seconds)
    return float(array.sum())


def keep(array: Any) -> int:
    KEPT.append(array)
    return len(KEPT)


def total_in_own_pool(array: Any, count: int) -> tuple[list[float], Any]:
    """Sums of as many copies, all submitted before the first result is asked for; with the pool's counts of waits and spills."""
    from manycore.futures.process import ProcessPoolExecutor

    with ProcessPoolExecutor(1) as pool:
        pool.submit(nap, 0.5)
        futures = [pool.submit(total_slowly, array + i, 0.05) for i in range(count)]
        return [future.result() for future in futures], pool._core.pressure


def join_group(folder: str) -> None:
    (Path(folder) / "cgroup.procs").write_text(str(os.getpid()))


def take_all_memory() -> None:
    """Until the system ends this process."""
    taken = []
    while True:
        taken.append(bytearray(os.urandom(1)) * (8 << 20))


def kept_mappings() -> int:
    """Of blocks of the pool's, by this worker."""
    with open("/proc/self/maps") as maps:
        return sum("manycore-blocks" in line and " rw-p " in line for line in maps)


def nap_and_double(x: int) -> int:
    time.sleep(0.002)
    return 2 * x


def interrupt_at_two(x: int) -> int:
    if x == 2:
        raise KeyboardInterrupt
    assert x < 2, "run although it was interrupted"
    return x
