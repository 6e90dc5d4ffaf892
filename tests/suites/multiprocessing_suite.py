"""CPython's own tests of multiprocessing, with our classes in the place of the standard ones.

    .venv/bin/python -m tests.suites.multiprocessing_suite           on every Python whose tests are installed
    .venv/bin/python -m tests.suites.multiprocessing_suite --fast    on one Python, by fork only, without what takes seconds
    .venv/bin/python -m tests.suites.multiprocessing_suite --show    what the failures said as well

As cpython_suite, whose environment with a .pth it uses (swapped_multiprocessing.py). A run in which no call went through our pools
and no message through our queues fails, and so does one in which a test fails that multiprocessing_expected.txt does not name with a reason, or passes that it names.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.suites import cpython_suite
from tests.suites.cpython_suite import CANDIDATES, HERE, ROOT, Suite

EXPECTED = HERE / "multiprocessing_expected.txt"
METHODS = ("fork", "spawn", "forkserver")
SECONDS = 900
WHERE = "pools (calls) and queues (messages)"
# In a fast run, these only, and of them none that waits on purpose.
FAST = ("TestPool", "TestQueue", "TestSimpleQueue")
SLOW = ("WithManager", "test_async_timeout", "test_map_no_failfast", "test_pool_worker_lifetime", "handle_iterable")


def suites(fast: bool) -> list[Suite]:
    return [
        Suite(method, (f"test.test_multiprocessing_{method}",), FAST if fast else ("",), SECONDS, WHERE)
        for method in (METHODS[:1] if fast else METHODS)
    ]


def has_tests(python: Path) -> bool:
    command = [str(python), "-c", "import test.test_multiprocessing_fork"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--only", help="a start method, and a part of a Python's path after a comma")
    parser.add_argument("--tests", help="only tests whose id has this part")
    args = parser.parse_args()
    only, _, which = (args.only or "").partition(",")
    paths = [ROOT / name if not name.startswith("/") else Path(name) for name in CANDIDATES]
    pythons = [path for path in paths if which in str(path) and has_tests(path)]
    if not pythons:
        print("multiprocessing_suite: no Python with its tests; script/setup installs libpython3.11-testsuite on Debian")
        return 1
    good = True
    for python in pythons[:1] if args.fast else pythons:
        folder = cpython_suite.environment_for(python, "multiprocessing-suite", "swapped_multiprocessing")
        for suite in suites(args.fast):
            if only not in ("", suite.name):
                continue
            if args.tests:
                suite = Suite(suite.name, suite.modules, (args.tests,), suite.seconds, WHERE)
            outcomes, counted = cpython_suite.run(folder, suite, SLOW if args.fast else ())
            cpython_suite.run_failures_again(folder, suite, outcomes, EXPECTED)
            good &= cpython_suite.report(folder.name, suite, outcomes, counted, args.show, EXPECTED)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
