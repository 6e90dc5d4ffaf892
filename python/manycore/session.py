"""Switch manycore on inside a running interpreter: ``manycore.install()``, or ``%load_ext manycore`` in a notebook.

From then on ``import numpy`` in user code gives ``manycore.numpy``, and user modules that are imported later cross into
libraries with real arrays. A module that was compiled before is not rewritten; in IPython the cells to come are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any


def install(include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
    """Give user code ``manycore.numpy`` for ``numpy`` from now on.

    ``include`` and ``exclude`` name packages that count as the user's code, or do not.

    >>> import manycore
    >>> manycore.install()
    >>> manycore.uninstall()
    """
    from manycore.run import import_hook, libraries
    from manycore.run.user_code import UserCode

    import_hook.install(UserCode(include, exclude))
    libraries.install()


def uninstall() -> None:
    """Undo ``install``: imports give NumPy again. Modules that were imported meanwhile keep what they have."""
    from manycore.run import import_hook, libraries

    libraries.uninstall()
    import_hook.uninstall()


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext manycore``: install, and put ``manycore.numpy`` where the session has NumPy already."""
    from manycore.run.cells import CellTransformer

    install()
    shell.ast_transformers.append(CellTransformer())
    real = sys.modules.get("numpy")
    if real is not None:
        import manycore.numpy as ours

        shell.push({name: ours for name, value in shell.user_ns.items() if value is real})


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext manycore``."""
    from manycore.run.cells import CellTransformer

    shell.ast_transformers[:] = [t for t in shell.ast_transformers if not isinstance(t, CellTransformer)]
    uninstall()
