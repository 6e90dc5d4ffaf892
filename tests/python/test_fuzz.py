"""A short run of the fuzzer, the same programs every time; script/test --long runs it for longer with other seeds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.random_program", *arguments]
    environment = {**os.environ, **variables}
    if "PYTHONPATH" in environment:  # it may be relative to the folder that the tests were started in
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in environment["PYTHONPATH"].split(os.pathsep))
    return subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, env=environment, check=False)


@pytest.mark.slow
def test_random_programs_agree_with_numpy_after_every_line() -> None:
    result = run("--seed", "1", "--programs", "400", "--seconds", "300")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("400 programs")


EVERYTHING = {"MANYCORE_RECORD_FROM": "0", "MANYCORE_BLOCK_ELEMENTS": "3", "MANYCORE_CHUNK_ELEMENTS": "5"}


@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_random_programs_agree_when_everything_is_recorded_and_cut_small(threads: str) -> None:
    result = run(
        "--kind", "lines", "--seed", threads, "--programs", "150", "--seconds", "300", MANYCORE_THREADS=threads, **EVERYTHING
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("150 programs")


@pytest.mark.slow
def test_a_run_that_recorded_nothing_fails() -> None:
    """Nothing differs, but nothing was tried either."""
    result = run("--kind", "accumulating", "--programs", "60", "--seconds", "300", MANYCORE_EAGER="1")
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout.endswith("accumulating: 0 operations recorded by 60 programs, expected 10 a program\n")


def test_a_planted_difference_is_found_and_shortened() -> None:
    """The comparison of the fuzzer sees one wrong bit."""
    sys.path.insert(0, str(CHECKOUT))
    import manycore.numpy as np
    import numpy

    from tests.fuzz import random_program

    assert random_program.difference(numpy.array([1.0, 2.0]), np.array([1.0, 2.0])) == ""
    assert "first at [[1]]" in random_program.difference(numpy.array([1, 2]), np.array([1, 3]))
    assert random_program.difference(numpy.array([1, 2]), np.array([1, 2], dtype="int32"))
    assert random_program.run_program(["a1 = np.arange(3)", "a2 = a1 + (np is numpy)"]).startswith("line 2")
    assert (
        random_program.shorten(["a1 = np.arange(3)", "a2 = np.ones(4)", "a3 = a1 + (np is numpy)"])[-1]
        == "a3 = a1 + (np is numpy)"
    )


@pytest.mark.long
def test_random_programs_for_two_minutes() -> None:
    result = run("--seed", "100000", "--seconds", "120")
    assert result.returncode == 0, result.stdout + result.stderr
