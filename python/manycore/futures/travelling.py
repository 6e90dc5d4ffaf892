"""Which functions workers of the fork server can be given, that have not what the program has."""

from __future__ import annotations

import copyreg
import functools
import io
import pickle
import sys
import weakref
from types import FunctionType, ModuleType
from typing import Any

# By themselves: may they be sent? They go with the globals that they use.
_travelling: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
_found: dict[str, bool] = {}
_MOST_BYTES = 1 << 20


def travels(function: Any) -> bool:
    """False where a fork of the program is what can call it: a function of ``__main__`` that uses much, or what cannot be sent or
    keeps results from call to call, or one of a module that a new interpreter would not find."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    module = getattr(function, "__module__", None)
    if module != "__main__":
        return not isinstance(module, str) or is_found(module)
    try:
        known = _travelling.get(function)
        if known is None:
            known = _travelling[function] = _goes_by_value(function)
        return known
    except TypeError:  # nothing that is kept by reference or hashed
        return _goes_by_value(function)


def is_found(name: str) -> bool:
    """Would a new interpreter import this very module by its name?"""
    known = _found.get(name)
    if known is None:
        known = _found[name] = name not in sys.modules or _would_be_found(name)
    return known


def _would_be_found(name: str) -> bool:
    spec = getattr(sys.modules[name], "__spec__", None)
    if spec is None:
        return False
    if spec.origin in ("built-in", "frozen"):
        return True
    above = name.rpartition(".")[0]
    if above and not is_found(above):
        return False
    path = getattr(sys.modules[above], "__path__", None) if above in sys.modules else None
    try:
        found = [finder.find_spec(name, path) for finder in sys.meta_path]
    except Exception:
        return False
    return next((one.origin == spec.origin for one in found if one is not None), False)


def _goes_by_value(function: Any) -> bool:
    buffers: list[pickle.PickleBuffer] = []
    try:
        size = len(pickle_by_value(function, buffers.append))
    except Exception:
        return False
    return size + sum(buffer.raw().nbytes for buffer in buffers) <= _MOST_BYTES


def pickle_by_value(value: Any, buffer_callback: Any) -> bytes:
    """PicklingError where something goes by a name that workers do not know."""
    import cloudpickle  # type: ignore[import-untyped]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, entry: Any) -> Any:
            reduction = super().reducer_override(entry)
            if reduction is not NotImplemented:
                return reduction
            module = entry.__name__ if isinstance(entry, ModuleType) else getattr(entry, "__module__", None)
            if isinstance(entry, ModuleType | FunctionType | type):
                known = not isinstance(module, str) or is_found(module)
            else:
                known = module != "__main__" or not _goes_by_name(entry)
            if not known:
                raise pickle.PicklingError(f"{entry!r}: worker processes do not find it by its name in {module}")
            return NotImplemented

    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=buffer_callback).dump(value)
    return file.getvalue()


def _goes_by_name(entry: Any) -> bool:
    """As what ``functools.lru_cache`` makes, which would be without its cache in each call if it went otherwise."""
    return type(entry) not in copyreg.dispatch_table and isinstance(entry.__reduce_ex__(5), str)
