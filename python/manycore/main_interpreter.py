"""NumPy keeps its C state once a process, and arrays go by it: the package works in the main interpreter and nowhere else."""

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
