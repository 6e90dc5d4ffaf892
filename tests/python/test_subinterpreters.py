"""Subinterpreters are refused with a clear text, whoever came first, and the main interpreter goes on as if nothing had been."""

from __future__ import annotations

import pytest

from tests.python.recorded import run_child

# Python 3.13 has another module than the earlier ones, and answers an exception where those raise it.
IN_ANOTHER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
def run(code):
    interpreter = interpreters.create()
    code = f"import sys; sys.path[:] = {sys.path!r}\\n" + code
    try:
        if hasattr(interpreters, "exec"):
            raised = interpreters.exec(interpreter, code)
            print(raised.formatted if raised else "nothing raised")
        else:
            interpreters.run_string(interpreter, code)
            print("nothing raised")
    except interpreters.RunFailedError if hasattr(interpreters, "RunFailedError") else () as error:
        print(error)
    interpreters.destroy(interpreter)
"""

REFUSED = (
    "ImportError: manycore: cannot be imported in a subinterpreter, expected the main interpreter, because NumPy's C code, which it "
    "works with, keeps its state once a process; try threads or multiprocessing"
)
COMPUTES = "import manycore.numpy as np\na = np.ones(200_000)\nprint(float((a * 2 + 1).sum()))\n"


def lines_of(program: str) -> list[str]:
    done = run_child(IN_ANOTHER + program)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.replace("<class 'ImportError'>", "ImportError") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("module", ["manycore", "manycore.numpy", "manycore._core"])
@pytest.mark.parametrize("first", ["", COMPUTES], ids=["before the main interpreter", "after it"])
def test_a_subinterpreter_is_refused_and_the_main_one_computes(module: str, first: str) -> None:
    lines = lines_of(f"{first}run('import {module}')\nrun('import {module}')\n{COMPUTES}")
    assert lines == ["600000.0"] * bool(first) + [REFUSED] * 2 + ["600000.0"]


def test_a_subinterpreter_runs_beside_pending_work_and_ends() -> None:
    program = "import manycore.numpy as np\na = np.ones(200_000) * 2\nrun('x = 1')\nprint(float(a.sum()))\nb = a + 1\n"
    assert lines_of(program) == ["nothing raised", "400000.0"]
