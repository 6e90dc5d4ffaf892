"""What each name of NumPy becomes here, and its submodules as modules of ours."""

from __future__ import annotations

import copyreg
import importlib
import sys
import types
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

import numpy

from manycore import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "manycore.numpy"

# Functions that ask, print, read or save and compute no elements: NumPy does them on our memory, and that is no fallback.
UNCOUNTED = """
    array2string array_repr array_str array_equiv base_repr binary_repr broadcast_shapes busday_count can_cast common_type
    datetime_as_string datetime_data format_float_positional format_float_scientific frombuffer fromfile fromiter fromregex
    fromstring from_dlpack genfromtxt get_include get_printoptions getbufsize geterr geterrcall info is_busday iscomplexobj
    isdtype isfortran isrealobj isscalar issubdtype iterable load loadtxt may_share_memory min_scalar_type mintypecode ndim
    nested_iters printoptions promote_types result_type save savetxt savez savez_compressed set_printoptions setbufsize
    seterr seterrcall shape shares_memory show_config show_runtime size test typename einsum_path
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


def find(name: str, value: Any) -> Any:
    """Ours for a name that fill() left for later; ``value`` is NumPy's."""
    from manycore.numpy._implementations import SPECIAL

    if name in SPECIAL:
        return SPECIAL[name]()
    return ours_for(value)


class NumpyModule(types.ModuleType):
    """A module that stands for one of NumPy's. What the user sets in it is set in NumPy's too, where libraries and pickle look:
    names of NumPy, and names that it has not (`np.float = float` for an old library)."""

    def __setattr__(self, name: str, value: Any) -> None:
        real = sys.modules.get(self.__name__)
        is_shared = real is not None and (name in vars(real) or not name.startswith("__"))
        if is_shared and not isinstance(value, types.ModuleType):
            setattr(real, name, _core.to_real(value))
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        real = sys.modules.get(self.__name__)
        super().__delattr__(name)
        if real is not None and name in vars(real):
            delattr(real, name)


NumpyModule.__name__ = NumpyModule.__qualname__ = "module"
NumpyModule.__module__ = "builtins"


def _reduce_module(module: NumpyModule) -> tuple[Any, tuple[str]]:
    import pkgutil

    return pkgutil.resolve_name, (module.__name__,)  # import_module is another function where the hooks are


# cloudpickle and dill send modules by name, but know only those of Python's own class. Where it arrives, the name is NumPy's.
copyreg.pickle(NumpyModule, _reduce_module)

# What a module says about itself; __path__ stays ours, since Python finds our modules by it.
IDENTITY = ("__name__", "__doc__", "__file__", "__spec__", "__loader__", "__package__", "__cached__")


def pose_as(module: types.ModuleType, real: types.ModuleType) -> None:
    """Let a module of ours answer as NumPy's: its name, file and text, and NumPy's errors for names that are not there."""
    names = vars(module)
    names.update({name: vars(real)[name] for name in IDENTITY if name in vars(real)})
    find_here = find if real is numpy else lambda name, value: ours_for(value)
    names["__getattr__"] = _core.make_module_getattr(real, find_here, names)
    names["__dir__"] = lambda: dir(real)
    module.__class__ = NumpyModule


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

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        real = sys.modules["numpy." + module.__name__.removeprefix(PACKAGE + ".")]
        # Programs look into modules (vars, star imports), so what NumPy's holds lies in ours; what comes later follows on demand.
        names = {name: value for name, value in vars(real).items() if not (name.startswith("__") and name.endswith("__"))}
        vars(module).update({n: ours_for(v) for n, v in names.items() if not isinstance(v, types.ModuleType)})
        if hasattr(real, "__all__"):
            vars(module)["__all__"] = list(real.__all__)
        if hasattr(real, "__path__"):
            vars(module)["__path__"] = []
        pose_as(module, real)
        if real is sys.modules.get("numpy.random"):
            from manycore.numpy._random import install

            install(module)
