"""Loads NumPy and the extension of arrays; what ``manycore`` offers of them comes from here, on first use.

``manycore.futures`` works without either, so that a program of tasks alone does not wait for their import.
"""

from __future__ import annotations

# NumPy first: a Ctrl-C in its long import would come out of the extension's own as an ImportError.
import numpy  # noqa: F401

from manycore import _core, out_of_memory, waiting
from manycore._core import FallbackError, __version__, evaluate
from manycore.recording import explain
from manycore.session import install, load_ipython_extension, uninstall, unload_ipython_extension

__all__ = [
    "FallbackError",
    "__version__",
    "evaluate",
    "explain",
    "install",
    "load_ipython_extension",
    "uninstall",
    "unload_ipython_extension",
]

waiting.connect(_core)
waiting.install()
out_of_memory.install()
