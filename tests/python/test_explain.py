"""explain() and the option dump: what was recorded and how it will run, as text."""

from __future__ import annotations

from pathlib import Path

import manycore
import manycore.numpy as mnp
from manycore import _core
from test_run_program import run, write

SIZE = 100_000


def test_explain_shows_the_program_and_its_groups_and_runs_nothing() -> None:
    a = mnp.ones(SIZE)
    b = a * 2.0 + 1.0
    before = _core.trace_snapshot()["groups"]
    text = manycore.explain(b)
    assert text.splitlines() == [
        "program",
        f"  t1: f64({SIZE},) = multiply(a0, 2)",
        f"  a2: f64({SIZE},) = add(t1, 1)",
        "groups",
        "  0: multiply add",
    ]
    assert _core.trace_snapshot()["groups"] == before and _core.is_pending(b)
    assert manycore.explain(b) == text  # looking changed nothing


def test_looking_does_not_change_what_is_written_to_memory() -> None:
    a = mnp.ones(SIZE)
    written = []
    for look in (False, True):
        b = (a * 2.0 + 1.0) * (a * 2.0)
        if look:
            manycore.explain(b)
        before = _core.trace_snapshot()["materialised_bytes"]
        assert float(b[0]) == 6.0
        written.append(_core.trace_snapshot()["materialised_bytes"] - before)
    assert written == [8 * SIZE, 8 * SIZE]


def test_explain_says_why_neighbours_are_apart() -> None:
    a = mnp.ones((300, 400))
    b = (a + 1.0)[1:] * 2.0
    text = manycore.explain(b)
    assert text.endswith("groups\n  0: add\n  1: multiply  (apart: another shape)")


def test_an_array_that_waits_for_nothing_says_so() -> None:
    assert manycore.explain(mnp.ones(3)) == manycore.explain(3.0) == "nothing: the array has its values"


def test_numbers_of_every_kind_are_shown() -> None:
    half = mnp.ones(SIZE, dtype=mnp.float16) * mnp.float16(1.5)
    complex_ = mnp.ones(SIZE, dtype=mnp.complex128) * (1 - 2j)
    integer = mnp.ones(SIZE, dtype=mnp.int32) + 7
    assert ", 1.5)" in manycore.explain(half)
    assert ", 1-2j)" in manycore.explain(complex_)
    assert ", 7)" in manycore.explain(integer)


def test_dump_writes_every_program_that_runs(tmp_path: Path) -> None:
    script = write(tmp_path, "p.py", "import numpy as np\na = np.ones(100_000)\nprint(float((a * 2.0 + 1.0).sum()))\n")
    done = run(["-m", "manycore", "run", "--dump=program,groups", script], tmp_path)
    assert done.stdout == "300000.0\n"
    lines = done.stderr.splitlines()
    assert lines[0] == "program" and "multiply(" in lines[1]
    assert lines[lines.index("groups") + 1].startswith("  0: multiply add sum")
    only = run(["-m", "manycore", "run", script], tmp_path, MANYCORE_DUMP="groups")
    assert "program" not in only.stderr and "  0: multiply add sum" in only.stderr
