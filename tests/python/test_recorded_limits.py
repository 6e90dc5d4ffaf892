"""Recorded work where it must stop: full memory, signals, the end of the process, and --eager."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import weakref
from typing import Any

import manycore
import manycore.numpy as mnp
import numpy
import pytest

from tests.python.recorded import EXPECTED, pending, run_child

pytestmark = pytest.mark.slow  # a program for each case

# ---- memory


FULL = """
import manycore, manycore.numpy as np, numpy
from manycore import _core
a = np.ones(1_000_000)            # 8 MB of 96
hold = [np.ones(1_000_000) for _ in range(5)]
b = a + 1
wanted = b * 2
more, results = [], []
try:
    for i in range(40):
        more.append(b + i)
    results = [m * 2 for m in more]
    manycore.evaluate()
    print("no error")
except MemoryError as error:
    print("MemoryError", "memory_limit" in str(error))
assert float(a.sum()) == 1_000_000 and all(float(h[3]) == 1 for h in hold)
hold.clear(); more.clear(); results = None
assert (numpy.asarray(wanted) == 4).all() and (numpy.asarray(b) == 2).all()
a += 1
assert float((a * b).sum()) == 4_000_000
print("usable")
"""


def test_full_memory_leaves_every_array_usable_and_may_be_tried_again() -> None:
    done = run_child(FULL, MANYCORE_MEMORY_LIMIT="96M")
    assert (done.returncode, done.stdout, done.stderr) == (0, "MemoryError True\nusable\n", "")


def test_updates_in_place_happen_once_when_memory_runs_out_between_them() -> None:
    done = run_child(
        """
import manycore, manycore.numpy as np, numpy
a = np.zeros(1_000_000)
hold = [np.ones(1_000_000) for _ in range(4)]
manycore.evaluate()
made = []
try:
    for i in range(60):
        a += 1
        made.append(a[::-1] * 2)
    manycore.evaluate()
except MemoryError:
    pass
else:
    raise SystemExit("no error")
steps = i
hold.clear(); made.clear()
value = set(numpy.asarray(a).tolist())
# The update whose own line raised may have happened or not, no other may be missing or come twice.
assert value in ({float(steps)}, {float(steps + 1)}), (value, steps)
""",
        MANYCORE_MEMORY_LIMIT="64M",
    )
    assert (done.returncode, done.stderr) == (0, "")


FOREVER = """
import manycore.numpy as np
from manycore import _core
def peak():  # in kB; not ru_maxrss, which begins with what the process that started this one holds
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
a = np.ones(500_000)
kept = np.zeros(500_000)
np.ones(500_000)
before = peak()
for i in range(3000):
    {body}
assert _core.trace_snapshot()["recorded"] >= 3000
print(peak() - before)
"""


@pytest.mark.parametrize(
    "body",
    ["a = a * 0.5 + 1", "a += 1", "kept[1:] = a[:-1]; a = kept + 1", "np.sqrt(a)", "b = np.zeros(500_000); m = b > a; del b"],
)
def test_a_program_that_records_for_ever_stays_bounded(body: str) -> None:
    """4 MB an array, 3000 rounds: unbounded it would be 12 GB."""
    done = run_child(FOREVER.format(body=body), MANYCORE_MEMORY_LIMIT="256M", timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300_000, f"{done.stdout} KB more than before"


def test_inputs_that_only_the_program_holds_do_not_fill_the_memory() -> None:
    """Each result is an eighth of the input that it was made of; NumPy would need 60 MB."""
    done = run_child(
        """
import manycore.numpy as np
made = []
for i in range(100):
    a = np.random.default_rng(i).random(500_000)
    made.append(a > 0.5)
    del a
assert sum(int(m[0]) for m in made) > 0
""",
        MANYCORE_MEMORY_LIMIT="128M",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_cycles_with_pending_arrays_are_collected() -> None:
    class Node:
        pass

    def make() -> weakref.ref[Any]:
        node: Any = Node()
        node.array = pending()
        node.dependent = node.array + 1
        node.self = node
        return weakref.ref(node)

    nodes = [make() for _ in range(20)]
    gc.collect()
    assert [node() for node in nodes] == [None] * 20
    manycore.evaluate()
    assert (numpy.asarray(pending()) == EXPECTED).all()


# ---- interruptions and the end


class Stop(Exception):
    pass


@pytest.mark.slow
def test_a_signal_in_the_middle_loses_nothing() -> None:
    def stop(*_: Any) -> None:
        raise Stop

    size = 4_000_000
    source = mnp.arange(float(size))
    expected = numpy.sin(numpy.arange(float(size)))
    old = signal.signal(signal.SIGALRM, stop)
    try:
        for delay in (0.001, 0.01, 0.05, 0.1):
            updated = mnp.zeros(size)
            manycore.evaluate()
            results: list[Any] = []
            with pytest.raises(Stop):
                signal.setitimer(signal.ITIMER_REAL, delay)
                while True:
                    for _ in range(8):
                        updated += 1
                        results.append(mnp.sin(source) * updated)
                    manycore.evaluate()
                    results = results[-8:]
            signal.setitimer(signal.ITIMER_REAL, 0)
            values = set(numpy.asarray(updated).tolist())
            assert len(values) == 1
            last = numpy.asarray(results[0]) if results else expected
            factors = last[1:] / expected[1:]
            assert abs(factors - factors[0]).max() < 1e-9
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "raise SystemExit(0)",
        "import sys; sys.exit()",
        "import threading; t = threading.Thread(target=lambda: b + 1); t.start()",
    ],
)
def test_the_process_ends_normally_with_work_pending(ending: str) -> None:
    done = run_child(f"import manycore.numpy as np\na = np.ones(200_000)\nb = a * 2 + 1\nkept = [b]; kept.append(kept)\n{ending}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_warnings_of_work_pending_at_the_end_are_shown() -> None:
    done = run_child("import manycore.numpy as np\na = np.zeros(200_000)\nb = 1 / a")
    assert (done.returncode, done.stderr.count("divide by zero encountered in divide")) == (0, 1)


# ---- not recording at all


EAGER = """
import manycore.numpy as np
from manycore import _core
a = np.ones(1_000_000)
b = a * 2 + 1
assert not _core.is_pending(b)
b[1:] = b[:-1] + 1
c = np.where(b > 2, b, 0).astype("f4")
assert not _core.is_pending(c) and float((c - 1).sum()) == 2 * 1_000_000 + 999_999
totals = _core.trace_snapshot()
print(totals["recorded"], totals["groups"], totals["native_calls"] > 5)
"""


def test_eager_runs_every_operation_at_once() -> None:
    done = run_child(EAGER, MANYCORE_EAGER="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 0 True\n", "")


def test_the_flag_eager_of_the_command_line(tmp_path: Any) -> None:
    script = tmp_path / "program.py"
    script.write_text(EAGER)
    command = [sys.executable, "-m", "manycore", "run", "--eager", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 0 True\n", "")


def test_a_program_that_ends_for_want_of_memory_says_so_once() -> None:
    program = "import manycore.numpy as np\na = np.ones(10_000_000)\nb = a * 2\nc = b + a\nprint((c * a + b).sum())\n"
    done = run_child(program, MANYCORE_MEMORY_LIMIT="150M")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert done.stderr.count("MemoryError: allocate: ") == 1, done.stderr
