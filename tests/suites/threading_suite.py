"""CPython's own tests of threading and queue, with our locks in the place of the standard ones.

    .venv/bin/python -m tests.suites.threading_suite           on every Python whose tests are installed, detection off and on
    .venv/bin/python -m tests.suites.threading_suite --fast    the tests of the locks on one Python, detection on
    .venv/bin/python -m tests.suites.threading_suite --show    what the failures said as well

As cpython_suite: a .pth file swaps the classes (swapped_locks.py), and a run fails in which none of our locks was used, a test fails that
threading_expected.txt does not name with a reason, or passes that it names. With detection on a report of a deadlock is a failure too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.suites.cpython_suite import (
    CANDIDATES,
    HERE,
    ROOT,
    Suite,
    environment_for,
    expected,
    run,
    run_failures_again,
)

EXPECTED = HERE / "threading_expected.txt"
LOCKS = ("LockTests", "EventTests", "ConditionTests", "SemaphoreTests", "BarrierTests")
# `where` is the column of the counts: locks that were made, or how often one was taken.
SUITES = [
    Suite("locks", ("test.test_threading",), LOCKS, 120, "threads"),
    Suite(
        "threads",
        ("test.test_threading",),
        ("ThreadTests", "ThreadJoin", "Exception", "Timer", "Interrupt", "Misc"),
        240,
        "threads",
    ),
    Suite("queues", ("test.test_queue",), ("Queue",), 240, "threads"),
]
DETECTION = {
    "off": {"MANYCORE_DEADLOCKS": "off", "MANYCORE_LOCK_ORDER": "0"},
    "on": {"MANYCORE_DEADLOCKS": "raise", "MANYCORE_LOCK_ORDER": "1"},
}


def has_tests(python: Path) -> bool:
    """Whether this Python is there with the tests of these suites."""
    command = [str(python), "-c", "import test.test_threading, test.test_queue"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def report(folder: Path, suite: Suite, detection: str, outcomes: dict[str, list[str]], used: int, show: bool) -> bool:
    """Print what came of one suite; whether that is what was expected."""
    known, sometimes = expected(folder.name, EXPECTED)
    by = {kind: sorted(name for name, found in outcomes.items() if found[0] == kind) for kind in ("passed", "failed", "skipped")}
    unexpected = [name for name in by["failed"] if name not in known]
    mended = [name for name in by["passed"] if name in known - sometimes]
    found = folder / f"{suite.name}.counts.found"
    deadlocks = found.read_text() if found.exists() else ""
    print(
        f"Python {folder.name}, {suite.name}, detection {detection}: {len(by['passed'])} passed, {len(by['skipped'])} skipped, "
        f"{len(by['failed'])} failed ({len(by['failed']) - len(unexpected)} expected); "
        + (f"our locks were taken {used} times" if detection == "on" else f"{used} of our locks were made"),
        flush=True,
    )
    for name in unexpected:
        print(f"  fails unexpectedly: {name}")
        if show:
            print(outcomes[name][1])
    for name in mended:
        print(f"  passes though it is listed: {name}")
    if used == 0:
        print("  none of our locks was used: the classes were not swapped")
    if deadlocks:
        print(f"  deadlocks were reported:\n{deadlocks}")
    return bool(outcomes) and used > 0 and not unexpected and not mended and not deadlocks


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--only", default="", help="a part of a suite's name, and a part of a Python's path after a comma")
    args = parser.parse_args()
    only, _, which = args.only.partition(",")
    pythons = [path for path in (ROOT / name if name[0] != "/" else Path(name) for name in CANDIDATES) if has_tests(path)]
    pythons = [path for path in pythons if which in str(path)]
    if not pythons:
        print("threading_suite: no Python with its tests; script/setup installs libpython3.11-testsuite on Debian")
        return 1
    good = True
    for python in pythons[:1] if args.fast else pythons:
        folder = environment_for(python, "threading-suite", "swapped_locks")
        for suite in SUITES[:1] if args.fast else [suite for suite in SUITES if only in suite.name]:
            for detection in ("on",) if args.fast else ("off", "on"):
                os.environ.update(DETECTION[detection])
                (folder / f"{suite.name}.counts.found").unlink(missing_ok=True)
                column = "threads" if detection == "off" else "processes"
                counted = Suite(suite.name, suite.modules, suite.patterns, suite.seconds, column)
                outcomes, used = run(folder, counted, ())
                run_failures_again(folder, counted, outcomes, EXPECTED)
                good &= report(folder, suite, detection, outcomes, used, args.show)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
