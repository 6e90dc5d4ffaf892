"""Functions and classes of `__main__` that a worker has not got: defined or defined again after it came to be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a program for each case

PROGRAM = """
import multiprocessing, os
from manycore.futures import ProcessPoolExecutor
SETTING = "not set"
def initialize(value):
    global SETTING
    SETTING = value
def first(x):
    return "first", x, SETTING
def helper(x):
    return "helper", x
class Kept:
    def __init__(self, x):
        self.x = x
    def get(self):
        return "kept", self.x
if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context(START), *INITIALIZER) as pool:
        print(pool.submit(first, 1).result(), pool.submit(helper, 1).result())
        print(pool.submit(Kept(1).get).result())
        def later(x):
            return "later", x, helper(x), os.getpid() != PARENT
        PARENT = os.getpid()
        print(pool.submit(later, 2).result(), list(pool.map(later, [3])))
        def helper(x):
            return "helper again", x
        print(pool.submit(helper, 4).result(), pool.submit(later, 5).result(), list(pool.map(helper, range(3)))[2])
        print(pool.submit(first, 6).result())
        class Kept:
            def __init__(self, x):
                self.x = x
            def get(self):
                return "another", self.x
        one = pool.submit(Kept, 7).result()
        print(type(one) is Kept, pool.submit(one.get).result(), pool.submit(len, [Kept(1)] * 3).result())
        print(pool.submit(lambda x: (helper(x), Kept(x).get()), 8).result())
"""
TOLD = [
    "('first', 1, {}) ('helper', 1)",
    "('kept', 1)",
    "('later', 2, ('helper', 2), True) [('later', 3, ('helper', 3), True)]",
    "('helper again', 4) ('later', 5, ('helper again', 5), True) ('helper again', 2)",
    "('first', 6, {})",
    "True ('another', 7) 3",
    "(('helper again', 8), ('another', 8))",
]


@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("way", ["file", "command", "stdin"])
def test_what_was_defined_later_or_again_is_what_runs(way: str, start: str, tmp_path: Path) -> None:
    # An initializer of a program without a file is only there for workers that are forked, as in the standard.
    initialized = way == "file" or start == "fork"
    program = PROGRAM.replace("START", repr(start)).replace("*INITIALIZER", "initialize, ('set',)" if initialized else "")
    path = tmp_path / "program.py"
    path.write_text(program)
    command = {"file": [str(path)], "command": ["-c", program], "stdin": ["-"]}[way]
    done = subprocess.run(
        [sys.executable, *command],
        input=program if way == "stdin" else None,
        env={**os.environ, "TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    # What an initializer has set in the worker is what functions find there that it knows.
    setting = "'set'" if initialized else "'not set'"
    assert done.stdout.splitlines() == [line.replace("{}", setting) for line in TOLD]


def test_a_session_that_is_typed(tmp_path: Path) -> None:
    lines = [
        "from manycore.futures import ProcessPoolExecutor",
        "pool = ProcessPoolExecutor(2)",
        "def f(x): return x + 1",
        "",
        "print(pool.submit(f, 1).result())",
        "def f(x): return x * 100",
        "",
        "print(pool.submit(f, 1).result(), list(pool.map(f, [2])))",
        "pool.shutdown()",
    ]
    done = subprocess.run(
        [sys.executable, "-i", "-q"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines() == ["2", "100 [200]"]
