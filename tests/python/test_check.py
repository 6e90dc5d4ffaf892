"""`manycore check` and `manycore run --check`: locks, queues and futures of the program's own modules are watched, a report ends the run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTHING = "deadlocks: none\nsuspected deadlocks: none\norders of locks that may lead to one: none\npools that were given threads: none\n"


def check(folder, text, *arguments, command=("check",)):
    script = folder / "main.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "manycore", *command, str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("command", [("check",), ("run", "--check")])
def test_a_program_without_deadlocks_ends_as_ever_and_is_told_what_was_watched(tmp_path, command):
    ended = check(
        tmp_path, "import threading\nlock = threading.Lock()\nwith lock: print('in')\nraise SystemExit(5)\n", command=command
    )
    assert ended.stdout == "in\n"
    assert ended.stderr == f"manycore check: 1 locks were made and taken 1 times, 0 calls ran in pools of threads\n{NOTHING}"
    assert ended.returncode == 5


def test_user_code_gets_our_primitives_and_libraries_the_standard_ones(tmp_path):
    ended = check(
        tmp_path,
        """
import queue, threading, concurrent.futures, logging
from threading import *
print(Lock is threading.Lock, type(Lock()), type(queue.Queue().mutex), type(logging.getLogger().manager), threading.current_thread().name)
print(concurrent.futures.wait.__module__, isinstance(queue.PriorityQueue(), queue.Queue), threading.local.__module__)
print(type(logging._lock).__module__)
""",
    )
    assert ended.stdout.splitlines() == [
        "True <class 'manycore.threading.Lock'> <class 'manycore.threading.Lock'> <class 'logging.Manager'> MainThread",
        "manycore.futures.waiting True _thread",
        "_thread",
    ]


def test_without_check_nobody_gets_them(tmp_path):
    ended = check(tmp_path, "import threading, queue\nprint(type(threading.Lock()), queue)\n", command=("run",))
    assert ended.stdout.startswith("<class '_thread.lock'> <module 'queue' from")


def test_a_certain_deadlock_is_raised_and_the_status_says_so(tmp_path):
    ended = check(
        tmp_path,
        """
from concurrent.futures import ThreadPoolExecutor
def outer():
    return pool.submit(abs, -1).result()
with ThreadPoolExecutor(1) as pool:
    try:
        pool.submit(outer).result()
    except RuntimeError as error:
        print(type(error).__name__)
""",
    )
    assert ended.stdout == "DeadlockError\n"
    assert ended.returncode == 3
    assert "deadlocks: 1\n" in ended.stderr
    assert (
        f"waits for the call of abs submitted at {tmp_path}/main.py:4, which waits for a thread of its pool of 1" in ended.stderr
    )


def test_a_full_queue_without_a_reader_is_named_and_the_program_ended(tmp_path):
    ended = check(tmp_path, "import queue\nq = queue.Queue(2)\nfor i in range(3):\n    q.put(i)\n")
    assert ended.returncode == 3
    assert (
        f"MainThread waits for a Queue made at {tmp_path}/main.py:2 that is full, which nobody is left to set free"
        in ended.stderr
    )
    assert "the program stands still and is ended" in ended.stderr


@pytest.mark.parametrize("kind", ["Queue", "SimpleQueue", "LifoQueue", "PriorityQueue"])
def test_queues_do_what_they_do(tmp_path, kind):
    ended = check(
        tmp_path,
        f"""
import queue, threading
q = queue.{kind}()
def produce():
    for i in range(100): q.put(i)
thread = threading.Thread(target=produce)
thread.start()
print(sorted(q.get() for _ in range(100)) == list(range(100)), q.empty(), q.qsize())
try: q.get(timeout=0.01)
except queue.Empty: print("empty")
try: q.get_nowait()
except queue.Empty: print("empty")
thread.join()
""",
    )
    assert ended.stdout == "True True 0\nempty\nempty\n"
    assert ended.returncode == 0


def test_orders_that_may_meet_are_warned_of_with_both_lines(tmp_path):
    ended = check(
        tmp_path,
        """
import threading
one = threading.Lock()
other = threading.Lock()
def forth():
    with one:
        with other: pass
def back():
    with other:
        with one: pass
for target in (forth, back):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
""",
    )
    assert ended.returncode == 0
    assert "orders of locks that may lead to one: 1" in ended.stderr
    main = tmp_path / "main.py"
    assert f"at {main}:10 in back the lock made at {main}:3 is taken while the one made at {main}:4 is held" in ended.stderr
    assert f"at {main}:7 in forth the lock made at {main}:4 is taken while the one made at {main}:3 is held" in ended.stderr


def test_the_hungry_philosophers_are_named_and_the_polite_ones_eat(tmp_path):
    script = ROOT / "examples" / "dining_philosophers.py"
    command = [sys.executable, "-m", "manycore", "check", str(script), "--philosophers", "3", "--meals", "20"]
    polite = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert polite.returncode == 0
    assert polite.stdout == "".join(f"philosopher {seat} has eaten 20 times\n" for seat in range(3))
    assert polite.stderr.endswith(NOTHING)
    hungry = subprocess.run([*command, "--hungry"], capture_output=True, text=True, timeout=100, check=False)
    assert hungry.returncode == 3
    line = next(line for line in hungry.stderr.splitlines() if line.startswith("suspected deadlock: "))
    for seat in range(3):
        assert f"philosopher {seat}" in line
        assert f"which philosopher {seat} has" in hungry.stderr


@pytest.mark.timed
@pytest.mark.parametrize(
    ("programs", "seed"), [pytest.param(60, 7, marks=pytest.mark.slow), pytest.param(1000, 8, marks=pytest.mark.long)]
)
def test_generated_programs_come_out_as_they_must(programs, seed):
    command = [sys.executable, "-m", "tests.fuzz.deadlock_programs", "--programs", str(programs), "--seed", str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
