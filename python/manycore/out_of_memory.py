"""NumPy's error for an array that did not get its memory says which account refused it, and what to do.

NumPy makes the error in C, of a class of its own, wherever an array is made: in a function that the program called, inside
pandas, on another thread. So the class itself learns to say more: every such error is of that class, NumPy's sentence first.
"""

from __future__ import annotations

from typing import Any

from manycore import _core


def install() -> None:
    """Once, at import. Where NumPy has no such class its errors stay as they are."""
    error_class: Any
    try:
        from numpy._core._exceptions import _ArrayMemoryError as error_class
    except ImportError:
        return
    numpy_init, numpy_str = error_class.__init__, error_class.__str__

    def __init__(self: Any, shape: Any, dtype: Any) -> None:
        numpy_init(self, shape, dtype)
        self.refusal = _core.take_refusal(self._total_size)

    def __str__(self: Any) -> str:
        refusal = getattr(self, "refusal", None)
        return str(numpy_str(self)) + (f": {refusal}" if refusal else "")

    error_class.__init__, error_class.__str__ = __init__, __str__
