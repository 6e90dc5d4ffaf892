"""Modules of the standard library as user code sees them: the same names, with manycore's classes for the standard ones.

A stand-in answers every other name from the real module, so that classes that libraries and the user share stay the same objects.
Libraries and the standard library itself keep the real modules.
"""

from __future__ import annotations

import functools
import importlib
import types
from typing import Any

# What stands in the place of which names; the value is where ours come from. Names that this Python's module lacks are left out.
REPLACED = {
    "concurrent.futures": ("manycore.futures", ("ThreadPoolExecutor",)),
    "concurrent.futures.thread": ("manycore.futures", ("ThreadPoolExecutor",)),
}
_stand_ins: dict[str, tuple[types.ModuleType, types.ModuleType]] = {}  # by name: the real module and what stands for it


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
        module = types.ModuleType(name)
        names = vars(module)
        names.update({name: value for name, value in vars(real).items() if name.startswith("__")})
        # Every other name is the real module's, now and later; without a frame of ours in the traceback of one that is missing.
        names.update(__getattr__=functools.partial(getattr, real), __dir__=functools.partial(dir, real))
        names.update(_own_names(name, real))
        _stand_ins[name] = real, module
    # A module inside appears when it has been imported, as in the real package.
    for other in inside:
        child = other[len(name) + 1 :].partition(".")[0]
        if child in vars(real) and child not in vars(module):
            setattr(module, child, stand_in(f"{name}.{child}"))
    return module


def _own_names(name: str, real: types.ModuleType) -> dict[str, Any]:
    if name not in REPLACED:
        return {}
    source, names = REPLACED[name]
    ours = importlib.import_module(source)
    return {attribute: getattr(ours, attribute) for attribute in names if hasattr(real, attribute)}
