"""Subinterpreters are refused with a clear text, whoever came first, and the main interpreter goes on as if nothing had been."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from types import SimpleNamespace

import pytest
from manycore import main_interpreter
from manycore.futures.choice import Explanation, Measured

from tests.python.recorded import run_child

pytestmark = pytest.mark.slow  # a program for each case

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


@pytest.mark.parametrize("module", ["manycore", "manycore.numpy", "manycore._core", "manycore.futures", "manycore._tasks"])
@pytest.mark.parametrize("first", ["", COMPUTES], ids=["before the main interpreter", "after it"])
def test_a_subinterpreter_is_refused_and_the_main_one_computes(module: str, first: str) -> None:
    lines = lines_of(f"{first}run('import {module}')\nrun('import {module}')\n{COMPUTES}")
    assert lines == ["600000.0"] * bool(first) + [REFUSED] * 2 + ["600000.0"]


def test_a_subinterpreter_runs_beside_pending_work_and_ends() -> None:
    program = "import manycore.numpy as np\na = np.ones(200_000) * 2\nrun('x = 1')\nprint(float(a.sum()))\nb = a + 1\n"
    assert lines_of(program) == ["nothing raised", "400000.0"]


def test_pools_run_on_beside_a_subinterpreter_that_is_refused() -> None:
    program = (
        "from manycore.futures import ThreadPoolExecutor, ProcessPoolExecutor\n"
        "with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1) as processes:\n"
        "    print(threads.submit(abs, -1).result(), processes.submit(abs, -2).result())\n"
        "    run('from manycore.futures import ThreadPoolExecutor')\n"
        "    print(threads.submit(abs, -3).result(), processes.submit(abs, -4).result())\n"
    )
    assert lines_of(program) == ["1 2", REFUSED, "3 4"]


def as_free_threaded(monkeypatch: pytest.MonkeyPatch, gil: int | None, found: bool) -> None:
    monkeypatch.setattr(main_interpreter, "free_threaded", lambda: True)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0, "final", 0))
    monkeypatch.setattr(sys, "flags", SimpleNamespace(gil=gil))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if found else None)


def test_a_python_that_must_stay_without_gil_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    main_interpreter.refuse_without_gil()  # this one
    as_free_threaded(monkeypatch, None, True)
    main_interpreter.refuse_without_gil()
    as_free_threaded(monkeypatch, 0, True)
    with pytest.raises(ImportError, match="cannot be imported with the GIL off, .* leave out -X gil=0 and PYTHON_GIL=0"):
        main_interpreter.refuse_without_gil()


def test_a_python_without_gil_that_has_no_extensions_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    as_free_threaded(monkeypatch, None, False)
    with pytest.raises(ImportError, match=r"no extensions for the free-threaded Python that runs, .* build of Python 3\.13;"):
        main_interpreter.refuse_without_gil()


def test_explain_says_why_only_processes_go_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Measured(calls=4, seconds=0.4, processor_seconds=0.4, gil_held=1.0, left=100, workers=2, cores=2)
    waits = dataclasses.replace(held, gil_held=0.0)
    assert "sub-interpreters are not used, since NumPy" in str(Explanation("f", 104, "processes", "x", held))
    assert "sub-interpreters" not in str(Explanation("f", 104, "threads", "x", waits))
    monkeypatch.setattr(main_interpreter, "free_threaded", lambda: True)
    assert "could run threads without the GIL, but manycore's extensions turn it on" in str(
        Explanation("f", 4, "inline", "x", held)
    )
