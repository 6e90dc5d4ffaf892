"""Importing manycore costs little until arrays are asked for, and offers what it always did."""

from __future__ import annotations

import pytest

from tests.python.recorded import run_child

OFFERED = """
    FallbackError __version__ evaluate explain install load_ipython_extension to_process to_thread uninstall unload_ipython_extension
    _core recording session waiting futures main_interpreter
""".split()

# Of the standard library, in any of its releases.
SMALL = {
    "__future__",
    "typing",
    "_typing",
    "importlib",
    "_interpreters",
    "_xxsubinterpreters",
    "_xxinterpchannels",
    "copyreg",
    "_io",
}

IMPORT_SECONDS = """
import time
import concurrent.futures, multiprocessing
import concurrent.futures.process, concurrent.futures.thread
start = time.process_time()
from manycore.futures import ThreadPoolExecutor
print(time.process_time() - start)
"""


def printed(program: str) -> list[str]:
    done = run_child(program)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_futures_need_neither_numpy_nor_the_arrays() -> None:
    program = (
        "import sys\nimport manycore.futures\nprint(*[n in sys.modules for n in ('numpy', 'manycore._core', 'manycore._tasks')])"
    )
    assert printed(program) == ["False", "False", "True"]


@pytest.mark.parametrize("name", OFFERED)
def test_each_name_is_there_whichever_is_asked_for_first(name: str) -> None:
    assert printed(f"import manycore\nprint(manycore.{name} is not None)\nfrom manycore import {name}") == ["True"]


def test_dir_and_star_show_what_is_offered_and_other_names_are_errors() -> None:
    program = f"""
import manycore, sys
print(set({OFFERED!r}) <= set(dir(manycore)), "numpy" in sys.modules)
print(hasattr(manycore, "nothing_of_this_name"), "numpy" in sys.modules)
from manycore import *
print(evaluate is manycore.evaluate, "numpy" in sys.modules)
"""
    assert printed(program) == ["True", "False", "False", "False", "True", "True"]


def test_warnings_of_recorded_work_have_their_rules_however_the_arrays_came() -> None:
    program = "import warnings\nfrom manycore import _core\nprint(hasattr(warnings.filterwarnings, '__wrapped__'))\n"
    assert printed(program) == ["True"]
    program = "import warnings\nimport manycore.numpy\nprint(hasattr(warnings.filterwarnings, '__wrapped__'))\n"
    assert printed(program) == ["True"]


def test_the_futures_import_in_15_ms_beyond_the_standard_ones() -> None:
    """Time of the processor: it waits for no disk. A neighbour who shares a core's caches makes everything longer, never shorter, so
    one quiet moment in fifty tries is enough. benchmarks/tasks.py measures what the clock says."""
    seconds = []
    for _ in range(50):
        seconds.append(float(printed(IMPORT_SECONDS)[0]))
        if seconds[-1] <= 0.015:
            return
    raise AssertionError(f"the quickest of {len(seconds)} imports took {min(seconds):.4f} s of processor time")


def test_the_futures_import_nothing_large() -> None:
    """What does not depend on the machine: the modules that come with the executors, beyond the standard ones."""
    program = """
import sys, concurrent.futures.process, concurrent.futures.thread, multiprocessing
before = set(sys.modules)
from manycore.futures import ProcessPoolExecutor, ThreadPoolExecutor
print(*sorted(set(sys.modules) - before))
"""
    ours = {name for name in printed(program) if name.partition(".")[0] == "manycore"}
    others = set(printed(program)) - ours
    assert {"manycore._tasks", "manycore.futures.process"} <= ours and len(ours) <= 16, ours
    assert {name.partition(".")[0] for name in others} <= SMALL, others
