"""The fork server of `Executor(processes="allowed")` and `to_process`: whose children workers are, what they know, and what ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded import run_child
from test_run_program import run, write

pytestmark = pytest.mark.slow  # a program for each case

# What the programs below share: the first process of an executor, how it comes to be, and who descends from the program.
BEGIN = """
import os, signal, sys, time
from manycore.futures import Executor, ProcessPoolExecutor, WorkerDied
def call(executor, fn, *args):
    with executor._shared.lock:
        future = executor._shared.processes(fn).submit(fn, *args)
    return future.result(60)
def start_method(executor):
    return executor._shared.process_pool._mp_context.get_start_method()
def wait_until_warm(executor):
    end = time.monotonic() + 60
    while executor._shared.warming and time.monotonic() < end:
        time.sleep(0.005)
def below(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    if int(file.read().rpartition(")")[2].split()[1]) == pid:
                        found += [int(name), *below(int(name))]
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found
def server():
    from manycore.futures import server_context
    return server_context.server
def left(*executors):  # processes below the program that are neither the server's nor of living pools
    known = {server().pid, *below(server().pid)}
    for executor in executors:
        known |= set(executor._shared.process_pool._processes)
    return sorted(set(below(os.getpid())) - known)
def wait_until_none_is_left(*executors):
    end = time.monotonic() + 20
    while (found := left(*executors)) and time.monotonic() < end:
        time.sleep(0.01)
    return found
"""


def told(program: str, *arguments: str, **environment: str) -> list[str]:
    done = run_child(BEGIN + program, *arguments, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def test_workers_are_the_programs_children_and_small() -> None:
    lines = told("""
held = bytearray(os.urandom(1 << 16)) * 4096
def look():
    with open("/proc/self/statm") as file:
        return os.getppid() == PARENT, int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") < 100 << 20
PARENT = os.getpid()
def die(how):
    os.kill(os.getpid(), how) if how > 0 else os._exit(-how)
with Executor(2, processes="allowed") as executor:
    print(call(executor, look), start_method(executor), len(held))
    for how in (signal.SIGKILL, -7):
        try:
            call(executor, die, how)
        except WorkerDied as error:
            print(error.exit_code, error.peak_bytes > 1 << 20, error.name)
    print(call(executor, look), server().socket.getsockname() in ("", b""))
print(wait_until_none_is_left())
""")
    assert lines == [
        "(True, True) server 268435456",
        "-9 True die",
        "7 True die",
        "(True, True) True",
        "[]",
    ]


@pytest.mark.slow
def test_the_first_result_of_a_large_program_comes_no_later_than_from_a_fork_of_it() -> None:
    lines = told("""
import mmap, multiprocessing
size = 1 << 30
held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, size, 4096):
    held[at] = 1
def first(make):
    executor = make()
    wait_until_warm(executor)
    time.sleep(0.1)
    begin = time.perf_counter()
    call(executor, int)
    took = time.perf_counter() - begin
    executor.shutdown()
    return took
def from_server():
    return Executor(1, processes="allowed")
def from_program():
    return Executor(1, processes="allowed", mp_context=multiprocessing.get_context("fork"))
first(from_server), first(from_program)
times = [(first(from_server), first(from_program)) for _ in range(5)]
print(*(min(side) for side in zip(*times)))
""")
    server, fork = map(float, lines[0].split())
    assert server < max(1.5 * fork, 0.05), (server, fork)


def test_main_goes_by_value_and_the_surroundings_are_those_of_now(tmp_path: Path) -> None:
    lines = told(f"""
class Pair:
    def __init__(self, x): self.x = x
    def double(self): return Pair(2 * self.x)
FACTOR = 3
def scale(x): return x * FACTOR
def surroundings():
    print("printed", flush=True)
    return os.environ.get("SET_LATER"), os.environ.get("UNSET_LATER"), os.getcwd(), sys.path[0]
os.environ["UNSET_LATER"] = "1"
with Executor(2, processes="allowed") as executor:
    wait_until_warm(executor)
    FACTOR = 10
    os.environ["SET_LATER"] = "yes"
    del os.environ["UNSET_LATER"]
    os.chdir({str(tmp_path)!r})
    sys.path.insert(0, "first")
    kept = os.dup(1)
    with open("out", "w") as file:
        os.dup2(file.fileno(), 1)
    answer = call(executor, surroundings)
    os.dup2(kept, 1)
    print(answer, open("out").read().strip(), start_method(executor))
    print(call(executor, scale, 2))
    doubled = call(executor, Pair(4).double)
    print(type(doubled) is Pair, doubled.x)
""")
    assert lines == [f"('yes', None, {str(tmp_path)!r}, 'first') printed server", "20", "True 8"]


def test_a_function_that_uses_what_cannot_be_sent_has_the_program_forked() -> None:
    lines = told("""
import threading
lock = threading.Lock()
large = list(range(2_000_000))
def uses_lock(x):
    with lock:
        return x
def uses_large(x):
    return large[x]
for fn in (uses_lock, uses_large):
    with Executor(2, processes="allowed") as executor:
        print(call(executor, abs, -1), start_method(executor), end=" ")
        print(call(executor, fn, 5), start_method(executor), call(executor, abs, -2), start_method(executor))
""")
    assert lines == ["1 server 5 fork 2 fork"] * 2


def test_a_chosen_start_method_is_obeyed() -> None:
    program = """
import multiprocessing
if __name__ == "__main__":
    if sys.argv[1:] == ["set"]:
        multiprocessing.set_start_method("spawn")
        with Executor(1, processes="allowed") as executor:
            print(call(executor, abs, -1), executor._shared.uses_server(), "manycore.futures.server_context" in sys.modules)
    with Executor(1, processes="allowed", mp_context=multiprocessing.get_context("fork")) as executor:
        print(call(executor, abs, -1), start_method(executor), server().pid)
"""
    assert told(program)[-1] == "1 fork 0"
    done = subprocess.run([sys.executable, "-c", BEGIN + program, "set"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[0].startswith("1 False")


def test_programs_without_processes_start_none() -> None:
    lines = told("""
import asyncio
import manycore
from manycore import to_process, to_thread
with Executor(2) as executor:
    list(executor.map(abs, range(10)))
    asyncio.run(to_thread(abs, -1))
with ProcessPoolExecutor(1) as pool:
    pool.submit(abs, -1).result()
print(below(os.getpid()), "manycore.futures.server_context" in sys.modules)
""")
    assert lines == ["[] False"]


def test_to_process_is_served() -> None:
    lines = told("""
import asyncio
from manycore import to_process
def parent(): return os.getppid()
async def program():
    print(await to_process(parent) == os.getpid(), await asyncio.gather(*(to_process(pow, 2, i) for i in range(4))))
asyncio.run(program())
from manycore.futures import asynchronous
print(asynchronous._shared.process_pool._mp_context.get_start_method(), server().ready)
""")
    assert lines == ["True [1, 2, 4, 8]", "server True"]


def test_another_server_takes_the_place_of_one_that_was_killed() -> None:
    lines = told("""
pids = []
with Executor(2, processes="allowed") as executor:
    first = call(executor, os.getpid)
    killed = server().pid
    for pid in [killed, *below(killed)] if sys.argv[1:] else [killed]:
        os.kill(pid, signal.SIGKILL)
    print(call(executor, os.getpid) == first)
    with Executor(2, processes="allowed") as another:
        print(call(another, os.getpid) != first, server().pid not in (0, killed))
        for pid in below(server().pid):
            os.kill(pid, signal.SIGKILL)
        with Executor(2, processes="allowed") as third:
            print(call(third, os.getpid) != first, start_method(third))
print(wait_until_none_is_left())
""")
    assert lines == ["True", "True True", "True server", "[]"]


@pytest.mark.slow
def test_a_server_that_is_killed_while_it_forks_has_the_next_one_asked() -> None:
    lines = told("""
import threading
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
for all_of_it in (False, True):  # alone: the worker is there already, and nobody has told the program
    time.sleep(0.5)
    killed = [server().pid, *(below(server().pid) if all_of_it else [])]
    for pid in killed:
        os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, lambda: [os.kill(pid, signal.SIGKILL) for pid in killed]).start()
    with Executor(2, processes="allowed") as executor:
        print([call(executor, pow, 2, i) for i in range(100)] == [2**i for i in range(100)], end=" ")
        print(call(executor, os.getppid) == os.getpid(), start_method(executor), server().pid in killed)
    executor._shared.process_pool.shutdown()
""")
    assert lines == ["True True server False"] * 2


def test_an_interrupt_of_the_terminal_leaves_the_server_alone() -> None:
    lines = told("""
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
    time.sleep(0.3)
    before = [server().pid, *below(server().pid)]
    for pid in before:
        os.kill(pid, signal.SIGINT)
    with Executor(2, processes="allowed") as another:
        def interrupted():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)
            except KeyboardInterrupt:
                return "as everywhere"
        print(call(another, interrupted), server().pid == before[0], os.getpgid(before[0]) == os.getpgid(0))
""")
    assert lines == ["as everywhere True True"]


def test_a_worker_has_processes_of_its_own_and_a_forked_child_a_server_of_its_own() -> None:
    lines = told("""
def nested():
    with Executor(2, processes="allowed") as inner:
        with inner._shared.lock:
            future = inner._shared.processes().submit(os.getppid)
        return future.result(60) == os.getpid(), inner._shared.uses_server()
with Executor(2, processes="allowed") as executor:
    print(call(executor, nested), flush=True)
    parents = server().pid
    child = os.fork()
    with Executor(2, processes="allowed") as again:
        print(call(again, os.getppid) == os.getpid(), (server().pid == parents) == (child != 0), flush=True)
    if not child:
        os._exit(0)
    print(os.waitpid(child, 0)[1])
""")
    assert lines == ["(True, False)", *["True True"] * 2, "0"]


def test_workers_run_under_manycore_run_as_the_program_does(tmp_path: Path) -> None:
    write(
        tmp_path, "helper.py", "import sys\nimport numpy as np\ndef ours():\n    return np is sys.modules.get('manycore.numpy')\n"
    )
    program = write(
        tmp_path,
        "main.py",
        f"{BEGIN}\nimport helper\ndef mine():\n    return helper.ours()\n"
        'if __name__ == "__main__":\n'
        '    with Executor(2, processes="allowed") as executor:\n'
        "        wait_until_warm(executor)\n"
        "        for fn in (helper.ours, mine):\n"
        "            print(call(executor, fn), fn(), start_method(executor))\n",
    )
    done = run(["-m", "manycore", "run", program], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["True True server"] * 2


@pytest.mark.slow
def test_descriptors_and_processes_are_as_before() -> None:
    lines = told("""
import gc
from manycore.futures import shelf
shelf.IDLE_SECONDS = 0.2  # until then executors that are shut down hold their memory
def use():
    with Executor(2, processes="allowed") as executor:
        call(executor, abs, -1)
def count():
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(below(os.getpid()))
use()
time.sleep(1)
before = count()
for _ in range(10):
    use()
end = time.monotonic() + 20
while count() != before and time.monotonic() < end:
    time.sleep(0.05)
print(count() == before, before, count())
""")
    assert lines[0].startswith("True"), lines


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.06])
def test_a_program_that_ends_at_once_leaves_nothing(pause: float) -> None:
    begin = time.monotonic()
    # Whoever is left would hold the pipes of its output open.
    lines = told(f"executor = Executor(2, processes='allowed')\ntime.sleep({pause})\nprint('end')")
    assert lines == ["end"] and time.monotonic() - begin < 30


def test_a_killed_program_takes_the_server_and_workers_with_it() -> None:
    program = """
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
    time.sleep(0.3)
    print(*below(os.getpid()), flush=True)
    time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", BEGIN + program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) >= 4  # the server, the process between, the next worker, and the worker
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 20
    while not all(map(gone, pids)) and time.monotonic() < end:
        time.sleep(0.01)
    assert all(map(gone, pids))


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
