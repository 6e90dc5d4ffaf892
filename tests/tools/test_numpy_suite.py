"""The runner of NumPy's own tests: a crash or a hang is one outcome, the list is kept, and a fast part of the suite passes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.suites import expected, numpy_suite, one_file
from tests.suites.one_file import Outcome

LONGEST_LIST = 188  # may only become less
FAST = ["lib/tests/test_twodim_base.py", "_core/tests/test_item_selection.py", "linalg/tests/test_regression.py"]

DIFFICULT = """
import os, time

def test_first(): pass
def test_that_fails(): assert 1 == 2
def test_that_crashes(): os.abort()
def test_that_hangs(): time.sleep(1000)
def test_that_is_skipped():
    import pytest
    pytest.skip("not here")
def test_last(): pass
"""


@pytest.mark.slow
def test_what_crashes_or_hangs_is_one_outcome_and_the_rest_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_file, "STILL", 5)
    file = tmp_path / "tests" / "test_difficult.py"
    file.parent.mkdir()
    file.write_text(DIFFICULT)
    outcomes = one_file.run_file(file, tmp_path / "log" / "difficult.jsonl", None, "not slow", ())
    assert {name.removeprefix("test_"): outcome.outcome for name, outcome in outcomes.items()} == {
        "first": "passed",
        "that_fails": "failed",
        "that_crashes": "crashed",
        "that_hangs": "hung",
        "that_is_skipped": "skipped",
        "last": "passed",
    }
    assert "1 == 2" in outcomes["test_that_fails"].text
    assert "exit status -6" in outcomes["test_that_crashes"].text


def test_unexpected_failures_and_unexpected_passes_are_told_apart() -> None:
    plain = {name: Outcome("passed") for name in ("good", "bad", "known", "mended", "lost")} | {"other": Outcome("failed")}
    ours = {"good": Outcome("passed"), "bad": Outcome("failed"), "known": Outcome("crashed"), "mended": Outcome("passed")}
    comparison = numpy_suite.Comparison("f.py", plain, ours)
    comparison.judge(expected.Expected({"f.py::known": "why", "f.py::mended": "why", "f.py::other": "why"}))
    assert comparison.unexpected == ["f.py::bad", "f.py::lost"]
    assert comparison.mended == ["f.py::mended"]
    assert numpy_suite.summary([comparison], "default") == 1


def test_the_list_is_sorted_has_a_reason_for_each_test_and_does_not_grow() -> None:
    text = [line for line in expected.LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert text == sorted(set(text))
    assert all(way in ("", *numpy_suite.WAYS) and "::" in name and reason for way, name, reason in expected.lines())
    assert len(text) <= LONGEST_LIST


@pytest.mark.slow
@pytest.mark.parametrize("way", sorted(numpy_suite.WAYS))
def test_a_fast_part_of_numpys_tests_passes(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert numpy_suite.main([*FAST, "--way", way]) == 0
    assert f"({way}): {len(FAST)} files" in capsys.readouterr().out
