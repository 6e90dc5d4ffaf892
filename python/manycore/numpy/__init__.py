"""NumPy's whole namespace over manycore's arrays: ``import manycore.numpy as np``.

Every public name of the installed NumPy is here. Dtypes, scalar types, constants and exceptions are NumPy's own objects;
universal functions and functions are ours: run by the engine where it can, by NumPy on zero-copy views where not, which is
counted and shows in the report with its line and its reason.
"""

from __future__ import annotations

import sys

import numpy

from manycore import _core
from manycore.numpy._namespace import fill, pose_as

_core.check_environment()
fill(globals())
pose_as(sys.modules[__name__], numpy)
del fill, pose_as, _core

__all__ = list(numpy.__all__)
