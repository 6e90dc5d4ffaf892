"""manycore runs the NumPy programs that people already have on all of their hardware, with the same answers.

``manycore run script.py`` runs an unmodified program; ``import manycore.numpy as np`` uses the arrays directly;
``manycore.install()`` and ``%load_ext manycore`` do for a session what ``manycore run`` does for a program;
``manycore.threading`` is ``threading`` with deadlocks that are named; ``manycore.futures`` has the executors of
``concurrent.futures``; ``await manycore.to_thread(f, ...)`` and ``to_process`` call blocking functions from coroutines;
``manycore.cancel(future)`` cancels a call or stops it; ``manycore.deadlocks(policy=...)`` says what happens to threads that
wait for each other for ever.
"""

from __future__ import annotations

from manycore import launched

launched.leave_out_working_folder()

import importlib  # noqa: E402

from manycore import main_interpreter  # noqa: E402

# What is below loads the extensions, which must not happen in another interpreter.
main_interpreter.refuse_others()
main_interpreter.refuse_without_gil()

TYPE_CHECKING = False  # as typing's, whose import takes longer than all of this
if TYPE_CHECKING:
    from typing import Any

    from manycore.engine import (
        FallbackError,
        __version__,
        evaluate,
        explain,
        install,
        load_ipython_extension,
        uninstall,
        unload_ipython_extension,
    )
    from manycore.futures.asynchronous import to_process, to_thread
    from manycore.futures.cancelling import cancel
    from manycore.threading import deadlocks

__all__ = [
    "FallbackError",
    "__version__",
    "cancel",
    "deadlocks",
    "evaluate",
    "explain",
    "install",
    "load_ipython_extension",
    "to_process",
    "to_thread",
    "uninstall",
    "unload_ipython_extension",
]

# Modules that are there after `import manycore`, as if it had imported them.
_NEED_ENGINE = frozenset({"_core", "recording"})
_ALONE = frozenset({"futures", "session", "threading", "waiting"})
_OF_PARTS = {
    "cancel": "futures.cancelling",
    "deadlocks": "threading",
    "to_process": "futures.asynchronous",
    "to_thread": "futures.asynchronous",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: NumPy and the arrays take 100 ms that a program of tasks does not need."""
    if name in _ALONE:
        return importlib.import_module(f"manycore.{name}")
    if name in _OF_PARTS:
        value = getattr(importlib.import_module(f"manycore.{_OF_PARTS[name]}"), name)
        globals()[name] = value
        return value
    if name not in _NEED_ENGINE and name not in __all__:
        raise AttributeError(f"module 'manycore' has no attribute '{name}'")
    engine = importlib.import_module("manycore.engine")
    if name in _NEED_ENGINE:
        return importlib.import_module(f"manycore.{name}")
    value = getattr(engine, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_NEED_ENGINE, *_ALONE})
