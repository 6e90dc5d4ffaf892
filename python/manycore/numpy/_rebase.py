"""NumPy's own Python functions, run over our names.

Much of NumPy is Python code on top of a few compiled functions: `vstack` is `atleast_2d` and `concatenate`. Such a function
is executed here as it is installed, with one change: the names that it looks up in its module (`concatenate`, `_nx`, `ufuncs`,
private helpers) are ours. What it returns and raises is therefore NumPy's by construction, and the work in it is native.
"""

from __future__ import annotations

import types
from typing import Any

import numpy

from manycore import _core
from manycore.numpy._namespace import FUNCTION_TYPES

# Functions made for these modules' names are found by the real object's identity.
_globals: dict[int, dict[str, Any]] = {}
_functions: dict[int, Any] = {}
_modules: dict[str, RebasedModule] = {}
_kept: list[Any] = []  # what the identities above belong to


class RebasedModule:
    """A module of NumPy as rebased code sees it: every attribute goes through rebased()."""

    def __init__(self, real: types.ModuleType) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        value = rebased(getattr(self._real, name))
        self.__dict__[name] = value
        return value


def rebased(value: Any) -> Any:
    """What rebased code finds where NumPy's code finds `value`."""
    if isinstance(value, numpy.ufunc):
        return _core.ufunc_for(value)
    if value is numpy.ndarray:
        return _core.ndarray
    if isinstance(value, types.ModuleType):
        if value.__name__ == "numpy" or value.__name__.startswith("numpy."):
            return _modules.setdefault(value.__name__, RebasedModule(value))
        return value
    if isinstance(value, FUNCTION_TYPES):
        if str(getattr(value, "__module__", "")).split(".")[0] != "numpy":
            return value
        if isinstance(value, types.FunctionType):
            return rebase(value)
        public = _public_function(value)
        if public is not None:
            return _core.function_for(public)
    if type(value).__name__ == "_array_converter" or getattr(value, "__name__", "") == "_array_converter":
        from manycore.numpy._array_converter import ArrayConverter

        return ArrayConverter
    return value


def _public_function(function: Any) -> Any:
    """The public function of NumPy that this compiled one is, or is the inside of; None for a private one."""
    home = numpy.linalg if str(function.__module__).startswith("numpy.linalg") else numpy
    public = getattr(home, getattr(function, "__name__", ""), None)
    return public if public is function or getattr(public, "_implementation", None) is function else None


def _globals_of(function: types.FunctionType) -> dict[str, Any]:
    real = function.__globals__
    known = _globals.get(id(real))
    if known is None:
        known = _globals[id(real)] = {"__name__": real["__name__"], "__builtins__": real["__builtins__"]}
        _kept.append(real)
    return known


def _translate_names(code: types.CodeType, real: dict[str, Any], ours: dict[str, Any]) -> None:
    """Put the globals that this code may look up into ours: a plain dict, which the interpreter looks up fastest."""
    for name in code.co_names:
        if name in real and name not in ours:
            ours[name] = rebased(real[name])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _translate_names(constant, real, ours)


def rebase(function: Any) -> Any:
    """`function` of NumPy over our names; private helpers come along."""
    known = _functions.get(id(function))
    if known is not None:
        return known
    implementation = getattr(function, "_implementation", function)
    code = implementation.__code__
    made = types.FunctionType(
        code, _globals_of(implementation), implementation.__name__, implementation.__defaults__, implementation.__closure__
    )
    made.__kwdefaults__ = implementation.__kwdefaults__
    made.__doc__ = implementation.__doc__
    made.__qualname__ = implementation.__qualname__
    _functions[id(function)] = made  # before its names, which may lead back to it
    _kept.append(function)
    _translate_names(code, implementation.__globals__, made.__globals__)
    return made


def rebase_class(real: type) -> type:
    """A class of NumPy whose methods are rebased; its bases too."""
    own_class = types.CellType()  # what super() without arguments looks in
    members: dict[str, Any] = {}
    for name, value in vars(real).items():
        if name in ("__dict__", "__weakref__") or isinstance(value, types.MemberDescriptorType):
            continue
        if isinstance(value, types.FunctionType):
            value = _rebase_method(value, own_class)
        elif isinstance(value, staticmethod):
            value = staticmethod(rebased(value.__func__))
        members[name] = value
    bases = tuple(rebase_class(base) if base.__module__.startswith("numpy") else base for base in real.__bases__)
    made: type = type(real)(real.__name__, bases, members)
    own_class.cell_contents = made
    return made


def _rebase_method(method: types.FunctionType, own_class: types.CellType) -> Any:
    if "__class__" not in method.__code__.co_freevars:
        return rebase(method)
    cells = zip(method.__code__.co_freevars, method.__closure__ or (), strict=True)
    closure = tuple(own_class if name == "__class__" else cell for name, cell in cells)
    made = types.FunctionType(method.__code__, _globals_of(method), method.__name__, method.__defaults__, closure)
    made.__kwdefaults__ = method.__kwdefaults__
    _translate_names(method.__code__, method.__globals__, made.__globals__)
    return made
