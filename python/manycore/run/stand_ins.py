"""Modules of the standard library, and joblib, as user code sees them: the same names, our classes for some of theirs.

A stand-in answers every other name from the real module, so that classes that libraries and the user share stay the same objects.
Libraries and the standard library itself keep the real modules.
"""

from __future__ import annotations

import functools
import importlib
import types

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any

# What stands in the place of which names; the value is where ours come from.
REPLACED = {
    "concurrent.futures": ("manycore.futures", ("ThreadPoolExecutor", "ProcessPoolExecutor")),
    "concurrent.futures.thread": ("manycore.futures", ("ThreadPoolExecutor",)),
    "concurrent.futures.process": ("manycore.futures", ("ProcessPoolExecutor",)),
    "multiprocessing": (
        "manycore.multiprocessing",
        ("Array", "Barrier", "BoundedSemaphore", "Condition", "Event", "JoinableQueue", "Lock", "Pipe", "Pool", "Queue")
        + ("RLock", "Semaphore", "SimpleQueue", "Value", "get_context"),
    ),
    "multiprocessing.connection": ("manycore.multiprocessing.pipes", ("Pipe",)),
    "multiprocessing.context": ("manycore.multiprocessing.context", ("ForkContext", "SpawnContext", "ForkServerContext")),
    "multiprocessing.dummy": ("manycore.multiprocessing.dummy", ("Pool",)),
    "multiprocessing.pool": ("manycore.multiprocessing.pool", ("Pool", "ThreadPool")),
    "multiprocessing.synchronize": (
        "manycore.multiprocessing.synchronize",
        ("BoundedSemaphore", "Lock", "RLock", "Semaphore"),
    ),
    "multiprocessing.queues": ("manycore.multiprocessing.queues", ("JoinableQueue", "Queue", "SimpleQueue")),
    "joblib": ("manycore.parallel", ("Parallel",)),
    "joblib.parallel": ("manycore.parallel", ("Parallel",)),
}
# The same for a program that is checked; names of newer Pythons are taken from the real module.
CHECKED = {
    "threading": (
        "manycore.threading",
        ("Barrier", "BoundedSemaphore", "Condition", "Event", "Lock", "RLock", "Semaphore", "Thread", "Timer"),
    ),
    "queue": ("manycore.threading.queues", ("LifoQueue", "PriorityQueue", "Queue", "SimpleQueue")),
    "concurrent.futures": ("manycore.futures", ("ThreadPoolExecutor", "ProcessPoolExecutor", "as_completed", "wait")),
}
_stand_ins: dict[str, tuple[types.ModuleType, types.ModuleType]] = {}  # by name: the real module and what stands for it


class _Ours:
    """A name that is imported when it is first asked for, as some of the standard library's are, and may be set before."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: types.ModuleType | None, owner: type) -> Any:
        if module is None:
            return self
        return vars(module).setdefault(self.name, getattr(importlib.import_module(self.source), self.name))


def check() -> None:
    """From now on user code gets what ``manycore check`` watches."""
    REPLACED.update(CHECKED)
    _stand_ins.clear()


def swap_import(name: str, fromlist: Any) -> types.ModuleType | None:
    """What user code gets for ``import name``; as ``import_hook.swap_import``. None: the module is no business of ours."""
    try:
        importlib.import_module(name)
    except ImportError:
        return None  # the plain import raises it again, from its own frames
    if not fromlist:
        return stand_in(name.partition(".")[0])
    if fromlist is not True:
        for attribute in fromlist:
            if f"{name}.{attribute}" in REPLACED:
                importlib.import_module(f"{name}.{attribute}")
    return stand_in(name)


def stand_in(name: str) -> types.ModuleType:
    """The module for the user: a stand-in where it, or a module inside it, has names that are replaced."""
    inside = [other for other in REPLACED if other.startswith(name + ".")]
    real = importlib.import_module(name)
    if name not in REPLACED and not inside:
        return real
    of, module = _stand_ins.get(name, (None, real))
    if of is not real:
        source, replaced = REPLACED.get(name, ("", ()))
        module = type("module", (types.ModuleType,), {attribute: _Ours(source) for attribute in replaced})(name)
        names = vars(module)
        names.update({name: value for name, value in vars(real).items() if name.startswith("__")})
        # Every other name is the real module's, now and later; without a frame of ours in the traceback of one that is missing.
        names.update(__getattr__=functools.partial(getattr, real), __dir__=functools.partial(dir, real))
        _stand_ins[name] = real, module
    # A module inside appears when it has been imported, as in the real package.
    for other in inside:
        child = other[len(name) + 1 :].partition(".")[0]
        if child in vars(real) and child not in vars(module):
            setattr(module, child, stand_in(f"{name}.{child}"))
    return module
