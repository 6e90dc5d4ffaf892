"""`multiprocessing`, with pools on manycore's worker processes: ``import manycore.multiprocessing as multiprocessing``.

Every name of the standard's module is here; those that are not ours are the standard's own. `shared_array` makes NumPy arrays
that several processes write to.
"""

from __future__ import annotations

import importlib
import multiprocessing as _standard
import sys
from multiprocessing import SUBDEBUG, SUBWARNING  # type: ignore[attr-defined]  # noqa: F401
from typing import TYPE_CHECKING, Any

from manycore.multiprocessing import context

if TYPE_CHECKING:
    from manycore.multiprocessing.shared_arrays import shared_array as shared_array

__all__ = list(_standard.__all__)


_SUBMODULES = frozenset({"dummy", "pool", "queues", "synchronize"})  # of ours that have the place of the standard's


def __getattr__(name: str) -> Any:
    if name == "shared_array":
        return importlib.import_module(f"{__name__}.shared_arrays").shared_array
    if name in _SUBMODULES and hasattr(_standard, name):
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(_standard, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_standard)})


globals().update({_name: getattr(context._default_context, _name) for _name in __all__})
sys.modules.setdefault("__mp_main__", sys.modules["__main__"])
