"""Where the package works: in the main interpreter, since NumPy keeps its C state once a process, and with the GIL.

The GIL guards the state of the extensions. A Python without it turns it on when it loads them, unless it was told not to.
"""

from __future__ import annotations

import importlib
import sys


def is_main() -> bool:
    """Is this the process's main interpreter? Python tells by a module that is called otherwise from 3.13 on."""
    try:
        interpreters = importlib.import_module("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    except ImportError:
        return True  # a Python without subinterpreters
    return bool(interpreters.get_current() == interpreters.get_main())


def refuse_others() -> None:
    """Raise ImportError in a subinterpreter, before anything is loaded there."""
    if not is_main():
        raise ImportError(
            "manycore: cannot be imported in a subinterpreter, expected the main interpreter, because NumPy's C code, which it "
            "works with, keeps its state once a process; try threads or multiprocessing"
        )


def free_threaded() -> bool:
    """Was this Python built to run without the GIL?"""
    return "t" in getattr(sys, "abiflags", "")


def refuse_without_gil() -> None:
    """Raise ImportError where a Python without GIL was told to stay so, or there are no extensions for it."""
    if sys.version_info < (3, 13) or not free_threaded():
        return
    if getattr(sys.flags, "gil", None) == 0:
        raise ImportError(
            "manycore: cannot be imported with the GIL off, expected a free-threaded Python that may turn it on, because the "
            "extensions rely on it; leave out -X gil=0 and PYTHON_GIL=0 and use processes to run Python code side by side"
        )
    import importlib.util

    if importlib.util.find_spec("manycore._tasks") is None:
        raise ImportError(
            "manycore: there are no extensions for the free-threaded Python that runs, expected the usual build of Python "
            f"{sys.version_info[0]}.{sys.version_info[1]}; use that, where processes run Python code side by side"
        )


def side_by_side() -> str:
    """What to say where a program's threads wait for the GIL."""
    if free_threaded():
        return (
            "this Python could run threads without the GIL, but manycore's extensions turn it on: only processes go side by side"
        )
    return "sub-interpreters are not used, since NumPy and manycore load in the main interpreter only: processes go side by side"
