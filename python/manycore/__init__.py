"""manycore runs the NumPy programs that people already have on all of their hardware, with the same answers.

``manycore run script.py`` runs an unmodified program; ``import manycore.numpy as np`` uses the arrays directly;
``manycore.install()`` and ``%load_ext manycore`` do for a session what ``manycore run`` does for a program.
"""

from __future__ import annotations

from manycore import main_interpreter

main_interpreter.refuse_others()

# What is below loads the extension, which must not happen in another interpreter. NumPy first: a Ctrl-C in its long import would
# come out of the extension's own as an ImportError.
import numpy  # noqa: E402, F401

from manycore import waiting  # noqa: E402
from manycore._core import FallbackError, __version__, evaluate  # noqa: E402
from manycore.recording import explain  # noqa: E402
from manycore.session import install, load_ipython_extension, uninstall, unload_ipython_extension  # noqa: E402

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

waiting.install()
