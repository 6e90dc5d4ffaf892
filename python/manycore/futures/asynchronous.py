"""``to_thread`` and ``to_process``: blocking functions for coroutines, on pools that keep warm.

All event loops and threads of the program share one pool of threads and one of processes. The loop never waits: it only puts
calls into queues; what takes time, such as starting processes, happens on a thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from manycore import _tasks
from manycore.futures.automatic import Shared
from manycore.futures.awaiting import wrap_future
from manycore.futures.options import PLAIN
from manycore.futures.thread import default_workers

_P = ParamSpec("_P")
_T = TypeVar("_T")

_LARGE = 256 << 10  # bytes: copied and pickled in a tenth of a millisecond
_MANY = 1000  # items
_shared: Shared | None = None
_lock = threading.Lock()
# Where a variable is found in a module, or None; variables live as long as the program does.
_homes: dict[contextvars.ContextVar[Any], tuple[str, str] | None] = {}


def _pools() -> Shared:
    global _shared
    with _lock:
        if _shared is None:
            _shared = Shared(default_workers(), True, None)
        return _shared


def _forget() -> None:
    global _shared, _lock
    _shared, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


async def to_thread(func: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call the function on a thread, in a copy of the context, and answer what it returns.

    As ``asyncio.to_thread``, at a fraction of its cost. Cancelling the task cancels a call that has not begun.

    >>> async def program():
    ...     return await to_thread(pow, 2, 10)
    >>> asyncio.run(program())
    1024
    """
    return await wrap_future(_pools().threads().submit(func, *args, **kwargs))


async def to_process(func: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call the function in a worker process and answer what it returns. Cancelling the task cancels a call that has not begun.

    Context variables travel where the worker can find them and their value: the variable must be a global of a module and its
    value picklable. Others keep their default there (`stays_here` says which); what a call sets stays in its process. Workers
    that are forked know the globals that the program had when the first of them was needed; they end when they have had nothing
    to do for a while. Large arguments are copied on a thread while the loop goes on, so leave them as they are until
    the result is there.

    >>> async def program():
    ...     return await to_process(pow, 2, 10)
    >>> asyncio.run(program())
    1024
    """
    shared = _pools()
    if not shared.has_started(func):
        await wrap_future(shared.threads().submit(_start_processes, shared, func))
    variables = _travelling()

    options = (*PLAIN, _tasks.call_site())

    def submit() -> Future[_T]:
        with shared.lock:
            pool = shared.processes(func)
            if variables:
                return pool._submit_with(options, _call_with, variables, func, args, kwargs)
            return pool._submit_with(options, func, *args, **kwargs)

    large = any(map(_is_large, args)) or any(map(_is_large, kwargs.values()))
    future = await _on_thread(shared, submit) if large else submit()
    return await wrap_future(future)


async def _on_thread(shared: Shared, submit: Callable[[], Future[_T]]) -> Future[_T]:
    sent = shared.threads().submit(submit)
    try:
        return await wrap_future(sent)
    except asyncio.CancelledError:
        sent.add_done_callback(_cancel_result)
        raise


def _cancel_result(sent: Future[Future[Any]]) -> None:
    if not sent.cancelled() and sent.exception() is None:
        sent.result().cancel()


def _is_large(value: Any, depth: int = 1) -> bool:
    """Would pickling it hold up an event loop? A look from outside, at a container's items too."""
    if isinstance(value, bytes | bytearray | str):
        return len(value) >= _LARGE
    if isinstance(value, list | tuple | set | frozenset | dict):
        if len(value) >= _MANY or depth == 0:
            return len(value) >= _MANY
        return any(_is_large(item, depth - 1) for item in (value.values() if isinstance(value, dict) else value))
    size = getattr(value, "nbytes", 0)
    return isinstance(size, int) and size >= _LARGE


def _start_processes(shared: Shared, func: Callable[..., Any]) -> None:
    with shared.lock:
        first = shared.processes(func).submit(int)
    first.result()
    shared.processes_started = True


def stays_here() -> list[contextvars.ContextVar[Any]]:
    """The context variables that are set here and would not travel with ``to_process``.

    >>> from contextvars import ContextVar
    >>> variable = ContextVar("not in a module")
    >>> token = variable.set(1)
    >>> variable in stays_here()
    True
    """
    context = contextvars.copy_context()
    return [variable for variable, value in context.items() if _packed(variable, value) is None]


def _travelling() -> list[tuple[str, str, bytes]]:
    packed = (_packed(variable, value) for variable, value in contextvars.copy_context().items())
    return [one for one in packed if one is not None]


def _packed(variable: contextvars.ContextVar[Any], value: Any) -> tuple[str, str, bytes] | None:
    # The one that nearly every large program has, and that is found nowhere: it is decimal's own.
    home = _home(variable) if type(value).__module__ != "decimal" else None
    if home is None:
        return None
    try:
        return (*home, pickle.dumps(value, 5))
    except Exception:
        return None


def _home(variable: contextvars.ContextVar[Any]) -> tuple[str, str] | None:
    if variable in _homes:
        home = _homes[variable]
        if home is None or getattr(sys.modules.get(home[0]), home[1], None) is variable:
            return home
    home = _homes[variable] = _find_home(variable)
    return home


def _find_home(variable: contextvars.ContextVar[Any]) -> tuple[str, str] | None:
    """Large programs have thousands of modules, and an event loop waits for this."""
    modules = [(name, getattr(module, "__dict__", {})) for name, module in list(sys.modules.items())]
    for name, names in modules:
        if names.get(variable.name) is variable:
            return name, variable.name
    wanted = id(variable)
    for name, names in modules:
        if wanted in map(id, list(names.values())):
            return name, next(key for key, value in list(names.items()) if value is variable)
    return None


def _call_with(
    variables: list[tuple[str, str, bytes]], func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    import importlib

    def call() -> Any:
        for module, attribute, value in variables:
            getattr(importlib.import_module(module), attribute).set(pickle.loads(value))
        return func(*args, **kwargs)

    return contextvars.Context().run(call)


# For errors that name what cannot be pickled.
_call_with._call_behind = lambda _variables, *call: call  # type: ignore[attr-defined]
