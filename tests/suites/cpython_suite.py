"""CPython's own tests of futures, thread pools and asyncio's executors, with our classes in the place of the standard ones.

    .venv/bin/python -m tests.suites.cpython_suite           on every Python whose tests are installed
    .venv/bin/python -m tests.suites.cpython_suite --fast    on one Python, without asyncio's, processes by fork only, without what takes seconds
    .venv/bin/python -m tests.suites.cpython_suite --show    what the failures said as well

The tests run in an environment of their own, in which a .pth file swaps the classes (swapped_executors.py), so that child
interpreters see them too. A run in which no task went through our threads fails, and so does one in which a test fails that
cpython_expected.txt does not name with a reason, or passes that it names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
EXPECTED = HERE / "cpython_expected.txt"
# Debian's interpreter, whose tests are a package, and those that were built with theirs.
CANDIDATES = ["/usr/bin/python3.11", ".venv-3.12/bin/python", ".venv-3.13/bin/python"]
MOST_AGAIN = 3
SLOW = ("test_hang_global_shutdown_lock", "test_map_timeout", "test_interpreter_shutdown", "PoolForkserver", "PoolSpawn")


@dataclass(frozen=True)
class Suite:
    name: str
    modules: tuple[str, ...]
    patterns: tuple[str, ...]
    seconds: int
    where: str = "threads"  # that tasks must have gone through


FUTURES = ("test.test_concurrent_futures",)
SUITES = [
    Suite("futures and threads", FUTURES, ("ThreadPool", "FutureTests"), 300),
    Suite("processes", FUTURES, ("ProcessPool",), 600, "processes"),
    Suite(
        "asyncio",
        ("test.test_asyncio.test_base_events", "test.test_asyncio.test_events", "test.test_asyncio.test_futures")
        + ("test.test_asyncio.test_tasks", "test.test_asyncio.test_threads"),
        ("executor", "wrap_future", "hreadsafe", "to_thread", "getaddrinfo", "isfuture"),
        300,
    ),
]


def modules_of(python: Path, suite: Suite) -> list[str]:
    """The package of tests has a module a subject from 3.12 on, and one module before."""
    program = """
import importlib, pkgutil, sys
for t in map(importlib.import_module, sys.argv[1:]):
    print(*(f"{t.__name__}.{m.name}" for m in pkgutil.iter_modules(t.__path__)) if hasattr(t, "__path__") else [t.__name__])
"""
    names = subprocess.run([python, "-c", program, *suite.modules], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in names if not name.endswith(("util", "executor"))]


def has_tests(python: Path) -> bool:
    command = [str(python), "-c", "import test.test_concurrent_futures, test.support"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def environment_for(python: Path, name: str = "cpython-suite", swap: str = "swapped_executors") -> Path:
    """An environment of that Python in which ours stands for the standard classes; made anew, which takes a second."""
    version = subprocess.run(
        [str(python), "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = ROOT / ".cache" / name / version
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next((folder / "lib").glob("python3.*")) / "site-packages"
    shutil.copy(HERE / f"{swap}.py", site / f"manycore_{swap}.py")
    (site / "manycore_swap.pth").write_text(f"{ROOT / 'python'}\nimport manycore_{swap}\n")
    return folder


def expected(version: str, names: Path = EXPECTED) -> tuple[set[str], set[str]]:
    """Tests that fail on that Python, and those among them that do not always."""
    always, sometimes = set(), set()
    for line in names.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name = line.partition(" -- ")[0]
            only, colon, rest = name.removeprefix("sometimes ").partition(": ")
            if not colon or version.startswith(only):
                (sometimes if name.startswith("sometimes ") else always).add(rest if colon else only)
    return always | sometimes, sometimes


def end_with_its_stacks(process: subprocess.Popen[bytes]) -> None:
    """Every process of the session writes where its threads are, one after the other so that no two mix, and is killed."""
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        with contextlib.suppress(OSError):
            state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) != process.pid:
                continue
            waits = [(thread / "wchan").read_text() for thread in (folder / "task").iterdir()]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            print(f"  process {folder.name} of {parent}, {state}, waits in {waits}: {command}", flush=True)
            os.kill(int(folder.name), signal.SIGUSR1)
            time.sleep(0.5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run(folder: Path, suite: Suite, left_out: tuple[str, ...]) -> tuple[dict[str, list[str]], int]:
    """Outcomes by test id, and how many tasks ran on our threads or in our processes."""
    out, counts, said = (folder / f"{suite.name}.{ending}" for ending in ("json", "counts", "log"))
    for path in (out, counts):
        path.unlink(missing_ok=True)
    python = folder / "bin" / "python"
    command = [str(python), str(HERE / "unittest_outcomes.py"), str(out), ",".join(suite.patterns), *modules_of(python, suite)]
    environment = {**os.environ, "MANYCORE_SUITE_COUNTS": str(counts), "MANYCORE_SUITE_LEAVE_OUT": ",".join(left_out)}
    environment.pop("PYTHONPATH", None)
    with (
        open(said, "w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True) as process,
    ):
        try:
            process.wait(suite.seconds)
        except subprocess.TimeoutExpired:
            end_with_its_stacks(process)
    if not out.exists():
        print(said.read_text(errors="replace")[-12000:])
        print(f"cpython_suite: {suite.name} ended without a result on {folder.name}", flush=True)
        return {}, 0
    columns = [("threads", "processes").index(suite.where)] if suite.where in ("threads", "processes") else [0, 1]
    lines = counts.read_text().splitlines() if counts.exists() else []
    tasks = sum(int(line.split()[column]) for line in lines for column in columns)
    return json.loads(out.read_text()), tasks


def run_failures_again(folder: Path, suite: Suite, outcomes: dict[str, list[str]], names: Path = EXPECTED) -> None:
    """As CPython's own runner does with -w: tests that sleep and hope fail on a busy machine. What passes the second time is named."""
    known, _ = expected(folder.name, names)
    failed = [name for name, (outcome, _) in outcomes.items() if outcome == "failed" and name not in known]
    if not 0 < len(failed) <= MOST_AGAIN:
        return
    again, _ = run(folder, replace(suite, name=f"{suite.name} again", patterns=tuple(f"*{name}" for name in failed)), ())
    for name in failed:
        if again.get(name, ["failed"])[0] == "passed":
            print(f"  failed, and passed alone: {name}\n{outcomes[name][1]}")
            outcomes[name] = again[name]


def report(version: str, suite: Suite, outcomes: dict[str, list[str]], tasks: int, show: bool, names: Path = EXPECTED) -> bool:
    known, sometimes = expected(version, names)
    by = {
        kind: sorted(name for name, (outcome, _) in outcomes.items() if outcome == kind)
        for kind in ("passed", "failed", "skipped")
    }
    unexpected = [name for name in by["failed"] if name not in known]
    mended = [name for name in by["passed"] if name in known - sometimes]
    print(
        f"Python {version}, {suite.name}: {len(by['passed'])} passed, {len(by['skipped'])} skipped, "
        f"{len(by['failed'])} failed ({len(by['failed']) - len(unexpected)} expected); {tasks} tasks through our {suite.where}"
    )
    for name in unexpected:
        print(f"  fails unexpectedly: {name}")
        if show:
            print(outcomes[name][1])
    for name in mended:
        print(f"  passes though it is listed: {name}")
    if tasks == 0:
        print(f"  no task went through our {suite.where}: the classes were not swapped")
    return bool(outcomes) and tasks > 0 and not unexpected and not mended


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--only", help="a part of a suite's name, and a part of a Python's path after a comma")
    args = parser.parse_args()
    pythons = [
        path for path in (ROOT / name if not name.startswith("/") else Path(name) for name in CANDIDATES) if has_tests(path)
    ]
    only, _, which = (args.only or "").partition(",")
    pythons = [path for path in pythons if which in str(path)]
    suites = [suite for suite in (SUITES[:2] if args.fast else SUITES) if only in suite.name]
    if not pythons:
        print("cpython_suite: no Python with its tests; script/setup installs libpython3.11-testsuite on Debian")
        return 1
    good = True
    for python in pythons[:1] if args.fast else pythons:
        folder = environment_for(python)
        for suite in suites:
            outcomes, tasks = run(folder, suite, SLOW if args.fast else ())
            run_failures_again(folder, suite, outcomes)
            good &= report(folder.name, suite, outcomes, tasks, args.show)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
