"""Children made by fork compute and end, though the engine's threads stayed in the parent; processes end while threads compute."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import manycore.numpy as mnp
import numpy
import pytest


def work(seed: int) -> float:
    a = mnp.array(numpy.random.default_rng(seed).random((300, 300)))
    large = mnp.arange(2_000_000.0)
    return float((a @ a.T).sum() + (large * 2 + 1).sum() + mnp.linalg.svd(a[:50, :50], compute_uv=False)[0])


def test_forked_children_give_the_results_of_the_parent() -> None:
    expected = [work(seed) for seed in range(4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(work, range(4)).get(timeout=60) == expected


def test_a_bare_fork_computes_and_exits() -> None:
    work(0)
    child = os.fork()
    if child == 0:
        # _exit keeps pytest out of the child; the exit with handlers is the test below.
        os._exit(7 if work(1) > 0 else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_process_that_forked_and_one_with_busy_threads_end_normally() -> None:
    program = """
import os, threading, manycore.numpy as np
a = np.ones(3_000_000)
(a + a).sum()
child = os.fork()
if child == 0:
    (a * 2).sum()
    raise SystemExit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
def busy():
    while True:
        a + a
for _ in range(3):
    threading.Thread(target=busy, daemon=True).start()
(a + a).sum()
raise SystemExit(6)
"""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
            timeout=60,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (6, "")


def test_a_fork_finds_no_thread_of_ours_and_warns_of_none() -> None:
    """Python 3.12 and later count the threads of the process right after the fork; earlier ones only the test does."""
    program = """
import os, time, manycore.numpy as np
def threads():
    with open("/proc/self/stat") as file:
        return int(file.read().rpartition(")")[2].split()[17])
a, m = np.ones(3_000_000), np.ones((300, 300))
for _ in range(3):
    assert float((a + a).sum()) == 6_000_000 and (m @ m)[0, 0] == 300
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    for _ in range(1000):  # the kernel takes a thread that was joined off its list a moment later
        if threads() == 1:
            break
        time.sleep(0.001)
    assert threads() == 1, threads()
"""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("first", ["", "(np.zeros(400_000) + 1).sum()"])
@pytest.mark.slow
def test_forks_beside_threads_that_compute_do_not_hang(first: str) -> None:
    """OpenBLAS ends its threads before a fork; where another thread hands them work just then, plain NumPy waits for ever.
    Whatever part of the engine was used first, programs that run can end before the fork takes what they need."""
    program = f"""
import os, threading, manycore.numpy as np
{first}
a, m = np.ones(400_000), np.ones((200, 200))
def busy():
    while True:
        m @ m
        (a * 2 + 1).sum()
        np.linalg.inv(m[:30, :30] + np.eye(30))
for _ in range(3):
    threading.Thread(target=busy, daemon=True).start()
for _ in range(40):
    child = os.fork()
    if child == 0:
        os._exit(7 if (m @ m)[0, 0] == 200 and (a * 3).sum() == 1_200_000 and np.cumsum(a)[-1] == 400_000 else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
os._exit(6)
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (6, "")


@pytest.mark.slow
def test_forks_beside_a_main_thread_that_runs_recorded_programs_do_not_hang() -> None:
    """The fork holds the GIL and waits for the program that runs; the program asks for Ctrl-C, which wants the GIL."""
    program = """
import os, threading, manycore.numpy as np
a = np.arange(2_000_000.0)
def fork():
    for _ in range(25):
        child = os.fork()
        if child == 0:
            os._exit(0 if float((a + 1).sum()) == float(a.sum()) + 2_000_000 else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
thread = threading.Thread(target=fork)
thread.start()
while thread.is_alive():
    b = np.sin(a) * 2 + np.cos(a)
    assert b[0] == 1
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, timeout=100, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_program_that_forks_while_a_page_is_kept_does_not_hang(tmp_path: Path) -> None:
    """A worker that ends locks what keeps the groups, and whoever runs a program does; nor may that wait for the GIL to name a line,
    while the fork holds the GIL and waits for the program."""
    program = """
import os, threading, numpy as np
a = np.ones((1500, 1000))
def busy():
    while not ended:
        (a * 2 + 1).sum()
def fork():
    a.T.copy(), np.cumsum(a, axis=1), ((a * 2 + 1) * 3).sum()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
ended = False
fork()
thread = threading.Thread(target=busy)
thread.start()
for _ in range(50):
    fork()
ended = True
thread.join()
"""
    script = tmp_path / "forks.py"
    script.write_text(program)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "manycore", "run"]
    command += [f"--report={tmp_path / 'page.html'}", str(script)]
    done = subprocess.run(command, timeout=100, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "</html>" in (tmp_path / "page.html").read_text()
