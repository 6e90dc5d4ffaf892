"""The report: totals, fallbacks by line with their reason, bytes by line."""

from __future__ import annotations

import json
import re
from pathlib import Path

from manycore import _core
from manycore.report.totals import from_snapshot
from test_run_program import run, write

# Three functions that the engine does not have: NumPy computes them, and the report says where and why.
PROGRAM = '''\
"""Twenty lines with three fallbacks."""
import numpy as np

x = np.arange(100000, dtype=np.float64)
y = x * 2.0 + 1.0


def smooth(values):
    return np.convolve(values, np.ones(3) / 3.0, mode="same")


for _ in range(3):
    y = smooth(y)

y = y - y.mean()
z = np.interp(x[:10], x, y)
r = np.polyfit(x[:100], y[:100], 1)
print(y.shape, z.shape)
print(round(float(r[0]), 3))
'''
LINES = {"convolve": 9, "interp": 16, "polyfit": 17}


def report_of(folder: Path, *options: str) -> dict[str, object]:
    script = write(folder, "program.py", PROGRAM)
    done = run(["-m", "manycore", "run", "--report=report.json", *options, script], folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads((folder / "report.json").read_text())  # type: ignore[no-any-return]


def test_the_json_report_names_three_fallbacks_with_line_and_reason(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    assert report["schema"] == 1 and report["program"] == ["program.py"]
    rows = report["fallbacks"]
    assert isinstance(rows, list)
    found = {row["name"].rpartition(".")[2]: row for row in rows}
    assert set(found) == set(LINES)
    for name, line in LINES.items():
        assert found[name]["line"] == line and found[name]["file"].endswith("program.py") and found[name]["reason"]
    assert found["convolve"]["calls"] == 3 and found["interp"]["calls"] == 1
    assert found["convolve"]["bytes"] >= 3 * 2 * 800_000
    by_line = {row["line"]: row for row in report["lines"]}  # type: ignore[attr-defined, union-attr]
    assert by_line[5]["native_calls"] == 2 and by_line[5]["native_bytes"] >= 2 * 1_600_000
    assert by_line[9]["fallback_bytes"] == found["convolve"]["bytes"]
    totals = {key: report[key] for key in ("native_bytes", "fallback_bytes", "native_calls", "fallback_calls")}
    assert totals["fallback_calls"] == 5 and totals["native_calls"] >= 3  # type: ignore[operator]
    # Two arrays of 800 kB were alive at once besides those that NumPy made, and the limit is what the engine went by.
    assert 2 * 800_000 <= report["peak_bytes"] < report["limit_bytes"]  # type: ignore[operator]
    assert report["limit_bytes"] == _core.machine()["memory_limit"]
    total = totals["native_bytes"] + totals["fallback_bytes"]  # type: ignore[operator]
    assert report["native_share"] == totals["native_bytes"] / total  # type: ignore[operator]


def test_without_lines_the_totals_are_the_same(tmp_path: Path) -> None:
    with_lines, without = report_of(tmp_path), report_of(tmp_path, "--report-by-line=0")
    for key in ("native_bytes", "fallback_bytes", "native_calls", "fallback_calls", "native_share"):
        assert with_lines[key] == without[key]
    assert with_lines["lines"] and without["lines"] == []
    assert without["fallbacks"] == with_lines["fallbacks"]


GOLDEN = """\
manycore report: program.py
  TIME s, 50.0 % of 12.8 MB of array bytes processed natively (N operations), 6.4 MB by NumPy (5 calls)
  N operations recorded and run in 2 groups: 1.6 MB written to memory, 800 kB saved
  memory of arrays: SIZE at the peak, SIZE allowed
  fallbacks by line
    program.py:9   numpy.convolve  3 calls  4.8 MB   no native implementation of numpy.convolve
    program.py:16  numpy.interp    1 call   1.6 MB   no native implementation of numpy.interp
    program.py:17  numpy.polyfit   1 call   1.62 kB  no native implementation of numpy.polyfit
  array bytes by line
    program.py:9   native 216 B   NumPy 4.8 MB   N operations
    program.py:5   native 3.2 MB  NumPy 0 B      N operations
    program.py:15  native 2.4 MB  NumPy 0 B      N operations
    program.py:16  native 0 B     NumPy 1.6 MB   N operations
    program.py:4   native 800 kB  NumPy 0 B      N operations
    program.py:17  native 0 B     NumPy 1.62 kB  N operations
"""


def test_the_terminal_report_is_the_golden_one(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", PROGRAM)
    done = run(["-m", "manycore", "run", "--report", script], tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("(100000,) (10,)\n")
    # How many operations the engine makes of a line is its own affair, and so is time; files, lines, names, calls, bytes are not.
    shown = re.sub(r"\b\d+ operations?\b", "N operations", re.sub(r"\b\d+\.\d{3} s,", "TIME s,", done.stderr))
    shown = re.sub(r"[\d.]+ [MG]B (at the peak|allowed)", r"SIZE \1", shown)
    assert shown == GOLDEN


def test_an_environment_variable_asks_for_the_report_too(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", "print(1)")
    done = run(["-m", "manycore", "run", script], tmp_path, MANYCORE_REPORT="terminal")
    assert re.fullmatch(r"manycore report: program.py\n  \d+\.\d{3} s, no array was processed\n", done.stderr)


def test_fail_on_fallback_raises_at_the_users_line(tmp_path: Path) -> None:
    script = write(tmp_path, "program.py", PROGRAM)
    done = run(["-m", "manycore", "run", "--fail-on-fallback", script], tmp_path)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.strip() for line in lines if "File " in line][-1].endswith("line 9, in smooth")
    assert "FallbackError" in lines[-1] and "convolve" in lines[-1] and "would fall back to NumPy (" in lines[-1]


def test_a_report_that_cannot_be_written_is_said_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "missing").mkdir()
    script = write(tmp_path, "program.py", "import os\nos.rmdir('missing')\nprint(1)")
    done = run(["-m", "manycore", "run", "--report=missing/report.json", script], tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.startswith("manycore: report: cannot write ") and "missing/report.json" in done.stderr


def test_lists_are_ordered_by_bytes() -> None:
    rows = [{"file": "a.py", "line": i, "name": "f", "reason": "r", "calls": 1, "bytes": i} for i in range(3)]
    snapshot = {"native_calls": 0, "native_bytes": 0, "fallback_calls": 3, "fallback_bytes": 3, "fallbacks": rows, "lines": []}
    assert [row.line for row in from_snapshot(snapshot, ["a.py"], 1.0).fallbacks] == [2, 1, 0]
