"""How many native threads of a program and its children are runnable, looked at from another process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

STEP = 0.002
WINDOW = 25  # looks, about 50 ms: who hands tasks out runs for less


def children(pid: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [int(entry), *children(int(entry))]
    return found


def runnable(pids: list[int]) -> int:
    count = 0
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/stat", "rb", buffering=0) as file:
                    count += file.read(512).rpartition(b") ")[2][:1] == b"R"
        except OSError:  # it has ended
            continue
    return count


def most_runnable(program: str, environment: dict[str, str]) -> float:
    """The most in the mean of a window, between the lines "begin" and "end" that the program writes."""
    most = 0.0
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "begin\n"
            os.set_blocking(process.stdout.fileno(), False)
            pids = [process.pid, *children(process.pid)]
            last: deque[int] = deque(maxlen=WINDOW)
            looks = 0
            while not process.stdout.readline():
                last.append(runnable(pids))
                if len(last) == WINDOW:
                    most = max(most, sum(last) / WINDOW)
                looks += 1
                time.sleep(STEP)
            assert looks > 3 * WINDOW, "the program was over too soon"
        finally:
            process.kill()
    return most
