"""Points of a program where recorded work must have run, beyond those where a value is needed.

Warnings of recorded operations come when they run. Where the program changes how warnings are treated - entering and leaving
``warnings.catch_warnings``, setting filters - what was recorded before runs first, so that each warning meets the filters and the
list that were in force at its line. Likewise before a fork and at the end of the program.
"""

from __future__ import annotations

import atexit
import functools
import os
import warnings
from collections.abc import Callable
from typing import Any

from manycore import _core


def _after_recorded_work(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **keywords: Any) -> Any:
        _core.evaluate()
        return function(*args, **keywords)

    return run


def install() -> None:
    """Once, at import."""
    catch_warnings: Any = warnings.catch_warnings
    for name in ("__enter__", "__exit__"):
        setattr(catch_warnings, name, _after_recorded_work(getattr(catch_warnings, name)))
    for name in ("filterwarnings", "simplefilter", "resetwarnings"):
        setattr(warnings, name, _after_recorded_work(getattr(warnings, name)))
    os.register_at_fork(before=_core.evaluate)
    atexit.register(_core.evaluate)
