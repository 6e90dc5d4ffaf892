"""Points of a program where recorded work must have run, beyond those where a value is needed.

Warnings of recorded operations come when they run. Where the program changes how warnings are treated - entering and leaving
``warnings.catch_warnings``, setting filters - what was recorded before runs first, so that each warning meets the filters and the
list that were in force at its line. Likewise where standard error is redirected, before a fork and at the end of the program.

`manycore run` installs this before the program begins, and the extension of arrays comes with NumPy: until then nothing waits.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Callable

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any

_core: Any = None  # the extension of arrays, once it is there
_installed = False
_at_forks: Any = None  # the extension, while a fork goes on that it was told of


def _evaluate() -> None:
    if _core is not None:
        _core.evaluate()


def _after_recorded_work(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **keywords: Any) -> Any:
        _evaluate()
        return function(*args, **keywords)

    return run


def _after_what_can_be_run(leave: Callable[[int], Any]) -> Callable[[int], Any]:
    """For the end of a process, which no error may stop."""

    @functools.wraps(leave)
    def run(status: int) -> Any:
        try:
            _evaluate()
        finally:
            leave(status)

    return run


def _finish() -> None:
    """At the end of the program: what waits may warn still. Whoever pressed Ctrl-C does not wait for it, and what found no memory
    would find none once more."""
    if getattr(sys, "last_type", None) not in (KeyboardInterrupt, MemoryError):
        _evaluate()


class _CaughtWarnings(list):  # type: ignore[type-arg]
    """What ``catch_warnings(record=True)`` gives: whoever looks at it finds the warnings of all lines before."""


for _name in (
    *("__len__", "__iter__", "__getitem__", "__contains__", "__reversed__", "__repr__", "__add__", "__mul__", "__rmul__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__iadd__", "__imul__", "__setitem__", "__delitem__"),
    *("__reduce_ex__", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"),
):
    setattr(_CaughtWarnings, _name, _after_recorded_work(getattr(list, _name)))


def _catching(enter: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(enter)
    def run(self: Any) -> Any:
        _evaluate()
        caught = enter(self)
        if type(caught) is not list:
            return caught
        watched = _CaughtWarnings(caught)
        self._module._showwarnmsg_impl = watched.append
        return watched

    return run


def _before_fork() -> None:
    global _at_forks
    _at_forks = _core
    if _core is not None:
        _core.before_fork()


def _after_fork_in_parent() -> None:
    if _at_forks is not None:
        _at_forks.after_fork_in_parent()


def _after_fork_in_child() -> None:
    if _at_forks is not None:
        _at_forks.after_fork_in_child()


def connect(core: Any) -> None:
    """The extension of arrays is loaded."""
    global _core
    _core = core


def install() -> None:
    """Once in a process; more calls do nothing."""
    global _installed
    if _installed:
        return
    _installed = True
    catch_warnings: Any = warnings.catch_warnings
    catch_warnings.__enter__ = _catching(catch_warnings.__enter__)
    catch_warnings.__exit__ = _after_recorded_work(catch_warnings.__exit__)
    for name in ("filterwarnings", "simplefilter", "resetwarnings"):
        setattr(warnings, name, _after_recorded_work(getattr(warnings, name)))
    redirect: Any = contextlib._RedirectStream
    redirect.__enter__ = _after_recorded_work(redirect.__enter__)
    redirect.__exit__ = _after_recorded_work(redirect.__exit__)
    system: Any = os
    system._exit = _after_what_can_be_run(os._exit)
    # What is registered last runs first before a fork.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
    os.register_at_fork(before=_evaluate)
    atexit.register(_finish)
