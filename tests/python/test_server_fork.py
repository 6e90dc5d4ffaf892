"""The fork server of `manycore.parallel` as a fork of the program: when it is one, and what workers have of the program then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recorded import run_child

pytest.importorskip("joblib")
pytestmark = pytest.mark.slow  # a program for each case

CALL = """
import manycore.parallel
from manycore.parallel import Parallel, delayed
from manycore.futures.server_keeper import server
import os, sys, time
def call(fn, *args):
    return Parallel(n_jobs=2)(delayed(fn)(*args) for _ in range(2))
def is_fork():
    server.start()
    def words(pid):
        return open(f"/proc/{pid}/cmdline").read()
    return words(server.pid) == words(os.getpid())
"""


def told(begin: str, end: str, **environment: str) -> list[str]:
    done = run_child(begin + CALL + end, **environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def test_it_is_a_fork_of_a_small_program_on_one_thread() -> None:
    assert told("", "print(is_fork(), call(abs, -1))") == ["True [1, 1]"]


@pytest.mark.parametrize(
    "begin",
    [
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()\n",
        "import socket; pair = socket.socketpair()\n",
        "import sys; sys.setprofile(lambda *_: None)\n",
        "held = bytearray(os.urandom(1 << 16)) * 8192\n",
        "import multiprocessing; multiprocessing.set_start_method('spawn')\nprint('no server')\n",
        "os.environ['OMP_NUM_THREADS'] = '2'; import sklearn.ensemble as e\n"
        "e.HistGradientBoostingClassifier(max_iter=2).fit([[0], [1]] * 20, [0, 1] * 20)\n",
    ],
    ids=["thread", "socket", "profile", "memory", "method", "OpenMP"],
)
def test_it_is_a_program_of_its_own_where_a_fork_would_be_wrong(begin: str) -> None:
    end = "sys.setprofile(None)\nif __name__ == '__main__': print(is_fork(), call(abs, -1))"
    assert told("import os\n" + begin, end)[-1] == "False [1, 1]"


def test_what_waits_to_be_written_is_written_once() -> None:
    # Into a file, output is kept back.
    lines = told("print('before')\n", "def say(): print('in', flush=True)\ncall(say)\nprint('after')")
    assert sorted(lines) == ["after", "before", "in", "in"]


def test_functions_of_the_program_and_of_modules_that_are_half_imported(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text("import manycore.parallel\ndef half(x):\n    return x / 2\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    end = "offset = 3\ndef later(x): return x + offset\nprint(is_fork(), call(half.half, 4), call(later, 4))"
    assert told("def later(x): return 0\nimport half\n", end, PYTHONPATH=path) == ["True [2.0, 2.0] [7, 7]"]


def test_handlers_of_signals_are_the_programs_alone() -> None:
    begin = "import signal; signal.signal(signal.SIGTERM, lambda *_: print('program'))\n"
    end = "print(is_fork(), call(lambda: signal.getsignal(signal.SIGTERM) == signal.SIG_DFL))"
    assert told(begin, end) == ["True [True, True]"]


@pytest.mark.parametrize("begin", ["import numpy.random\n", ""], ids=["fork", "late"])
def test_workers_have_random_numbers_of_their_own(begin: str) -> None:
    end = """
def draw():
    import numpy.random
    time.sleep(0.2)  # so that each worker has one
    return os.getpid(), numpy.random.rand()
found = call(draw)
print(is_fork(), len({pid for pid, _ in found}) == len({value for _, value in found}) == 2)
"""
    assert told(begin, end) == ["True True"]
