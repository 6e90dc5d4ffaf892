"""What each name of NumPy becomes here, and its submodules as modules of ours."""

from __future__ import annotations

import importlib
import sys
import types
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

import numpy

from manycore import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PACKAGE = "manycore.numpy"

# Functions that ask, print, read or save and compute no elements: NumPy does them on our memory, and that is no fallback.
UNCOUNTED = """
    array2string array_repr array_str array_equiv base_repr binary_repr broadcast_shapes busday_count can_cast common_type
    datetime_as_string datetime_data format_float_positional format_float_scientific frombuffer fromfile fromiter fromregex
    fromstring from_dlpack genfromtxt get_include get_printoptions getbufsize geterr geterrcall info is_busday iscomplexobj
    isdtype isfortran isrealobj isscalar issubdtype iterable load loadtxt may_share_memory min_scalar_type mintypecode ndim
    printoptions promote_types result_type save savetxt savez savez_compressed set_printoptions setbufsize seterr seterrcall
    shape shares_memory show_config show_runtime size test typename einsum_path
""".split()
UNCOUNTED_MODULES = ("numpy.testing", "numpy.lib.stride_tricks", "numpy.typing", "numpy.dtypes", "numpy.lib.format")

FUNCTION_TYPES = (types.FunctionType, types.BuiltinFunctionType, type(numpy.sum))


def ours_for(value: Any) -> Any:
    """The object that stands in this namespace for one of NumPy's."""
    if isinstance(value, numpy.ufunc):
        return _core.ufunc_for(value)
    if isinstance(value, FUNCTION_TYPES):
        function = _core.function_for(value)
        if str(getattr(value, "__module__", "")).startswith(UNCOUNTED_MODULES):
            _core.function_for(value, counted=False)
        return function
    if value is numpy.ndarray:
        return _core.ndarray
    if value is numpy.ufunc:
        return _core.ufunc
    if isinstance(value, types.ModuleType) and value.__name__.startswith("numpy."):
        return submodule(value.__name__.removeprefix("numpy."))
    return value


def fill(namespace: dict[str, Any]) -> None:
    """Put every name of NumPy that is loaded already into the namespace; submodules and rare names follow on demand."""
    from manycore.numpy import _implementations

    for name in UNCOUNTED:
        _core.function_for(getattr(numpy, name), counted=False)
    _implementations.register()
    for name, value in vars(numpy).items():
        if name.startswith("__") and name not in numpy.__all__:
            continue
        if isinstance(value, types.ModuleType) or name in _implementations.SPECIAL:
            continue
        namespace[name] = ours_for(value)
    sys.meta_path.append(SubmoduleFinder())


def find(name: str) -> Any:
    """A name that fill() left for later."""
    from manycore.numpy import _implementations

    if name in _implementations.SPECIAL:
        return _implementations.SPECIAL[name]()
    if name.startswith("__") and name not in numpy.__all__:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    try:
        value = getattr(numpy, name)
    except AttributeError as error:
        raise AttributeError(str(error).replace("module 'numpy'", f"module {PACKAGE!r}"), name=name) from None
    return ours_for(value)


class Submodule(types.ModuleType):
    """numpy.X with our functions in it; filled on demand."""

    def __init__(self, name: str, real: types.ModuleType) -> None:
        super().__init__(name, real.__doc__)
        self._real = real
        self.__all__ = list(getattr(real, "__all__", [n for n in dir(real) if not n.startswith("_")]))
        if hasattr(real, "__path__"):
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("__path__", "__wrapped__"):
            raise AttributeError(name)
        try:
            value = ours_for(getattr(self._real, name))
        except AttributeError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name) from None
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return dir(self._real)


def submodule(name: str) -> types.ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


class SubmoduleFinder:
    """Finds manycore.numpy.X where NumPy has an X and this package has no file of that name."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(PACKAGE + "."):
            return None
        try:
            importlib.import_module("numpy." + name.removeprefix(PACKAGE + "."))
        except ImportError:
            return None
        return ModuleSpec(name, self)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return Submodule(spec.name, sys.modules["numpy." + spec.name.removeprefix(PACKAGE + ".")])

    def exec_module(self, module: types.ModuleType) -> None:
        make: Callable[[types.ModuleType], None] | None = None
        if module.__name__ == PACKAGE + ".random":
            from manycore.numpy._random import install as make
        if make is not None:
            make(module)
