"""Runs one test file of a suite to its end: what crashes or hangs is one outcome, and the tests behind it run in the next process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STILL = 120  # seconds without a finished test, after which a process counts as hung
MOST_PROCESSES = 40
# Tests that ask for more memory than this skip themselves, on both sides.
MEMORY = "2 GB"


@dataclass(frozen=True)
class Outcome:
    outcome: str  # passed, failed, skipped, crashed or hung
    text: str = ""
    native: int = 0
    fallback: int = 0


def run_file(
    path: Path, log: Path, environment: dict[str, str] | None, select: str, plugins: tuple[str, ...]
) -> dict[str, Outcome]:
    """Outcomes by test id. ``environment`` is what to add for a run over manycore; None means plain Python."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    front = ["-m", "pytest"] if environment is None else ["-m", "manycore", "run", "-m", "pytest"]
    command = [sys.executable, *front, "-q", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={path.parent}"]
    command += [f"-p{plugin}" for plugin in (*plugins, "pytest_outcomes")]
    command += [f"--basetemp={log.with_suffix('.temporary')}", "-m", select, "--tb=short", "--disable-warnings", str(path)]
    done = log.with_suffix(".done")
    for _ in range(MOST_PROCESSES):
        outcomes, _ = read_log(log)
        done.write_text("\n".join(outcomes))
        ended = _run_once(command, log, done, environment or {})
        outcomes, unfinished = read_log(log)
        if unfinished is None:
            break
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": unfinished, "outcome": ended[0], "text": ended[1], "native": 0, "fallback": 0}) + "\n")
    outcomes, _ = read_log(log)
    return outcomes


def read_log(log: Path) -> tuple[dict[str, Outcome], str | None]:
    """What is known of each test, and the test that was begun last and has not ended."""
    outcomes: dict[str, Outcome] = {}
    unfinished = None
    for line in log.read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        if "start" in entry:
            unfinished = entry["start"]
        else:
            unfinished = None
            name = entry.pop("id")
            outcomes[name] = Outcome(**entry)
    return outcomes, unfinished


def _run_once(command: list[str], log: Path, done: Path, environment: dict[str, str]) -> tuple[str, str]:
    """How the process ended: 'crashed' or 'hung' and the end of what it printed; only looked at when a test did not finish."""
    paths = [str(ROOT / "python"), str(ROOT / "tests" / "suites")]
    variables = {
        **os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0", "NPY_AVAILABLE_MEM": MEMORY,
        "SUITE_LOG": str(log), "SUITE_DONE": str(done), "PYTHONFAULTHANDLER": "1", **environment,
    }  # fmt: skip
    printed = log.with_suffix(".txt")
    with printed.open("w") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=variables,
            cwd=log.parent,
            start_new_session=True,
        )
        hung = _watch(process, log)
    return ("hung" if hung else "crashed"), f"exit status {process.returncode}: {printed.read_text(errors='replace')[-1500:]}"


def _watch(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait for the end; end it when its log has stood still for too long."""
    size, since = -1, time.monotonic()
    while True:
        try:
            process.wait(0.2)
            return False
        except subprocess.TimeoutExpired:
            now = log.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > STILL:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
