"""NumPy's own tests, which come in its wheel, run over manycore.numpy and compared with what plain NumPy passes.

    .venv/bin/python -m tests.suites.numpy_suite                         every file, against tests/suites/numpy_expected.txt
    .venv/bin/python -m tests.suites.numpy_suite --way recorded          the same with everything recorded in the smallest blocks
    .venv/bin/python -m tests.suites.numpy_suite lib/tests/test_io.py    some files; any part of a path names them
    .venv/bin/python -m tests.suites.numpy_suite --show                  what the failures said as well
    .venv/bin/python -m tests.suites.numpy_suite --table                 writes docs/numpy-suite.md from what ran

The files are copied out of site-packages: so they count as the user's code, and `manycore run -m pytest` gives them manycore.numpy
for numpy. A test fails unexpectedly when plain NumPy passes it, we do not, and the list does not name it; it passes unexpectedly
when the list names it. Both make the run fail.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy

from tests.suites.expected import KEPT_WITH, Expected
from tests.suites.numpy_table import write_table
from tests.suites.one_file import ROOT, Outcome, read_log, run_file

ROOMS = ("_core", "lib", "linalg", "fft", "ma", "matrixlib", "random", "polynomial", "testing")
# What these test is NumPy's build, not its behaviour: other extensions are compiled, or its C headers and SIMD code looked at.
LEFT_OUT = (
    "_core/tests/test_array_interface.py", "_core/tests/test_cpu_dispatcher.py", "_core/tests/test_cpu_features.py",
    "_core/tests/test_cython.py", "_core/tests/test_limited_api.py", "_core/tests/test_mem_policy.py", "_core/tests/test_simd.py",
    "_core/tests/test_simd_module.py", "random/tests/test_extending.py",
)  # fmt: skip
WAYS: dict[str, dict[str, str]] = {
    "default": {},
    "recorded": {"MANYCORE_RECORD_FROM": "0", "MANYCORE_BLOCK_ELEMENTS": "3", "MANYCORE_CHUNK_ELEMENTS": "5"},
}
FOLDER = ROOT / ".cache" / "numpy-suite" / f"{numpy.__version__}-python{platform.python_version()}"
TESTS = FOLDER / "tests"


@dataclass
class Comparison:
    """One file on both sides: tests by what became of them."""

    file: str
    plain: dict[str, Outcome]
    ours: dict[str, Outcome]
    unexpected: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.passed_by_numpy = sorted(name for name, outcome in self.plain.items() if outcome.outcome == "passed")
        self.failed = [name for name in self.passed_by_numpy if not self.passes(name)]

    def passes(self, name: str) -> bool:
        return name in self.ours and self.ours[name].outcome == "passed"

    def judge(self, expected: Expected) -> None:
        self.unexpected = [f"{self.file}::{name}" for name in self.failed if not expected.covers(f"{self.file}::{name}")]
        named = [name for name in self.passed_by_numpy if expected.covers(f"{self.file}::{name}")]
        self.mended = [f"{self.file}::{name}" for name in named if self.passes(name)]


def copy_tests() -> None:
    """The test folders without their __init__.py, so that pytest imports each file by its own name."""
    if (FOLDER / "copied").exists():
        return
    source = Path(numpy.__file__).parent
    shutil.rmtree(FOLDER, ignore_errors=True)
    for room in ROOMS:
        leave = shutil.ignore_patterns("__pycache__", "__init__.py")
        shutil.copytree(source / room / "tests", TESTS / room / "tests", ignore=leave)
    (FOLDER / "copied").touch()


def files_named(parts: list[str]) -> list[str]:
    every = sorted(str(path.relative_to(TESTS)) for room in ROOMS for path in (TESTS / room / "tests").glob("test_*.py"))
    return [file for file in every if file not in LEFT_OUT and (not parts or any(part in file for part in parts))]


def compare(file: str, way: str, select: str) -> Comparison:
    """Plain NumPy's outcomes are kept from run to run: neither the files nor NumPy change."""
    name = file.replace("/", ".").removesuffix(".py")
    sides = []
    for side, environment in (("plain", None), (way, WAYS[way])):
        log = FOLDER / (side + ("" if select == "not slow" else "-slow")) / f"{name}.jsonl"
        kept = log.with_suffix(".complete")
        if side == "plain" and kept.exists():
            sides.append(read_log(log)[0])
        else:
            sides.append(run_file(TESTS / file, log, environment, select, ("numpy.conftest",)))
            kept.touch()
    return Comparison(file, *sides)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.numpy_suite", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="parts of the paths of files; none means all")
    parser.add_argument("--way", choices=sorted(WAYS), default="default")
    parser.add_argument("--slow", action="store_true", help="only the tests that NumPy marks slow")
    parser.add_argument("--show", action="store_true", help="print what unexpected failures said")
    parser.add_argument("--table", action="store_true", help="write docs/numpy-suite.md")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    asked = parser.parse_args(arguments)
    if asked.table and (asked.files or asked.slow):
        parser.error("--table needs every file, not some of them")
    copy_tests()
    expected = Expected.read(asked.way)
    found = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for comparison in pool.map(
            lambda file: compare(file, asked.way, "slow" if asked.slow else "not slow"), files_named(asked.files)
        ):
            comparison.judge(expected)
            print_file(comparison, asked.show)
            found.append(comparison)
    if asked.table:
        write_table(found)
    return summary(found, asked.way)


def print_file(comparison: Comparison, show: bool) -> None:
    passed, failed = len(comparison.passed_by_numpy), len(comparison.failed)
    print(f"{comparison.file}: NumPy passes {passed}, manycore {passed - failed}", flush=True)
    for name in comparison.unexpected:
        outcome = comparison.ours.get(name.partition("::")[2], Outcome("missing"))
        print(f"  {outcome.outcome}, not expected: {name}")
        if show:
            print("    " + outcome.text.replace("\n", "\n    "))
    for name in comparison.mended:
        print(f"  passed, take it off the list: {name}")


def summary(found: list[Comparison], way: str) -> int:
    passed = sum(len(comparison.passed_by_numpy) for comparison in found)
    failed = sum(len(comparison.failed) for comparison in found)
    unexpected = sum(len(comparison.unexpected) for comparison in found)
    mended = sum(len(comparison.mended) for comparison in found)
    print(
        f"NumPy {numpy.__version__}'s tests ({way}): {len(found)} files, NumPy passes {passed}, manycore {passed - failed}; "
        f"expected failures {failed - unexpected}, unexpected failures {unexpected}, unexpected passes {mended}"
    )
    if numpy.__version__ != KEPT_WITH:
        print(f"the list of expected failures was kept with NumPy {KEPT_WITH}")
    return 1 if unexpected or mended or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
