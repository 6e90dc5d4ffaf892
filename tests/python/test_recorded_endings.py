"""Where recorded work is cut short or the process ends: each child's state, exit code and peak of memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from manycore.run import measured

pytestmark = pytest.mark.slow  # a program for each case

MB = 1_000_000
BARE = 130 * MB  # what Python, NumPy and the engine hold before the first array, with room to spare


def run_measured(folder: Path, program: str, *, timeout: float = 60, **environment: str) -> tuple[str, str, int, int]:
    """Output, error output, exit code and the peak of the largest process in bytes."""

    result = folder / "measured.json"
    child = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    command = [sys.executable, "-I", "-S", measured.__file__, str(result), *child]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    ) as launcher:
        try:
            stdout, stderr = launcher.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(launcher.pid, signal.SIGKILL)  # the program too, which would run for ever
            raise
    assert launcher.returncode == 0, stderr
    found = json.loads(result.read_text())
    return stdout, stderr, found["exit_code"], found["peak_bytes"]


# ---- a fused group, and a fused reduction, that cannot come to its end

INTERRUPTED = """
import signal, manycore, manycore.numpy as np, numpy
from manycore import _core
class Stop(Exception): pass
def stop(*_): raise Stop
signal.signal(signal.SIGALRM, stop)
size = 4_000_000
a, kept = np.arange(float(size)), np.zeros(size)
real = numpy.arange(float(size))
manycore.evaluate()
stopped = 0
for delay in (0.002, 0.005, 0.01, 0.02, 0.04):
    before = _core.trace_snapshot()["groups"]
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        while True:
            {body}
    except Stop:
        stopped += 1
    assert _core.trace_snapshot()["groups"] >= before
    # The inputs are as they were; the same once more gives what it should.
    assert (numpy.asarray(a) == real).all()
    {check}
print(stopped)
"""
REDUCTION = "float((np.sin(a) * 2 + a).sum())", "assert float((a * 2 + 1).sum()) == float((real * 2 + 1).sum())"
ALONG_AXIS = (
    "r = (np.sin(a) * 2 + a).reshape(2000, -1); manycore.evaluate(r.max(axis=0))",
    "assert (numpy.asarray((a * 2).reshape(2000, -1).max(axis=0)) == (real * 2).reshape(2000, -1).max(axis=0)).all()",
)
CHAIN = "b = np.sin(a) * 2 + a; manycore.evaluate(b)", "assert (numpy.asarray(a * 2 + 1) == real * 2 + 1).all()"
IN_PLACE = (
    "kept += 1; kept *= 1; b = np.sin(a) * kept; manycore.evaluate(b)",
    "assert len(set(numpy.asarray(kept).tolist())) == 1",
)


@pytest.mark.parametrize(
    ("body", "check"), [REDUCTION, ALONG_AXIS, CHAIN, IN_PLACE], ids=["reduction", "along an axis", "chain", "in place"]
)
@pytest.mark.slow
def test_an_exception_in_the_middle_leaves_inputs_whole_and_no_memory_behind(tmp_path: Path, body: str, check: str) -> None:
    out, err, code, peak = run_measured(tmp_path, INTERRUPTED.format(body=body, check=check))
    assert (out, err, code) == ("5\n", "", 0)
    # Inputs, results of two rounds, what the checks make and the values listed as Python numbers.
    assert peak < BARE + 12 * 32 * MB + (160 * MB if "tolist" in check else 0), f"{peak / MB:.0f} MB"


def test_ctrl_c_in_the_middle_of_a_fused_reduction_is_pythons(tmp_path: Path) -> None:
    program = """
import _thread, manycore.numpy as np, os, signal, threading
a = np.arange(4_000_000.0)
timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
timer.start()
while True:
    float((np.sin(a) * 2 + a).sum())
"""
    out, err, code, peak = run_measured(tmp_path, program)
    assert (out, code) == ("", -2) and err.endswith("KeyboardInterrupt\n") and err.count("Traceback") == 1
    assert peak < BARE + 3 * 32 * MB


FULL = """
import manycore, manycore.numpy as np, numpy
a = np.arange(1_000_000.0).reshape(2, -1)
b = np.ones((2, 500_000))
hold = [np.ones(1_000_000) for _ in range(3)]
manycore.evaluate()
totals = None
try:
    totals = []
    for i in range(20):
        totals.append((a * i + b).{reduction})
        manycore.evaluate()
    print("no error")
except MemoryError as error:
    assert "memory_limit" in str(error), error
    print("MemoryError")
i, hold, done = len(totals) - 1, None, totals
real = numpy.arange(1_000_000.0).reshape(2, -1)
for k, total in enumerate(done):
    assert (numpy.asarray(total) == (real * k + 1).{reduction}).all(), k
done = totals = None
assert (numpy.asarray((a * 7 + b).{reduction}) == (real * 7 + 1).{reduction}).all()
"""


@pytest.mark.parametrize("reduction", ["sum(axis=0)", "max(axis=0)"])
def test_a_fused_reduction_without_memory_for_its_result_may_be_tried_again(tmp_path: Path, reduction: str) -> None:
    """Each result is 4 MB of 64; those before the error have their values, and so has the one that failed once there is memory."""
    out, err, code, peak = run_measured(tmp_path, FULL.format(reduction=reduction), MANYCORE_MEMORY_LIMIT="64M")
    assert (out, err, code) == ("MemoryError\n", "", 0)
    assert peak < BARE + 64 * MB + 6 * 8 * MB  # and NumPy's own arrays of the check


# ---- the end of the process, children, cycles


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os._exit(4)", 4),
        ("import threading; threading.Thread(target=lambda: kept.append(b + 1)).start()", 0),
        ("import atexit; atexit.register(lambda: kept.append(b + 1))", 0),
        ("float((a * b).sum()); c = a + b; import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
    ids=["falls off", "exit", "at once", "thread", "exit handler", "killed"],
)
def test_the_end_with_work_pending_takes_no_more_memory(tmp_path: Path, ending: str, code: int) -> None:
    program = (
        "import manycore.numpy as np\na = np.ones(2_000_000)\nb = a * 2 + 1\nkept = [b]; kept.append(kept)\n"
        "made = [b * i for i in range(20)]\n" + ending
    )
    out, err, got, peak = run_measured(tmp_path, program)
    assert (out, err, got) == ("", "", code)
    assert peak < BARE + 24 * 16 * MB


def test_forks_with_work_pending_and_after_share_memory_until_written(tmp_path: Path) -> None:
    program = """
import os, manycore, manycore.numpy as np
a = np.ones(4_000_000)
b = a * 2 + 1                        # pending in both
for round in range(3):
    child = os.fork()
    if child == 0:
        ok = float((b + round).sum()) == 4_000_000 * (3 + round) and float((a * 3).sum()) == 12_000_000
        c = b * 2                    # pending when the child ends
        raise SystemExit(7 if ok else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert float(b.sum()) == 12_000_000
b += 1
child = os.fork()
if child == 0:
    os._exit(7 if float(b.sum()) == 16_000_000 else 8)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert float((a * b).sum()) == 16_000_000
"""
    out, err, code, peak = run_measured(tmp_path, program)
    assert (out, err, code) == ("", "", 0)
    assert peak < BARE + 4 * 32 * MB


def test_cycles_with_pending_arrays_do_not_pile_up(tmp_path: Path) -> None:
    """300 nodes of two arrays of 8 MB: 4.8 GB if any stayed."""
    program = """
import gc, manycore.numpy as np
class Node: pass
a = np.ones(1_000_000)
for i in range(300):
    node = Node()
    node.array = a * 2 + i
    node.dependent = node.array + 1
    node.self = node
    del node
    if i % 10 == 9:
        gc.collect()
gc.collect()
assert not [x for x in gc.get_objects() if isinstance(x, Node)]
print(float((a * 2).sum()))
"""
    out, err, code, peak = run_measured(tmp_path, program)
    assert (out, err, code) == ("2000000.0\n", "", 0)
    assert peak < BARE + 50 * 8 * MB, f"{peak / MB:.0f} MB"


# ---- very many

MANY = """
import time
import {module} as np
count = 10_000_000
one = np.ones(3)
held = [None] * count
began = time.perf_counter()
for i in range(count):
    held[i] = one + i
assert held[5].tolist() == [6, 6, 6] and held[count - 1].tolist() == [count] * 3
del held
print(time.perf_counter() - began)
"""


@pytest.mark.slow
def test_ten_million_live_small_arrays_take_less_than_twice_numpys_memory(tmp_path: Path) -> None:
    """Measured: 160 bytes each in NumPy, 290 here."""
    seconds, peaks = {}, {}
    for module in ("numpy", "manycore.numpy"):
        out, err, code, peaks[module] = run_measured(tmp_path, MANY.format(module=module), timeout=300)
        assert (err, code) == ("", 0)
        seconds[module] = float(out)
    assert peaks["manycore.numpy"] < 2 * peaks["numpy"] < 8_000 * MB, peaks
    assert seconds["manycore.numpy"] < 3 * seconds["numpy"], seconds
