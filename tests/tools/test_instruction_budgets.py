"""What a call on a tiny array costs is a promise too: so many instructions for each that NumPy takes, counted by callgrind.

Instructions do not depend on the clock or on who else uses the machine, so a view that gets dearer shows here before it shows in
benchmarks/tiny.py. Ratios to NumPy in the same process: they hold for every Python.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOPS = 200
SETUP = "a = np.arange(10.0); b = np.arange(10.0); m = np.ones((5, 10)); z = a + 0.5j; s = a[::2]; t = b[::-2]"

# Instructions for one of NumPy's: what was counted on CPython 3.11 with NumPy 2.4, and a sixth more.
BUDGETS = {
    "a[0]": 0.71,
    "a[1:]": 0.58,
    "a[:-1]": 0.58,
    "a[::2]": 0.72,
    "a[::-1]": 0.73,
    "a[...]": 0.63,
    "a[None]": 0.48,
    "m[0]": 0.43,
    "m[0, 0]": 0.88,
    "m[:, 0]": 0.68,
    "m[1:, 1:]": 0.71,
    "a[1:] = 0.5": 0.50,
    "a.T": 0.75,
    "a.reshape(-1)": 0.54,
    "a + b": 0.53,
    "a + 1.5": 0.33,
    "s + t": 0.57,
    "z * (1.5+0.5j)": 0.35,
    "a.tolist()": 1.0,
    "a.sum()": 0.38,
}

PROGRAM = """
import os, sys, timeit
import numpy, manycore.numpy
setup, loops = sys.argv[1], int(sys.argv[2])
timers = []
for statement in ["pass", *sys.argv[3:]]:
    for module in (numpy, manycore.numpy):
        names = {"np": module}
        exec(setup, names)
        timers.append(timeit.Timer(statement, "pass", globals=names))
for timer in timers:
    timer.timeit(30)
for timer in timers:
    os.getppid()  # ends the part that was counted so far
    timer.timeit(loops)
os.getppid()
"""


# A recorded program from its first operation to its result, which runs by the plan of an equal one: instructions counted on CPython 3.11,
# and a sixth more. Of the 45900 of the first, recording its six operations takes 24600, finding the plan 4400. All of 64 elements.
CHAINS = {
    "((a * 2.0 + 1.0) * a - 3.0) / (a + 5.0)": 53500,
    "(a * b + c * d) - (a / (b + 1.0))": 54900,
    "((a - b) ** 2).sum()": 41200,
    "np.where(a > b, a, b * 2.0)": 32000,
}

CHAIN_PROGRAM = """
import os, sys
import manycore, manycore.numpy as np
from manycore import _core
a, b, c, d = (np.arange(64.0) + k for k in range(1, 5))
loops = int(sys.argv[1])
for statement in sys.argv[2:]:
    exec(f"def chain():\\n    kept = {statement}\\n    manycore.evaluate()\\n    return kept", globals())
    for _ in range(30):
        chain()
    before = _core.trace_snapshot()["reused_plans"]
    os.getppid()  # ends the part that was counted so far
    for _ in range(loops):
        chain()
    os.getppid()
    assert _core.trace_snapshot()["reused_plans"] - before >= loops, statement
"""


def counted(folder: Path, statements: list[str]) -> list[tuple[float, float]]:
    """Instructions per call, NumPy's and ours."""
    (folder / "program.py").write_text(PROGRAM)
    callgrind = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={folder}/counts"]
    command = [*callgrind, sys.executable, str(folder / "program.py"), SETUP, str(LOOPS), *statements]
    variables = {"PYTHONPATH": str(ROOT / "python"), "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "MANYCORE_THREADS": "1"}
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "MANYCORE_NUMPY_MEMORY": "0", **variables}, check=False
    )
    assert result.returncode == 0, result.stderr
    # Part 1 is what came before the first timer.
    parts = [(folder / f"counts.{number}").read_text() for number in range(2, 4 + 2 * len(statements))]
    calls = [int(re.findall(r"^totals: (\d+)", part, re.MULTILINE)[0]) / LOOPS for part in parts]
    empty_numpy, empty_ours = calls[:2]
    pairs = zip(calls[2::2], calls[3::2], strict=True)
    return [(theirs - empty_numpy, ours - empty_ours) for theirs, ours in pairs]


@pytest.mark.long
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_recorded_chains_keep_to_their_instructions(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CHAIN_PROGRAM)
    callgrind = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={tmp_path}/counts"]
    command = [*callgrind, sys.executable, str(tmp_path / "program.py"), str(LOOPS), *CHAINS]
    variables = {"PYTHONPATH": str(ROOT / "python"), "PYTHONHASHSEED": "0", "MANYCORE_THREADS": "1", "MANYCORE_RECORD_FROM": "0"}
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)
    assert result.returncode == 0, result.stderr
    parts = [(tmp_path / f"counts.{2 * number}").read_text() for number in range(1, 1 + len(CHAINS))]
    calls = [int(re.findall(r"^totals: (\d+)", part, re.MULTILINE)[0]) / LOOPS for part in parts]
    over = [
        f"{chain}: {call:.0f}, expected at most {budget}"
        for (chain, budget), call in zip(CHAINS.items(), calls, strict=True)
        if call > budget
    ]
    assert not over, "\n".join(over)
    assert all(call > 5000 for call in calls), calls  # they were counted


@pytest.mark.long
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_calls_on_tiny_arrays_keep_to_their_instructions(tmp_path: Path) -> None:
    counts = counted(tmp_path, list(BUDGETS))
    over = [
        f"{statement}: {ours:.0f} for NumPy's {theirs:.0f}, {ours / theirs:.2f}, expected at most {budget}"
        for (statement, budget), (theirs, ours) in zip(BUDGETS.items(), counts, strict=True)
        if ours > budget * theirs
    ]
    assert not over, "\n".join(over)
    assert all(theirs > 100 and ours > 50 for theirs, ours in counts), counts  # both sides were counted
